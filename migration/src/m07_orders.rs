//! Orders, their units, and what became of held money.
//!
//! A foreign key costs a look-up for each row of each order. Those that guard money and ownership are here: which wallet pays an
//! order, and with it which partner's it is; whose order a ledger transaction pays, whose unit it is, which unit has a code. Left to `octopus verify` are those that one of its checks
//! covers as well: the partner of a code (`delivered_units_have_their_code`), the order and the wallet of an event
//! (`each_step_is_told_once`, `events_are_their_partners`).

crate::dialect::migration! {
    "m07_orders",
    up: [
        "CREATE TABLE orders (
            id {text} PRIMARY KEY,
            partner_id {text} NOT NULL,
            wallet_id {text} NOT NULL,
            reference {text} NOT NULL CHECK (length(reference) BETWEEN 1 AND 64),
            fingerprint {text} NOT NULL,
            status {text} NOT NULL CHECK (status IN
                ('PENDING', 'PROCESSING', 'DELIVERED', 'PARTIALLY_DELIVERED', 'FAILED', 'CANCELLED')),
            version INTEGER NOT NULL CHECK (version >= 1),
            failure_policy {text} NOT NULL CHECK (failure_policy IN ('BEST_EFFORT', 'ALL_OR_NOTHING')),
            product_id {text} NOT NULL REFERENCES products (id),
            product_snapshot {text} NOT NULL,
            quantity INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 1000),
            delivered_quantity INTEGER NOT NULL CHECK (delivered_quantity >= 0),
            refunded_quantity INTEGER NOT NULL CHECK (refunded_quantity >= 0),
            face_minor BIGINT NOT NULL CHECK (face_minor > 0),
            face_currency {text} NOT NULL,
            currency {text} NOT NULL,
            unit_price_minor BIGINT NOT NULL CHECK (unit_price_minor > 0),
            unit_sales_minor BIGINT NOT NULL,
            unit_fx_minor BIGINT NOT NULL,
            unit_fee_minor BIGINT NOT NULL,
            unit_rounding_minor BIGINT NOT NULL,
            total_minor BIGINT NOT NULL,
            charge_id {text},
            recipient {bytes},
            recipient_key_id {text} REFERENCES data_keys (id),
            failure_code {text} CHECK (failure_code IN ('DEADLINE_PASSED', 'CANCELLED', 'NOT_ALL_AVAILABLE')),
            created_at BIGINT NOT NULL,
            completed_at BIGINT,
            deadline_at BIGINT,
            cancel_requested_at BIGINT,
            lease_until BIGINT,
            lease_epoch BIGINT NOT NULL,
            UNIQUE (partner_id, reference),
            UNIQUE (partner_id, id),
            FOREIGN KEY (partner_id, wallet_id) REFERENCES wallets (partner_id, id),
            FOREIGN KEY (partner_id, charge_id) REFERENCES charges (partner_id, id),
            CHECK (total_minor = unit_price_minor * quantity),
            CHECK (unit_price_minor = unit_sales_minor + unit_fx_minor + unit_fee_minor + unit_rounding_minor),
            CHECK (delivered_quantity + refunded_quantity <= quantity),
            CHECK ((status IN ('PENDING', 'PROCESSING')) = (completed_at IS NULL)),
            CHECK (completed_at IS NULL OR delivered_quantity + refunded_quantity = quantity),
            CHECK (status <> 'DELIVERED' OR delivered_quantity = quantity),
            CHECK (status NOT IN ('FAILED', 'CANCELLED') OR refunded_quantity = quantity),
            CHECK ((recipient IS NULL) = (recipient_key_id IS NULL))
        ){hot}",
        "CREATE UNIQUE INDEX orders_one_a_charge ON orders (charge_id) WHERE charge_id IS NOT NULL",
        "CREATE INDEX orders_open ON orders (deadline_at, id) WHERE completed_at IS NULL",
        "CREATE INDEX orders_open_by_wallet ON orders (wallet_id) WHERE completed_at IS NULL",
        "CREATE TABLE order_units (
            order_id {text} NOT NULL,
            unit_index INTEGER NOT NULL CHECK (unit_index BETWEEN 1 AND 1000),
            partner_id {text} NOT NULL,
            status {text} NOT NULL CHECK (status IN ('PENDING', 'AWAITING_VENDOR', 'DELIVERED', 'REFUNDED')),
            funding {text} NOT NULL CHECK (funding IN ('SALE', 'HOLD')),
            price_minor BIGINT NOT NULL CHECK (price_minor > 0),
            delivered_at BIGINT,
            refunded_at BIGINT,
            PRIMARY KEY (order_id, unit_index),
            FOREIGN KEY (partner_id, order_id) REFERENCES orders (partner_id, id),
            CHECK ((status = 'DELIVERED') = (delivered_at IS NOT NULL)),
            CHECK ((status = 'REFUNDED') = (refunded_at IS NOT NULL)),
            CHECK (funding = 'HOLD' OR status = 'DELIVERED')
        ){hot}",
        "CREATE INDEX order_units_open ON order_units (order_id, unit_index)
            WHERE status IN ('PENDING', 'AWAITING_VENDOR')",
        "CREATE TABLE unit_settlements (
            order_id {text} NOT NULL,
            unit_index INTEGER NOT NULL,
            outcome {text} NOT NULL CHECK (outcome IN ('CAPTURED', 'RELEASED')),
            transaction_id {text} NOT NULL REFERENCES ledger_transactions (id),
            PRIMARY KEY (order_id, unit_index),
            FOREIGN KEY (order_id, unit_index) REFERENCES order_units (order_id, unit_index)
        )",
        "CREATE TABLE order_transitions (
            order_id {text} NOT NULL {sqlite:REFERENCES orders (id)},
            version INTEGER NOT NULL CHECK (version >= 1),
            from_status {text},
            to_status {text} NOT NULL,
            reason {text} NOT NULL,
            at BIGINT NOT NULL,
            PRIMARY KEY (order_id, version),
            CHECK ((version = 1) = (from_status IS NULL))
        )",
        "postgres: ALTER TABLE ledger_transactions ADD CONSTRAINT ledger_transactions_of_an_order
            FOREIGN KEY (partner_id, order_id) REFERENCES orders (partner_id, id)",
        "postgres: ALTER TABLE vouchers ADD CONSTRAINT vouchers_of_a_unit
            FOREIGN KEY (order_id, unit_index) REFERENCES order_units (order_id, unit_index)",
        "child order_transitions (order_id) of orders (id)",
        "frozen orders when OLD.completed_at IS NOT NULL",
        "frozen order_units when OLD.status IN ('DELIVERED', 'REFUNDED')",
        "immutable unit_settlements",
        "immutable order_transitions",
    ],
    // What the ledger and the vouchers say of orders stays, and means nothing until they are taken back too.
    down: [
        "sqlite: PRAGMA foreign_keys = OFF",
        "postgres: ALTER TABLE vouchers DROP CONSTRAINT vouchers_of_a_unit",
        "postgres: ALTER TABLE ledger_transactions DROP CONSTRAINT ledger_transactions_of_an_order",
        "DROP TABLE order_transitions",
        "postgres: DROP FUNCTION order_transitions_no_orphans()",
        "DROP TABLE unit_settlements",
        "DROP TABLE order_units",
        "DROP TABLE orders",
        "sqlite: PRAGMA foreign_keys = ON",
    ]
}
