//! Which answers are facts. Not here: what each adapter makes of what it is told (tests/it/vendors).

use entity::currency::Currency;
use entity::ids::{OrderId, PartnerId, PurchaseId, VendorId, WorkerId};
use uuid::Uuid;

use super::*;
use crate::domain::fulfillment::{RefusalKind, Requests};
use crate::domain::vouchers::{Contents, Cost};

/// A vendor that can be sent a purchase again, and not be asked about it.
const SENT_AGAIN: Capabilities = Capabilities {
    query_by_reference: false,
    idempotent_create: true,
    statement: false,
    catalog: false,
    tells_codes_again: false,
    shares_skus: false,
    settle_window_secs: 30,
    largest_batch: 1_000,
    requests_per_second: 1,
    concurrent_requests: 1,
    requests: Requests { purchase: 1, recipient: 0, look: 0 },
    delivers: &[],
};

fn purchase(state: PurchaseState, sends: i32, quantity: i32) -> purchases::Model {
    let id = Uuid::from_u128(7);
    purchases::Model {
        id: PurchaseId::from_uuid(id),
        our_ref: "oc-7".to_owned(),
        vendor_id: VendorId::from_uuid(id),
        product_id: "gift".to_owned(),
        vendor_sku: "gift".to_owned(),
        partner_id: PartnerId::from_uuid(id),
        order_id: OrderId::from_uuid(id),
        quantity,
        face_minor: 1_000,
        face_currency: Currency::USD,
        expected_cost_micros: 10_000_000,

        highest_cost_micros: None,
        cost_currency: Currency::USD,
        route: String::new(),
        state,
        epoch: 1,
        worker_id: Some(WorkerId::from_uuid(id)),
        sends,
        looks: 0,
        not_found: 0,
        not_found_since: None,
        vendor_ref: None,
        delivered_quantity: 0,
        cost_micros: None,
        refusal: None,
        message: None,
        ended_by: None,
        created_at: Timestamp::from_micros(0),
        sent_at: Timestamp::from_micros(0),
        next_at: None,
        resolves_by: Timestamp::from_micros(0),
        ended_at: None,
    }
}

fn refusal(kind: RefusalKind, message: &str) -> VendorRefusal {
    VendorRefusal { kind, message: message.to_owned(), retry_after_secs: None }
}

fn code() -> Goods {
    Goods::Code { contents: Contents::default(), expires_at: None, face: None }
}

fn receipt(number: &str) -> Goods {
    Goods::Receipt { number: number.to_owned(), face: None }
}

fn delivered(vendor_ref: &str, goods: Vec<Goods>, micros: i64) -> Outcome {
    let cost = Some(Cost { micros, currency: Currency::USD });
    Outcome::Delivered(Delivery { vendor_ref: vendor_ref.to_owned(), goods, cost })
}

fn doubt(finding: Finding) -> Option<Doubt> {
    match finding {
        Finding::Doubt(doubt) => Some(doubt),
        _ => None,
    }
}

/// A request that timed out may have bought, however often it is counted as sent: whoever took it over sends it again.
#[test]
fn a_refusal_is_of_the_whole_purchase_only_the_first_time_or_by_its_reference() {
    use PurchaseState::{Review, Sending, Unknown};
    use RefusalKind::{NoFunds, NotAuthorized, OutOfStock, TooMany, Unreachable};
    for kind in [NoFunds, NotAuthorized, TooMany, Unreachable, OutOfStock] {
        for (state, sends) in [(Sending, 1), (Unknown, 1), (Review, 1), (Sending, 2), (Unknown, 2)] {
            for idempotent_create in [false, true] {
                let capabilities = Capabilities { idempotent_create, ..SENT_AGAIN };
                let told = Outcome::Refused(refusal(kind, "no"));
                let found = of_sending(capabilities, &purchase(state, sends, 1), told);
                let is_fact = matches!(found, Finding::Fact(Fact::Refused(_)));
                let is_first = (state, sends) == (Sending, 1);
                let expected = is_first || (idempotent_create && kind == OutOfStock);
                assert_eq!(is_fact, expected, "{kind:?} {state} {sends} {idempotent_create}");
            }
        }
    }
}

#[test]
fn a_purchase_may_cost_a_billion_a_unit() {
    let asked = purchase(PurchaseState::Sending, 1, 1_000);
    let told = |units: usize, micros| delivered("T-1", (0..units).map(|_| code()).collect(), micros);
    const BILLION: i64 = 1_000_000_000_000_000;
    for (units, micros, is_fact) in [
        (1_000, 1_235_000_000_000_000, true),
        (1_000, 1_000 * BILLION, true),
        (1_000, 1_000 * BILLION + 1, false),
        (1, BILLION, true),
        (1, BILLION + 1, false),
        (1, -1, false),
        (1, i64::MAX, false),
    ] {
        let found = of_sending(SENT_AGAIN, &asked, told(units, micros));
        assert_eq!(matches!(found, Finding::Fact(_)), is_fact, "{units} for {micros}");
    }
}

#[test]
fn names_that_no_row_could_hold_make_an_answer_a_doubt_without_them() {
    let asked = purchase(PurchaseState::Sending, 1, 1);
    for name in ["", " ", "a\0b", "a\nb", &"x".repeat(201)] {
        let found = of_sending(SENT_AGAIN, &asked, delivered(name, vec![code()], 1));
        assert_eq!(doubt(found).map(|doubt| doubt.vendor_ref), Some(None), "{name:?}");
        let found = of_sending(SENT_AGAIN, &asked, delivered("T-1", vec![receipt(name)], 1));
        assert_eq!(doubt(found).map(|doubt| doubt.vendor_ref), Some(Some("T-1".to_owned())), "{name:?}");
        let unclear = Doubt { vendor_ref: Some(name.to_owned()), ..Doubt::saying("a\0b".to_owned()) };
        let found = doubt(of_sending(SENT_AGAIN, &asked, Outcome::Unknown(unclear)));
        assert_eq!(found.map(|doubt| (doubt.vendor_ref, doubt.message)), Some((None, "a b".to_owned())));
    }
    let name = "é".repeat(200);
    let found = of_sending(SENT_AGAIN, &asked, delivered(&name, vec![receipt(&name)], 1));
    assert!(matches!(found, Finding::Fact(Fact::Delivered(_))));
}

#[test]
fn a_vendors_words_are_cut_to_what_a_person_reads() {
    let told = Outcome::Refused(refusal(RefusalKind::OutOfStock, &format!("\u{1b}[31m{}", "x".repeat(300))));
    let Finding::Fact(Fact::Refused(read)) =
        of_sending(SENT_AGAIN, &purchase(PurchaseState::Sending, 1, 1), told)
    else {
        panic!("a refusal of what was sent for the first time")
    };
    assert_eq!(read.message.chars().count(), 200);
    assert!(read.message.starts_with(" [31mxxx"), "{}", read.message);
}
