//! What every adapter owes: the checks that each one passes on a replica of its vendor.
//!
//! What lives here: the checks; `vendor_contract!(TheStage)` makes a test of each, on a stage (`stage.rs`) that an adapter's tests
//! write once. What is always true: a check knows the `Vendor` trait and the stage, and nothing of an API; what an adapter says is held
//! against the vendor's own books. What is not here: what is peculiar to one vendor (its own file beside this one), and what
//! a replica's answers look like (`hostile.rs` tells which there are).
//!
//! ```ignore
//! struct ReplicaStage { .. }
//! impl Stage for ReplicaStage { .. }
//! vendor_contract!(ReplicaStage);
//! ```

use std::collections::BTreeSet;

use entity::timestamp::Timestamp;
use octopus_cards::domain::fulfillment::{
    CatalogItem, Delivery, Goods, Outcome, RefusalKind, Secret, Sighting, StatementLine, Vendor,
    VendorRefusal,
};

use super::hostile::Fault;
use super::stage::{Account, At, Stage};

/// A test for each check.
macro_rules! vendor_contract {
    ($stage:ty) => {
        $crate::vendors::contract::vendor_contract! { $stage:
            delivers_what_was_asked_for,
            finds_the_same_goods_again,
            knows_what_it_never_heard_of,
            refuses_what_the_vendor_refuses,
            refuses_a_recipient_that_cannot_receive,
            makes_a_repeated_purchase_once,
            delivers_what_there_is_of_a_batch,
            waits_for_what_is_under_way,
            takes_no_hostile_answer_for_a_fact,
            takes_no_hostile_sighting_for_a_fact,
            stops_reading_what_is_too_large,
            says_when_it_was_turned_away,
            tells_in_its_statement_what_was_bought,
            tells_what_it_sells,
            tells_of_listings_that_failed,
            tells_its_balance,
        }
    };
    ($stage:ty: $($check:ident,)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $check() {
            $crate::vendors::contract::$check::<$stage>().await;
        }
    )+};
}
pub(crate) use vendor_contract;

/// What was delivered, by what can be compared.
fn texts(delivery: &Delivery) -> Vec<String> {
    let text = |secret: &Option<Secret>| secret.as_ref().map_or("", Secret::expose).to_owned();
    let of_one = |goods: &Goods| match goods {
        Goods::Code { contents, .. } => [
            text(&contents.code),
            text(&contents.pin),
            text(&contents.serial),
            text(&contents.redemption_url),
        ]
        .join("|"),
        Goods::Receipt { number, .. } => number.clone(),
    };
    delivery.goods.iter().map(of_one).collect()
}

#[track_caller]
pub fn delivered(outcome: Outcome) -> Delivery {
    let Outcome::Delivered(delivery) = outcome else { panic!("not delivered: {outcome:?}") };
    delivery
}

#[track_caller]
pub fn refused(outcome: Outcome) -> VendorRefusal {
    let Outcome::Refused(refusal) = outcome else { panic!("not refused: {outcome:?}") };
    let length = refusal.message.chars().count();
    assert!((1..=200).contains(&length), "{refusal:?}");
    refusal
}

#[track_caller]
pub fn sighted(sighting: Sighting) -> Delivery {
    let Sighting::Delivered(delivery) = sighting else { panic!("not sighted: {sighting:?}") };
    delivery
}

/// The faults among these that the stage can play.
fn playable<S: Stage>(faults: &[Fault]) -> impl Iterator<Item = Fault> {
    faults.iter().copied().filter(|fault| !S::CANNOT.contains(fault))
}

pub async fn delivers_what_was_asked_for<S: Stage>() {
    let stage = S::open().await;
    let request = stage.request("buy-1", 3);
    let delivery = delivered(stage.vendor(Account::Good).purchase(&request).await);
    assert_eq!(delivery.goods.len(), 3);
    assert!(!delivery.vendor_ref.is_empty());
    for goods in &delivery.goods {
        let Goods::Code { contents, face, .. } = goods else { panic!("no code: {goods:?}") };
        let code = contents.code.as_ref().or(contents.redemption_url.as_ref()).expect("something to redeem");
        assert!(!code.expose().is_empty());
        assert!(face.is_none_or(|face| face == request.face), "{goods:?}");
    }
    let distinct: BTreeSet<_> = texts(&delivery).into_iter().collect();
    assert_eq!(distinct.len(), 3);
    assert_eq!(delivery.cost, Some(request.expected_cost));
    assert_eq!(stage.booked().await, ["buy-1"]);
}

