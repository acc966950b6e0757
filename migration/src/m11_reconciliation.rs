//! Reconciliation: what vendors' statements say that they took, held against what was posted.
//!
//! A line is a purchase as its vendor tells it, under the vendor's own name for it. What is owed for a line is what its vendor took:
//! what was posted when the purchase was made, and the corrections that the line brought. A line without an end (`settled_at`)
//! is of a purchase that is not delivered here: what became of it is for its vendor to say when it is asked.
//!
//! `statement_turns` is one small row a vendor: whoever reads its statement has leased it.

crate::dialect::migration! {
    "m11_reconciliation",
    up: [
        "CREATE TABLE statement_turns (
            vendor_id {text} PRIMARY KEY REFERENCES vendors (id),
            lease_until BIGINT NOT NULL,
            lease_epoch BIGINT NOT NULL,
            due_at BIGINT NOT NULL,
            read_until BIGINT,
            failures INTEGER NOT NULL CHECK (failures >= 0),
            failure {text}
        )",
        "CREATE TABLE statement_lines (
            vendor_id {text} NOT NULL REFERENCES vendors (id),
            vendor_ref {text} NOT NULL,
            our_ref {text},
            vendor_sku {text},
            purchase_id {text} REFERENCES purchases (id),
            quantity INTEGER NOT NULL CHECK (quantity >= 0),
            cost_micros BIGINT NOT NULL,
            cost_currency {text} NOT NULL,
            at BIGINT NOT NULL,
            verdict {text} NOT NULL CHECK (verdict IN
                ('MATCHED', 'COST_DIFFERS', 'QUANTITY_DIFFERS', 'UNKNOWN_HERE', 'NOT_DELIVERED_HERE', 'NOT_LISTED_THERE')),
            first_seen_at BIGINT NOT NULL,
            settled_at BIGINT,
            PRIMARY KEY (vendor_id, vendor_ref),
            CONSTRAINT statement_lines_cost_at_most_a_billion_a_unit CHECK (cost_micros BETWEEN 0 AND 1000000000000000
                * CASE WHEN quantity < 1 THEN 1 WHEN quantity > 1000 THEN 1000 ELSE quantity END),
            CHECK ((verdict = 'UNKNOWN_HERE') = (purchase_id IS NULL)),
            CHECK (settled_at IS NOT NULL OR verdict = 'NOT_DELIVERED_HERE')
        )",
        "CREATE INDEX statement_lines_undelivered ON statement_lines (vendor_id) WHERE verdict = 'NOT_DELIVERED_HERE'",
        "CREATE INDEX statement_lines_by_purchase ON statement_lines (purchase_id) WHERE purchase_id IS NOT NULL",
        "CREATE UNIQUE INDEX statement_lines_one_a_purchase ON statement_lines (purchase_id)
            WHERE verdict IN ('MATCHED', 'COST_DIFFERS', 'QUANTITY_DIFFERS', 'NOT_LISTED_THERE')",
        "CREATE INDEX statement_lines_differ ON statement_lines (vendor_id, first_seen_at) WHERE verdict <> 'MATCHED'",
        "CREATE TABLE statement_corrections (
            transaction_id {text} PRIMARY KEY REFERENCES ledger_transactions (id),
            vendor_id {text} NOT NULL,
            vendor_ref {text} NOT NULL,
            currency {text} NOT NULL,
            amount_micros BIGINT NOT NULL CHECK (amount_micros <> 0),
            FOREIGN KEY (vendor_id, vendor_ref) REFERENCES statement_lines (vendor_id, vendor_ref)
        )",
        "CREATE INDEX statement_corrections_by_line ON statement_corrections (vendor_id, vendor_ref)",
        "CREATE INDEX purchases_by_vendor_ref ON purchases (vendor_id, vendor_ref) WHERE vendor_ref IS NOT NULL",
    ],
    down: [
        "DROP INDEX purchases_by_vendor_ref",
        "DROP TABLE statement_corrections",
        "DROP TABLE statement_lines",
        "DROP TABLE statement_turns",
    ]
}
