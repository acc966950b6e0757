//! Documents that ask for far more than they weigh.
//! Always true: they are refused with their code by a short answer, ahead of anything that expands or executes them.
//! Not here: that counting is linear (pipeline/count.rs).

use std::fmt::Write as _;

use serde_json::json;

use super::code;

/// Fragments of which each spreads the next `width` times; `leaf` is what the last one selects.
fn bomb(levels: u8, width: usize, on: &str, leaf: &str) -> String {
    let name = |level: u8| char::from(b'A' + level);
    let mut text = format!("{{...{}}}", name(0));
    for level in 0..levels {
        write!(
            text,
            "fragment {} on {on}{{{}}}",
            name(level),
            format!("...{}", name(level + 1)).repeat(width)
        )
        .unwrap();
    }
    write!(text, "fragment {} on {on}{{{leaf}}}", name(levels)).unwrap();
    text
}

/// Each of at most a kilobyte, with the code that it is refused with.
fn bombs() -> Vec<(&'static str, String, &'static str)> {
    let leaf = "__typename";
    vec![
        ("deep: 2^25", bomb(25, 2, "Query", leaf), "QUERY_TOO_COMPLEX"),
        ("wide: 40^4", bomb(4, 40, "Query", leaf), "QUERY_TOO_COMPLEX"),
        ("both: 8^14", bomb(14, 8, "Query", leaf), "QUERY_TOO_COMPLEX"),
        ("aliases: 3^18", bomb(18, 3, "Query", "a:__typename"), "QUERY_TOO_COMPLEX"),
        ("directives: 2^24", bomb(24, 2, "Query", "__typename@skip(if:true)"), "QUERY_TOO_COMPLEX"),
        (
            "skipped: 2^24",
            bomb(24, 2, "Query", leaf).replacen("...A", "...A@skip(if:true)", 1),
            "QUERY_TOO_COMPLEX",
        ),
        ("nested: 2^22", bomb(22, 2, "Query", "product(id:1){brand{id}}"), "QUERY_TOO_COMPLEX"),
        (
            "unspread: 2^24",
            bomb(24, 2, "Query", leaf).replacen("{...A}", "{__typename}", 1),
            "QUERY_TOO_COMPLEX",
        ),
        ("levels", "{a".repeat(63) + &"}".repeat(63), "QUERY_TOO_COMPLEX"),
        ("a cycle of one", "{...A}fragment A on Query{...A}".to_owned(), "GRAPHQL_VALIDATION_FAILED"),
        ("a cycle of all", bomb(25, 2, "Query", "...A"), "GRAPHQL_VALIDATION_FAILED"),
        (
            "a cycle beside",
            bomb(2, 2, "Query", leaf) + "fragment X on Query{...Y}fragment Y on Query{...X}",
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            "aliases",
            format!("{{{}}}", (0..31).map(|n| format!("a{n}:__typename ")).collect::<String>()),
            "QUERY_TOO_COMPLEX",
        ),
        ("directives", format!("{{__typename {}}}", "@skip(if:false) ".repeat(51)), "QUERY_TOO_COMPLEX"),
        ("operations", (0..11).map(|n| format!("query q{n}{{__typename}}")).collect(), "QUERY_TOO_COMPLEX"),
        (
            "introspection",
            "{__schema{types{fields{type{fields{type{fields{name}}}}}}}}".to_owned(),
            "QUERY_TOO_COMPLEX",
        ),
    ]
}

both_databases! {
    async fn a_fragment_bomb_of_a_kilobyte_is_refused(app: SmallCatalog) {
        for (form, document, expected) in bombs() {
            assert!(document.len() <= 1_024, "{form} has {} bytes", document.len());
            let answer = app.client.graphql("", &document, json!({})).await;
            assert_eq!(code(&answer), expected, "{form}: {answer:#?}");
            assert_eq!(answer.body["errors"].as_array().map(Vec::len), Some(1), "{form}: {answer:#?}");
            assert!(answer.body.to_string().len() < 1_000, "{form}: {answer:#?}");
        }
    }

    async fn a_large_document_is_refused_in_few_words(app: SmallCatalog) {
        for (document, expected) in [
            (format!("{{{}}}", "__typename ".repeat(1_001)), "QUERY_TOO_COMPLEX"),
            ("{a".repeat(10_000), "QUERY_TOO_COMPLEX"),
            ("é".repeat(30_000), "QUERY_TOO_COMPLEX"),
            (",".repeat(60_000), "GRAPHQL_PARSE_FAILED"),
            ("#".repeat(60_000), "GRAPHQL_PARSE_FAILED"),
            ("\"".repeat(60_000), "QUERY_TOO_COMPLEX"),
            (format!("#{}", "x".repeat(70_000)), "PAYLOAD_TOO_LARGE"),
        ] {
            let answer = app.client.graphql("", &document, json!({})).await;
            assert_eq!(code(&answer), expected, "{document:.80}");
            assert!(answer.body["errors"].as_array().is_some_and(|errors| errors.len() <= 10));
            assert!(answer.body.to_string().len() < 8_000, "{document:.80}");
        }
    }

    /// Blanks, commas and comments are no tokens, as the language has it.
    async fn two_thousand_tokens_are_taken_and_one_more_is_not(app: SmallCatalog) {
        let partner = app.partner().await;
        let document = |ids: usize, between: &str| format!("{{nodes(ids:[{}]){{id}}}}", format!("\"x\"{between}").repeat(ids));
        for between in ["", " ", ", ", "\n#a, {b}\n, "] {
            // Twelve tokens beside the ids, of which a field takes a hundred.
            let taken = partner.graphql(&document(1_988, between), json!({})).await;
            taken.expect_errors(&[("BAD_USER_INPUT", "nodes")]);
            assert_eq!(taken.body_at("extensions.cost.requestedQueryCost"), 1_988);
            let refused = partner.graphql(&document(1_989, between), json!({})).await;
            refused.expect_status(400).expect_errors(&[("QUERY_TOO_COMPLEX", "")]);
            assert_eq!(refused.body["errors"][0]["message"], "The document has too many tokens; at most 2000 are taken.");
        }
    }
}