pub async fn finds_the_same_goods_again<S: Stage>() {
    let stage = S::open().await;
    let vendor = stage.vendor(Account::Good);
    let able = vendor.capabilities();
    if !able.query_by_reference && !able.tells_codes_again {
        return;
    }
    let mut request = stage.request("find-1", 2);
    let first = delivered(vendor.purchase(&request).await);
    request.vendor_ref = Some(first.vendor_ref.clone());
    let again = sighted(vendor.find(&request).await);
    assert_eq!((texts(&again), again.cost), (texts(&first), first.cost));
    assert_eq!(again.vendor_ref, first.vendor_ref);
    assert_eq!(stage.booked().await, ["find-1"]);
}

pub async fn knows_what_it_never_heard_of<S: Stage>() {
    let stage = S::open().await;
    let vendor = stage.vendor(Account::Good);
    if vendor.capabilities().query_by_reference {
        let sighting = vendor.find(&stage.request("never-sent", 1)).await;
        assert!(matches!(sighting, Sighting::NotFound), "{sighting:?}");
    }
    assert_eq!(stage.booked().await, [""; 0]);
}

pub async fn refuses_what_the_vendor_refuses<S: Stage>() {
    let stage = S::open().await;
    let vendor = stage.vendor(Account::Good);
    for (number, fault) in playable::<S>(Fault::REFUSALS).enumerate() {
        let request = stage.request(&format!("refused-{number}"), 2);
        stage.play(At::Purchase, Some(fault)).await;
        let refusal = refused(vendor.purchase(&request).await);
        assert_eq!(Some(refusal.kind), fault.refusal(), "{fault:?}");
        if vendor.capabilities().query_by_reference {
            let sighting = vendor.find(&request).await;
            match &sighting {
                Sighting::Refused(again) => assert_eq!(again.kind, refusal.kind),
                other => assert!(matches!(other, Sighting::NotFound), "{fault:?}: {other:?}"),
            }
        }
    }
    assert_eq!(stage.booked().await, [""; 0]);
}

pub async fn refuses_a_recipient_that_cannot_receive<S: Stage>() {
    let stage = S::open().await;
    let Some(request) = stage.request_for_nobody("nobody-1") else { return };
    let refusal = refused(stage.vendor(Account::Good).purchase(&request).await);
    assert_eq!(refusal.kind, RefusalKind::BadRecipient);
    assert!(!refusal.message.contains(request.recipient.as_ref().unwrap().value.expose()), "{refusal:?}");
    assert_eq!(stage.booked().await, [""; 0]);
}

pub async fn makes_a_repeated_purchase_once<S: Stage>() {
    let stage = S::open().await;
    let vendor = stage.vendor(Account::Good);
    if !vendor.capabilities().idempotent_create {
        return;
    }
    let request = stage.request("twice-1", 2);
    let (left, right) = tokio::join!(vendor.purchase(&request), vendor.purchase(&request));
    let (left, right) = (delivered(left), delivered(right));
    assert_eq!(texts(&left), texts(&right));
    let third = delivered(vendor.purchase(&request).await);
    assert_eq!((texts(&third), third.vendor_ref), (texts(&left), left.vendor_ref));
    assert_eq!(stage.booked().await, ["twice-1"]);
}

pub async fn delivers_what_there_is_of_a_batch<S: Stage>() {
    let stage = S::open().await;
    let vendor = stage.vendor(Account::Good);
    for fault in playable::<S>(&[Fault::Partial]) {
        stage.play(At::Purchase, Some(fault)).await;
        let request = stage.request("part-1", 10);
        let delivery = delivered(vendor.purchase(&request).await);
        assert_eq!(delivery.goods.len(), 7);
        assert_eq!(texts(&sighted(vendor.find(&request).await)), texts(&delivery));
    }
}

pub async fn waits_for_what_is_under_way<S: Stage>() {
    let stage = S::open().await;
    let vendor = stage.vendor(Account::Good);
    for fault in playable::<S>(&[Fault::Pending]) {
        stage.play(At::Purchase, Some(fault)).await;
        let request = stage.request("later-1", 2);
        let outcome = vendor.purchase(&request).await;
        assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
        let sighting = vendor.find(&request).await;
        assert!(matches!(sighting, Sighting::Pending { .. }), "{sighting:?}");
        stage.advance_secs(3_600);
        assert_eq!(sighted(vendor.find(&request).await).goods.len(), 2);
    }
}

