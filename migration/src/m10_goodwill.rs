//! Goodwill: delivered units whose money was given back later, each once. The unit stays delivered; the money has a ledger
//! transaction of its own.

crate::dialect::migration! {
    "m10_goodwill",
    up: [
        "CREATE TABLE goodwill_refunds (
            order_id {text} NOT NULL,
            unit_index INTEGER NOT NULL,
            partner_id {text} NOT NULL,
            transaction_id {text} NOT NULL UNIQUE REFERENCES ledger_transactions (id),
            at BIGINT NOT NULL,
            PRIMARY KEY (order_id, unit_index),
            FOREIGN KEY (order_id, unit_index) REFERENCES order_units (order_id, unit_index)
        )",
        "immutable goodwill_refunds",
    ],
    down: ["DROP TABLE goodwill_refunds"]
}
