//! Keys, codes and the moves of stock.
//!
//! A stock writer is a desk, a worker or an import: each start of a server brings new ones. `moved_at` is the database's clock at
//! most a minute before its last move, so that readers look only at those that moved lately, and a writer's update seldom
//! touches the index.

crate::dialect::migration! {
    "m06_vouchers",
    up: [
        "CREATE TABLE master_keys (
            version INTEGER PRIMARY KEY CHECK (version >= 1),
            canary {bytes} NOT NULL,
            created_at BIGINT NOT NULL,
            retired_at BIGINT
        )",
        "CREATE TABLE data_keys (
            id {text} PRIMARY KEY,
            master_version INTEGER NOT NULL REFERENCES master_keys (version),
            wrapped {bytes} NOT NULL,
            purpose {text} NOT NULL,
            uses BIGINT NOT NULL CHECK (uses >= 0),
            created_at BIGINT NOT NULL,
            retired_at BIGINT
        )",
        "CREATE UNIQUE INDEX data_keys_one_active ON data_keys (purpose) WHERE retired_at IS NULL",
        "CREATE TABLE vouchers (
            id {text} PRIMARY KEY,
            product_id {text} NOT NULL REFERENCES products (id),
            face_minor BIGINT NOT NULL CHECK (face_minor > 0),
            state {text} NOT NULL CHECK (state IN ('AVAILABLE', 'RESERVED', 'DELIVERED', 'VOIDED')),
            order_id {text},
            unit_index INTEGER,
            partner_id {text},
            data_key_id {text} NOT NULL REFERENCES data_keys (id),
            sealed {bytes} NOT NULL,
            blind_index {bytes} NOT NULL CONSTRAINT vouchers_loaded_once UNIQUE,
            expires_at BIGINT,
            usable_until BIGINT NOT NULL,
            cost_micros BIGINT CHECK (cost_micros >= 0),
            cost_currency {text} REFERENCES currencies (code),
            lot {text} NOT NULL,
            loaded_at BIGINT NOT NULL,
            delivered_at BIGINT,
            CHECK ((cost_micros IS NULL) = (cost_currency IS NULL)),
            CHECK (usable_until = coalesce(expires_at, 253402300799999999)),
            CHECK ((state IN ('RESERVED', 'DELIVERED')) = (order_id IS NOT NULL)),
            CHECK ((order_id IS NULL) = (unit_index IS NULL)),
            CHECK ((order_id IS NULL) = (partner_id IS NULL)),
            CHECK ((state = 'DELIVERED') = (delivered_at IS NOT NULL))
            {sqlite:, FOREIGN KEY (order_id, unit_index) REFERENCES order_units (order_id, unit_index)}
        )",
        "CREATE UNIQUE INDEX vouchers_one_a_unit ON vouchers (order_id, unit_index) WHERE order_id IS NOT NULL",
        "CREATE INDEX vouchers_available ON vouchers (product_id, face_minor, usable_until, id)
            WHERE state = 'AVAILABLE'",
        "postgres: ALTER TABLE vouchers SET
            (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000)",
        "frozen vouchers when OLD.state = 'DELIVERED'",
        "CREATE TABLE stock_writers (
            writer {text} PRIMARY KEY,
            n BIGINT NOT NULL CHECK (n >= 0),
            moved_at BIGINT NOT NULL
        ){hot}",
        "CREATE INDEX stock_writers_by_move ON stock_writers (moved_at)",
        "CREATE TABLE stock_moves (
            writer {text} NOT NULL REFERENCES stock_writers (writer),
            n BIGINT NOT NULL CHECK (n >= 1),
            product_id {text} NOT NULL REFERENCES products (id),
            face_minor BIGINT NOT NULL,
            kind {text} NOT NULL CHECK (kind IN ('LOADED', 'ALLOCATED', 'RETURNED', 'VOIDED')),
            delta INTEGER NOT NULL CHECK (delta <> 0),
            at BIGINT NOT NULL,
            PRIMARY KEY (writer, n),
            CHECK ((kind IN ('LOADED', 'RETURNED')) = (delta > 0))
        )",
        "immutable stock_moves",
    ],
    down: [
        "DROP TABLE stock_moves",
        "DROP TABLE stock_writers",
        "DROP TABLE vouchers",
        "DROP TABLE data_keys",
        "DROP TABLE master_keys",
    ]
}