pub async fn takes_no_hostile_answer_for_a_fact<S: Stage>() {
    let stage = S::open().await;
    let vendor = stage.vendor(Account::Good);
    let mut bought = Vec::new();
    for (number, fault) in playable::<S>(Fault::HOSTILE).enumerate() {
        stage.play(At::Purchase, Some(fault)).await;
        let account = if fault.is_endless() { Account::Hurried } else { Account::Good };
        let request = stage.request(&format!("hostile-{number}"), 2);
        let outcome = stage.vendor(account).purchase(&request).await;
        let Outcome::Unknown(doubt) = outcome else { panic!("{fault:?}: {outcome:?}") };
        assert!(!doubt.message.is_empty() && doubt.message.len() < 400, "{fault:?}: {doubt:?}");
        if fault.buys() {
            bought.push(request.our_ref.clone());
        }
        // What was lost on the way is found; what the vendor's books have wrong stays a doubt.
        if vendor.capabilities().query_by_reference && fault.is_on_the_way() {
            let sighting = vendor.find(&request).await;
            if !fault.buys() {
                assert!(matches!(sighting, Sighting::NotFound), "{fault:?}: {sighting:?}");
                continue;
            }
            let goods = texts(&sighted(sighting));
            assert_eq!(goods.len(), 2, "{fault:?}");
            for secret in goods.iter().flat_map(|text| text.split('|')).filter(|text| text.len() > 3) {
                assert!(!doubt.message.contains(secret), "{fault:?}: a code is in the message");
            }
        }
    }
    assert_eq!(stage.booked().await, bought);
}

pub async fn takes_no_hostile_sighting_for_a_fact<S: Stage>() {
    let stage = S::open().await;
    let vendor = stage.vendor(Account::Good);
    if !vendor.capabilities().query_by_reference {
        return;
    }
    let request = stage.request("sight-1", 2);
    delivered(vendor.purchase(&request).await);
    let gates = [Fault::TooOften, Fault::Unauthorized];
    for fault in playable::<S>(Fault::HOSTILE).chain(gates).filter(|fault| fault.is_on_the_way()) {
        stage.play(At::Find, Some(fault)).await;
        let account = if fault.is_endless() { Account::Hurried } else { Account::Good };
        let sighting = stage.vendor(account).find(&request).await;
        assert!(matches!(sighting, Sighting::Unclear(_)), "{fault:?}: {sighting:?}");
    }
    for account in [Account::WrongKey, Account::Nowhere] {
        let sighting = stage.vendor(account).find(&request).await;
        assert!(matches!(sighting, Sighting::Unclear(_)), "{account:?}: {sighting:?}");
    }
}

pub async fn stops_reading_what_is_too_large<S: Stage>() {
    let stage = S::open().await;
    let vendor = stage.vendor(Account::Good);
    for (number, fault) in playable::<S>(&[Fault::Huge, Fault::GzipBomb]).enumerate() {
        stage.play(At::Purchase, Some(fault)).await;
        let outcome = vendor.purchase(&stage.request(&format!("large-{number}"), 1)).await;
        let Outcome::Unknown(doubt) = outcome else { panic!("{fault:?}: {outcome:?}") };
        assert!(doubt.message.contains("larger than"), "{doubt:?}");
    }
    // The answer has 100 MB; the kernel's buffers take a few.
    assert!(stage.streamed_bytes() < 32_000_000, "{} bytes were read", stage.streamed_bytes());
}

pub async fn says_when_it_was_turned_away<S: Stage>() {
    let stage = S::open().await;
    for (account, kind) in
        [(Account::WrongKey, RefusalKind::NotAuthorized), (Account::Nowhere, RefusalKind::Unreachable)]
    {
        let refusal = refused(stage.vendor(account).purchase(&stage.request("away-1", 1)).await);
        assert_eq!(refusal.kind, kind, "{account:?}");
    }
    for (fault, kind, retry_after_secs) in [
        (Fault::TooOften, RefusalKind::TooMany, Some(7)),
        (Fault::Unauthorized, RefusalKind::NotAuthorized, None),
    ] {
        stage.play(At::Purchase, Some(fault)).await;
        let refusal = refused(stage.vendor(Account::Good).purchase(&stage.request("away-2", 1)).await);
        assert_eq!((refusal.kind, refusal.retry_after_secs), (kind, retry_after_secs), "{fault:?}");
    }
    assert_eq!(stage.booked().await, [""; 0]);
}

