//! Turns at vendors: look-ups have a share of a vendor's rate, so that neither they nor purchases wait for ever; open orders are
//! found by partner, so that partners take turns.

crate::dialect::migration! {
    "m13_turns",
    up: [
        "ALTER TABLE vendor_limits ADD COLUMN looks_free_at BIGINT NOT NULL DEFAULT 0",
        "DROP INDEX purchases_due",
        "CREATE INDEX purchases_due ON purchases (vendor_id, next_at, id) WHERE next_at IS NOT NULL",
    ],
    down: [
        "DROP INDEX purchases_due",
        "CREATE INDEX purchases_due ON purchases (next_at, id) WHERE next_at IS NOT NULL",
        "ALTER TABLE vendor_limits DROP COLUMN looks_free_at",
    ]
}
