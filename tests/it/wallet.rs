//! Prepaid money: credits, what wallets show, entries page by page, statements.
//! Not here: what orders do to wallets.

use entity::money::Money;
use entity::state::Scope;
use octopus_cards::domain::identity::{self, CreateCredential};
use octopus_cards::domain::wallet::{self, CreditRefusal, CreditWallet};
use octopus_cards::problem::Failure;
use serde_json::{Value, json};

use super::orders::{funds, minor, order};
use super::support::app::TestApp;
use super::support::catalog::YEN_1000;
use super::support::process::{Binary, Ended};
use super::support::seed::SeededPartner;

async fn run(app: &TestApp, arguments: &[&str]) -> Ended {
    Binary::on(&app.database).run(arguments).await
}

fn credit(partner: &str, currency: &str, minor: i64, reference: &str) -> CreditWallet {
    CreditWallet {
        partner: partner.parse().unwrap(),
        amount: Money::from_minor(minor, currency.parse().unwrap()),
        reference: reference.to_owned(),
        note: None,
    }
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T, Failure<CreditRefusal>>) -> CreditRefusal {
    match outcome {
        Err(Failure::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

const ENTRIES: &str = "query Entries($first: Int, $after: String, $last: Int, $before: String, $from: DateTime, $to: DateTime) {
    wallet(currency: \"EUR\") {
        id
        entries(first: $first, after: $after, last: $last, before: $before, from: $from, to: $to) {
            edges { cursor node { id sequence kind amount { amount currency } balanceBefore { amount }
                balanceAfter { amount } reference createdAt } }
            pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
            totalCount
        }
    }
}";

fn sequences(page: &Value) -> Vec<&str> {
    page["edges"].as_array().unwrap().iter().map(|edge| edge["node"]["sequence"].as_str().unwrap()).collect()
}

both_databases! {
    async fn a_credit_happens_once_for_each_reference(app: SmallCatalog) {
        let partner = app.database.seed.partners[0].id.clone();
        let before = app.database.number("SELECT count(*) FROM events").await;
        let credits = (0..20).map(|_| {
            let (ctx, command) = (app.system(), credit(&partner, "GBP", 12_345, "bank-1"));
            tokio::spawn(async move { wallet::credit(&ctx, command).await.unwrap() })
        });
        let done = futures_util::future::join_all(credits).await;
        let done: Vec<_> = done.into_iter().map(Result::unwrap).collect();
        assert_eq!(done.iter().filter(|credited| !credited.replayed).count(), 1);
        assert!(done.iter().all(|credited| credited.transaction == done[0].transaction));
        assert!(done.iter().all(|credited| credited.available.minor == 12_345));
        let available = "SELECT available FROM wallets WHERE currency = 'GBP'";
        assert_eq!(app.database.number(available).await, 12_345);
        assert_eq!(app.database.number("SELECT count(*) FROM events").await, before + 1);
        let audited = "SELECT count(*) FROM audit_log WHERE action = 'wallet.credited' AND detail LIKE '%bank-1%'";
        assert_eq!(app.database.number(audited).await, 1);

        let refused = refusal(wallet::credit(&app.system(), credit(&partner, "GBP", 12_346, "bank-1")).await);
        assert!(matches!(refused, CreditRefusal::ReferenceUsed { .. }), "{refused:?}");
        let refused = refusal(wallet::credit(&app.system(), credit(&partner, "USD", 12_345, "bank-1")).await);
        assert!(matches!(refused, CreditRefusal::ReferenceUsed { .. }), "{refused:?}");
        assert_eq!(app.database.number(available).await, 12_345);
    }

    async fn a_credit_that_cannot_be_is_refused_and_changes_nothing(app: SmallCatalog) {
        let partner = app.database.seed.partners[0].id.clone();
        let before = app.database.number("SELECT count(*) FROM postings").await;
        for (command, expected) in [
            (credit(&partner, "USD", 0, "r"), CreditRefusal::AmountNotPositive),
            (credit(&partner, "USD", -5, "r"), CreditRefusal::AmountNotPositive),
            (credit(&partner, "USD", 5, ""), CreditRefusal::InvalidReference),
            (credit(&partner, "USD", 5, &"r".repeat(65)), CreditRefusal::InvalidReference),
            (credit(&partner, "USD", i64::MAX, "r"), CreditRefusal::TooMuch),
            (credit("prt_00000000000000000000000000", "USD", 5, "r"), CreditRefusal::PartnerNotFound),
        ] {
            assert_eq!(refusal(wallet::credit(&app.system(), command).await), expected);
        }
        assert_eq!(app.database.number("SELECT count(*) FROM postings").await, before);
    }

    /// A wallet can be filled to the brim, but what is held has to find its way back.
    async fn what_is_held_has_room_in_the_wallet_to_come_back(app: SmallCatalog) {
        let partner = app.partner().await;
        let open = json!({ "productId": YEN_1000, "quantity": 60, "reference": "open", "currency": "USD", "waitMs": 0 });
        order(&partner, open).await.payload("createOrder");
        let (available, held) = funds(&partner, "USD").await;
        let (available, held) = (minor(&available), minor(&held));
        assert!(held > 0);
        let room = i64::MAX - available - held;
        let id = partner.account.id.as_str();
        let refused = refusal(wallet::credit(&app.system(), credit(id, "USD", room + 1, "brim")).await);
        assert_eq!(refused, CreditRefusal::TooMuch);
        wallet::credit(&app.system(), credit(id, "USD", room, "brim")).await.unwrap();
        let cancel = "mutation { cancelOrder(input: { reference: \"open\" }) { order { status } userErrors { code } } }";
        assert_eq!(partner.graphql(cancel, json!({})).await.text("cancelOrder.order.status"), "PARTIALLY_DELIVERED");
        assert_eq!(funds(&partner, "USD").await, ("92233720368547758.07".to_owned(), "0.00".to_owned()));
    }

    async fn money_is_paid_in_and_listed_from_the_command_line(app: SmallCatalog) {
        let paid = ["wallet", "credit", "--partner", "Acme Games", "--currency", "CHF", "--amount", "10.5", "--reference", "b2",
            "--json"];
        let done = run(&app, &paid).await.json();
        assert_eq!((&done["available"], &done["replayed"]), (&json!("10.50"), &json!(false)));
        assert_eq!(run(&app, &paid).await.json()["replayed"], true);
        let mut other = paid;
        other[7] = "10.51";
        let refused = run(&app, &other).await.expect_code(3);
        assert!(refused.stderr.contains("IDEMPOTENCY_MISMATCH"), "{refused:?}");
        other[7] = "10.505";
        run(&app, &other).await.expect_code(2);
        (other[3], other[7]) = ("Nobody", "10.51");
        run(&app, &other).await.expect_code(3);
        let listed = run(&app, &["wallet", "list", "--partner", "Acme Games", "--json"]).await.json();
        let francs = listed["wallets"].as_array().unwrap().iter().find(|wallet| wallet["currency"] == "CHF").unwrap();
        assert_eq!((&francs["available"], &francs["held"], &francs["balance"]), (&json!("10.50"), &json!("0.00"), &json!("10.50")));
    }

    async fn wallets_are_listed_by_currency_and_paged(app: SmallCatalog) {
        let partner = app.partner().await;
        let document = "query W($first: Int, $after: String, $last: Int, $before: String) {
            wallets(first: $first, after: $after, last: $last, before: $before) {
                nodes { id currency balance { amount currency } held { amount } available { amount } }
                pageInfo { hasNextPage hasPreviousPage endCursor } totalCount } }";
        let all = partner.graphql(document, json!({})).await;
        let shown: Vec<(&str, &str, &str)> = all
            .list("wallets.nodes")
            .iter()
            .map(|wallet| {
                let text = |path: &str| wallet.pointer(path).unwrap().as_str().unwrap();
                (text("/currency"), text("/balance/amount"), text("/held/amount"))
            })
            .collect();
        let expected = [
            ("EUR", "900000.00", "0.00"),
            ("JPY", "150000000", "0"),
            ("KWD", "300000.000", "0.000"),
            ("USD", "1000000.00", "0.00"),
        ];
        assert_eq!(shown, expected);
        assert_eq!(all.number("wallets.totalCount"), 4);
        let first = partner.graphql(document, json!({ "first": 3 })).await;
        assert_eq!(first.at("wallets.pageInfo.hasNextPage"), &json!(true));
        let rest = partner.graphql(document, json!({ "after": first.text("wallets.pageInfo.endCursor") })).await;
        assert_eq!(rest.text("wallets.nodes.0.currency"), "USD");
        assert_eq!(rest.at("wallets.pageInfo.hasPreviousPage"), &json!(true));
        let last = partner.graphql(document, json!({ "last": 2 })).await;
        assert_eq!(last.text("wallets.nodes.0.currency"), "KWD");
        partner.graphql(document, json!({ "first": 101 })).await.expect_errors(&[("BAD_USER_INPUT", "wallets")]);
        partner.graphql(document, json!({ "after": "???" })).await.expect_errors(&[("BAD_USER_INPUT", "wallets")]);
    }

    async fn a_partner_sees_its_own_wallets_alone_and_only_with_the_scope(app: SmallCatalog) {
        let (one, other) = (app.partner().await, app.other_partner().await);
        let document = "{ wallet(currency: \"USD\") { id entries { nodes { id } } } none: wallet(currency: \"GBP\") { id } }";
        let mine = one.graphql(document, json!({})).await;
        let theirs = other.graphql(document, json!({})).await;
        assert_ne!(mine.text("wallet.id"), theirs.text("wallet.id"));
        assert_eq!(mine.at("none"), &Value::Null);
        let ids = [mine.text("wallet.id"), mine.text("wallet.entries.nodes.0.id")];
        let nodes = "query Nodes($ids: [ID!]!) { nodes(ids: $ids) { id } }";
        assert_eq!(one.graphql(nodes, json!({ "ids": ids })).await.list("nodes").len(), 2);
        let hidden = other.graphql(nodes, json!({ "ids": ids })).await;
        assert_eq!(hidden.at("nodes"), &json!([null, null]));
        app.client.graphql("", document, json!({})).await.expect_errors(&[("UNAUTHENTICATED", "")]);

        let command = CreateCredential { name: "blind".to_owned(), scopes: Some(vec![Scope::CatalogRead]) };
        let partner = one.account.id.parse().unwrap();
        let made = identity::create_credential_for(&app.system(), partner, command).await.unwrap();
        let blind = app
            .sign_in(&SeededPartner {
                id: one.account.id.clone(),
                username: made.credential.username,
                password: made.secret.expose().to_owned(),
            })
            .await;
        let refused = blind.graphql("{ wallets { totalCount } wallet(currency: \"USD\") { id } }", json!({})).await;
        refused.expect_errors(&[("FORBIDDEN", "wallets"), ("FORBIDDEN", "wallet")]);
    }

    async fn entries_are_paged_newest_first_with_their_balances(app: SmallCatalog) {
        let partner = app.partner().await;
        for number in 1..=6 {
            app.advance_secs(60);
            wallet::credit(&app.system(), credit(&partner.account.id, "EUR", number * 100, &format!("c{number}"))).await.unwrap();
        }
        let page = partner.graphql(ENTRIES, json!({ "first": 3 })).await;
        let entries = page.at("wallet.entries");
        assert_eq!(sequences(entries), ["7", "6", "5"]);
        assert_eq!(entries["totalCount"], 7);
        let newest = &entries["edges"][0]["node"];
        assert_eq!(newest["kind"], "CREDIT");
        assert_eq!(newest["amount"], json!({ "amount": "6.00", "currency": "EUR" }));
        assert_eq!(newest["balanceBefore"]["amount"], "900015.00");
        assert_eq!(newest["balanceAfter"]["amount"], "900021.00");
        assert_eq!(newest["reference"], "c6");
        assert!(newest["id"].as_str().unwrap().starts_with("pst_"));
        let after = partner.graphql(ENTRIES, json!({ "first": 3, "after": entries["pageInfo"]["endCursor"] })).await;
        assert_eq!(sequences(after.at("wallet.entries")), ["4", "3", "2"]);
        let last = partner.graphql(ENTRIES, json!({ "last": 2 })).await;
        assert_eq!(sequences(last.at("wallet.entries")), ["2", "1"]);
        assert_eq!(last.at("wallet.entries.pageInfo.hasPreviousPage"), &json!(true));
        let before = partner.graphql(ENTRIES, json!({ "last": 2, "before": entries["pageInfo"]["endCursor"] })).await;
        assert_eq!(sequences(before.at("wallet.entries")), ["7", "6"]);
        let range = json!({ "from": "2026-11-22T12:02:00Z", "to": "2026-11-22T12:04:00Z" });
        let ranged = partner.graphql(ENTRIES, range).await;
        assert_eq!(sequences(ranged.at("wallet.entries")), ["4", "3"]);
        assert_eq!(ranged.number("wallet.entries.totalCount"), 2);
        partner.graphql(ENTRIES, json!({ "first": 0 })).await.expect_errors(&[("BAD_USER_INPUT", "wallet.entries")]);
        let wrong = json!({ "after": "bm90IGEgbnVtYmVy" });
        partner.graphql(ENTRIES, wrong).await.expect_errors(&[("BAD_USER_INPUT", "wallet.entries")]);
    }

    async fn a_statement_is_the_same_from_the_api_and_the_command_line(app: SmallCatalog) {
        let partner = app.partner().await;
        for (number, reference) in ["=cmd|' /C calc'!A0", "plain, \"quoted\"", "-2+3"].iter().enumerate() {
            let minor = i64::try_from(number).unwrap() + 1;
            wallet::credit(&app.system(), credit(&partner.account.id, "JPY", minor, reference)).await.unwrap();
        }
        let document = "query S($format: StatementFormat!, $first: Int, $after: String) { wallet(currency: \"JPY\") {
            statement(format: $format, first: $first, after: $after) { format content entryCount endCursor hasNextPage } } }";
        let csv = partner.graphql(document, json!({ "format": "CSV" })).await;
        let content = csv.text("wallet.statement.content").to_owned();
        let lines: Vec<&str> = content.split("\r\n").collect();
        assert_eq!(lines[0], "sequence,created_at,kind,amount,balance_before,balance_after,currency,reference,order_id,id");
        assert!(lines[1].starts_with("1,2026-11-22T12:00:00.000000Z,CREDIT,150000000,0,150000000,JPY,funds-JPY,,pst_"));
        assert!(lines[2].contains(",JPY,'=cmd|' /C calc'!A0,,pst_"), "{}", lines[2]);
        assert!(lines[3].contains(",JPY,\"plain, \"\"quoted\"\"\",,pst_"), "{}", lines[3]);
        assert!(lines[4].contains(",JPY,'-2+3,,pst_"), "{}", lines[4]);
        assert_eq!((lines.len(), lines[5]), (6, ""));
        assert_eq!(csv.number("wallet.statement.entryCount"), 4);

        let first = partner.graphql(document, json!({ "format": "JSON_LINES", "first": 3 })).await;
        assert_eq!(first.at("wallet.statement.hasNextPage"), &json!(true));
        let cursor = first.text("wallet.statement.endCursor");
        let rest = partner.graphql(document, json!({ "format": "JSON_LINES", "after": cursor })).await;
        assert_eq!(rest.at("wallet.statement.hasNextPage"), &json!(false));
        let json_lines = format!("{}{}", first.text("wallet.statement.content"), rest.text("wallet.statement.content"));
        let last: Value = serde_json::from_str(json_lines.lines().last().unwrap()).unwrap();
        assert_eq!((&last["amount"], &last["reference"], &last["sequence"]), (&json!("3"), &json!("-2+3"), &json!(4)));

        let statement = |format| ["wallet", "statement", "--partner", "Acme Games", "--currency", "JPY", "--format", format];
        assert_eq!(run(&app, &statement("csv")).await.expect_code(0).stdout, content);
        assert_eq!(run(&app, &statement("json-lines")).await.expect_code(0).stdout, json_lines);
        let too_many = json!({ "format": "CSV", "first": 10_001 });
        partner.graphql(document, too_many).await.expect_errors(&[("BAD_USER_INPUT", "wallet.statement")]);
    }
}