/// The whole statement, part by part.
pub async fn statement(vendor: &dyn Vendor, since: Timestamp) -> Vec<StatementLine> {
    let (mut lines, mut from) = (Vec::new(), None);
    for _ in 0..100 {
        let part = vendor.statement(since, from).await.expect("it has a statement");
        lines.extend(part.items);
        from = part.next;
        if from.is_none() {
            return lines;
        }
    }
    panic!("the statement has no end: {lines:#?}");
}

pub async fn tells_in_its_statement_what_was_bought<S: Stage>() {
    let stage = S::open().await;
    let vendor = stage.vendor(Account::Good);
    if !vendor.capabilities().statement {
        return;
    }
    assert_eq!(statement(&*vendor, Timestamp::from_micros(0)).await, []);
    let mut expected = Vec::new();
    let mut middle = stage.now();
    for number in 0..7 {
        if number == 4 {
            stage.advance_secs(60);
            middle = stage.now();
        }
        let request = stage.request(&format!("told-{number}"), 1 + number % 3);
        let delivery = delivered(vendor.purchase(&request).await);
        expected.push((Some(request.our_ref), delivery.vendor_ref, request.quantity, delivery.cost.unwrap()));
    }
    let told = |lines: Vec<StatementLine>| {
        lines
            .into_iter()
            .map(|line| (line.our_ref, line.vendor_ref, line.quantity, line.cost))
            .collect::<Vec<_>>()
    };
    let lines = statement(&*vendor, Timestamp::from_micros(0)).await;
    assert!(lines.is_sorted_by_key(|line| line.at), "{lines:#?}");
    assert_eq!(told(lines), expected);
    assert_eq!(told(statement(&*vendor, middle).await), expected[4..]);
}

pub async fn tells_what_it_sells<S: Stage>() {
    let stage = S::open().await;
    let vendor = stage.vendor(Account::Good);
    if !vendor.capabilities().catalog {
        return;
    }
    let (mut items, mut from): (Vec<CatalogItem>, _) = (Vec::new(), None);
    for round in 0.. {
        assert!(round < 100, "the catalog has no end");
        let part = vendor.catalog(from).await.expect("it has a catalog");
        items.extend(part.items.into_iter().flatten());
        from = part.next;
        if from.is_none() {
            break;
        }
    }
    let skus: BTreeSet<&str> = items.iter().map(|item| item.vendor_sku.as_str()).collect();
    assert_eq!(skus.len(), items.len(), "an item is told twice");
    let request = stage.request("sold-1", 1);
    let item =
        items.iter().find(|item| item.vendor_sku == request.vendor_sku).expect("it tells what it sells");
    assert_eq!(item.face_currency, request.face.currency);
    assert_eq!(item.cost.currency, request.expected_cost.currency);
    assert!(item.is_active && !item.name.is_empty(), "{item:?}");
}

pub async fn tells_of_listings_that_failed<S: Stage>() {
    let stage = S::open().await;
    let able = stage.vendor(Account::Good).capabilities();
    for fault in playable::<S>(Fault::HOSTILE).filter(|fault| fault.is_on_the_way()) {
        let account = if fault.is_endless() { Account::Hurried } else { Account::Good };
        let vendor = stage.vendor(account);
        stage.play(At::Statement, Some(fault)).await;
        stage.play(At::Catalog, Some(fault)).await;
        if able.statement {
            let told = vendor.statement(Timestamp::from_micros(0), None).await;
            assert!(told.is_err(), "{fault:?}: {told:?}");
        }
        if able.catalog {
            let told = vendor.catalog(None).await;
            assert!(told.is_err(), "{fault:?}: {} items", told.unwrap().items.len());
        }
    }
}

pub async fn tells_its_balance<S: Stage>() {
    let stage = S::open().await;
    let vendor = stage.vendor(Account::Good);
    let Some(before) = vendor.balance().await.expect("it answers") else { return };
    assert_eq!(before.currency, stage.currency());
    let delivery = delivered(vendor.purchase(&stage.request("paid-1", 2)).await);
    let after = vendor.balance().await.expect("it answers").expect("it did before");
    assert_eq!(before.micros - after.micros, delivery.cost.unwrap().micros);
}
