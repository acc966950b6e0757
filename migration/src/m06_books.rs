//! The books: wallets, orders, the ledger, codes, and the events that tell of them all.
//!
//! They are one step, for each is proven by the others (`octopus verify`): to take back one alone, and to apply it again empty,
//! would leave books that contradict each other. A later step that only adds to them can be a step of its own.
//!
//! A foreign key costs a look-up for each row of each order. Those that guard money and ownership are here: which wallet pays an
//! order, and with it which partner's it is; whose order a ledger transaction pays, whose unit it is, which unit has a code.
//! Left to `octopus verify` are those that one of its checks covers as well: the partner of a code
//! (`delivered_units_have_their_code`), the order and the wallet of an event (`each_step_is_told_once`,
//! `events_are_their_partners`).
//!
//! An order that has ended and a code that is delivered change no more, but for what is sealed and by which key: keys rotate,
//! and what must be forgotten is forgotten. A seal names its row, so that one that was moved does not open.
//!
//! Entries of a time long ago are found by `postings_by_time`, which costs an order 4 µs (measured; without it 50 ms for each
//! 100,000 entries that came later). SQLite, which keeps no figures of its tables, would rather read a wallet's entries by their
//! numbers, or take this index where it must not: there it is not.
//!
//! A code is sealed, or its contents are at the vendor that sold it, which tells them again. One with a `retention_secs` can be
//! read for so long from its delivery on.
//!
//! A unit that waits for a source is looked at from `next_at` on; one without that waits for stock alone. A unit of an order that
//! delivers all or nothing is `sourced` while its code is set aside for it.
//!
//! A code that was given in another's place says in whose (`replaces`): a unit's codes are a chain, of which the last one stands.
//!
//! A stock writer is a desk, a worker or a command: each start of a server brings new ones. `moved_at` is the database's clock at
//! most a minute before its last move, so that readers look only at those that moved lately, and a writer's update seldom
//! touches the index.
//!
//! The head of a feed says what is kept: the events from number `kept_from` on, among them all since `kept_since`. Only older
//! ones can be removed.

crate::dialect::migration! {
    "m06_books",
    up: [
        "CREATE TABLE wallets (
            id {text} PRIMARY KEY,
            partner_id {text} NOT NULL REFERENCES partners (id),
            currency {text} NOT NULL REFERENCES currencies (code),
            available BIGINT NOT NULL CONSTRAINT wallets_available_not_negative CHECK (available >= 0),
            sequence BIGINT NOT NULL CHECK (sequence >= 0),
            created_at BIGINT NOT NULL,
            UNIQUE (partner_id, currency),
            UNIQUE (partner_id, id)
        ){hot}",
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
            failure_code {text} CHECK (failure_code IN 
                ('DEADLINE_PASSED', 'CANCELLED', 'NOT_ALL_AVAILABLE', 'SOURCES_REFUSED')),
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
        "frozen orders (id, partner_id, wallet_id, reference, fingerprint, status, version, failure_policy, product_id,
            product_snapshot, quantity, delivered_quantity, refunded_quantity, face_minor, face_currency, currency,
            unit_price_minor, unit_sales_minor, unit_fx_minor, unit_fee_minor, unit_rounding_minor, total_minor, charge_id,
            failure_code, created_at, completed_at, deadline_at, cancel_requested_at, lease_until, lease_epoch)
            when OLD.completed_at IS NOT NULL",
        "CREATE TABLE order_units (
            order_id {text} NOT NULL,
            unit_index INTEGER NOT NULL CHECK (unit_index BETWEEN 1 AND 1000),
            partner_id {text} NOT NULL,
            status {text} NOT NULL CHECK (status IN ('PENDING', 'AWAITING_VENDOR', 'DELIVERED', 'REFUNDED')),
            funding {text} NOT NULL CHECK (funding IN ('SALE', 'HOLD')),
            price_minor BIGINT NOT NULL CHECK (price_minor > 0),
            tries INTEGER NOT NULL CHECK (tries >= 0),
            next_at BIGINT,
            sourced_at BIGINT,
            resolves_by BIGINT,
            delivered_at BIGINT,
            refunded_at BIGINT,
            PRIMARY KEY (order_id, unit_index),
            FOREIGN KEY (partner_id, order_id) REFERENCES orders (partner_id, id),
            CHECK ((status = 'DELIVERED') = (delivered_at IS NOT NULL)),
            CHECK ((status = 'REFUNDED') = (refunded_at IS NOT NULL)),
            CHECK (funding = 'HOLD' OR status = 'DELIVERED'),
            CHECK ((status = 'AWAITING_VENDOR') = (resolves_by IS NOT NULL)),
            CHECK (next_at IS NULL OR (status = 'PENDING' AND sourced_at IS NULL)),
            CHECK (sourced_at IS NULL OR status <> 'AWAITING_VENDOR')
        ){hot}",
        "CREATE INDEX order_units_open ON order_units (order_id, unit_index)
            WHERE status IN ('PENDING', 'AWAITING_VENDOR')",
        "CREATE INDEX order_units_due ON order_units (next_at, order_id) WHERE next_at IS NOT NULL",
        "frozen order_units when OLD.status IN ('DELIVERED', 'REFUNDED')",
        "CREATE TABLE order_transitions (
            order_id {text} NOT NULL,
            version INTEGER NOT NULL CHECK (version >= 1),
            from_status {text},
            to_status {text} NOT NULL,
            reason {text} NOT NULL,
            at BIGINT NOT NULL,
            PRIMARY KEY (order_id, version),
            CHECK ((version = 1) = (from_status IS NULL))
        )",
        "child order_transitions (order_id) of orders (id)",
        "immutable order_transitions",

        "CREATE TABLE ledger_transactions (
            id {text} PRIMARY KEY,
            kind {text} NOT NULL CHECK (kind IN
                ('CREDIT', 'SALE', 'HOLD', 'CAPTURE', 'RELEASE', 'REFUND', 'ADJUSTMENT', 'STOCK_LOAD', 'PURCHASE',
                 'REPLACEMENT')),
            partner_id {text} REFERENCES partners (id),
            order_id {text},
            reference {text},
            note {text},
            created_at BIGINT NOT NULL,
            CONSTRAINT ledger_transactions_of_an_order
                FOREIGN KEY (partner_id, order_id) REFERENCES orders (partner_id, id),
            CHECK (kind NOT IN ('CREDIT', 'ADJUSTMENT') OR reference IS NOT NULL),
            CHECK (kind NOT IN ('SALE', 'HOLD', 'CAPTURE', 'RELEASE', 'REFUND', 'REPLACEMENT') OR order_id IS NOT NULL),
            CHECK (kind IN ('ADJUSTMENT', 'STOCK_LOAD') OR partner_id IS NOT NULL),
            CHECK (order_id IS NULL OR partner_id IS NOT NULL)
        )",
        "CREATE UNIQUE INDEX ledger_transactions_once ON ledger_transactions (partner_id, kind, reference)
            WHERE reference IS NOT NULL",
        "CREATE UNIQUE INDEX ledger_transactions_one_sale ON ledger_transactions (order_id) WHERE kind = 'SALE'",
        "CREATE UNIQUE INDEX ledger_transactions_one_hold ON ledger_transactions (order_id) WHERE kind = 'HOLD'",
        "immutable ledger_transactions",
        "CREATE TABLE postings (
            transaction_id {text} NOT NULL,
            line INTEGER NOT NULL CHECK (line >= 1),
            account {text} NOT NULL CHECK (account IN
                ('WALLET_AVAILABLE', 'WALLET_HELD', 'FUNDING', 'REVENUE_SALES', 'REVENUE_FX_MARGIN', 'REVENUE_FEES',
                 'REVENUE_ROUNDING', 'INVENTORY', 'COST_OF_GOODS', 'PAYABLE', 'DISPUTED')),
            wallet_id {text},
            partner_id {text},
            currency {text} NOT NULL,
            scale INTEGER NOT NULL CHECK (scale BETWEEN 0 AND 6),
            amount BIGINT NOT NULL CHECK (amount <> 0),
            wallet_sequence BIGINT,
            balance_before BIGINT,
            balance_after BIGINT,
            created_at BIGINT NOT NULL,
            PRIMARY KEY (transaction_id, line),
            FOREIGN KEY (partner_id, wallet_id) REFERENCES wallets (partner_id, id),
            CHECK ((account IN ('WALLET_AVAILABLE', 'WALLET_HELD')) = (wallet_id IS NOT NULL)),
            CHECK ((wallet_id IS NULL) = (partner_id IS NULL)),
            CHECK ((account = 'WALLET_AVAILABLE') = (wallet_sequence IS NOT NULL)),
            CHECK ((account = 'WALLET_AVAILABLE') = (balance_before IS NOT NULL)),
            CHECK ((account = 'WALLET_AVAILABLE') = (balance_after IS NOT NULL)),
            CHECK (balance_after IS NULL OR (balance_after >= 0 AND balance_after = balance_before + amount))
        )",
        "CREATE UNIQUE INDEX postings_by_wallet ON postings (wallet_id, wallet_sequence)
            WHERE wallet_sequence IS NOT NULL",
        "postgres: CREATE INDEX postings_by_time ON postings (wallet_id, created_at, wallet_sequence)
            WHERE wallet_sequence IS NOT NULL",
        "child postings (transaction_id) of ledger_transactions (id)",
        "immutable postings",
        "CREATE TABLE unit_settlements (
            order_id {text} NOT NULL,
            unit_index INTEGER NOT NULL,
            outcome {text} NOT NULL CHECK (outcome IN ('CAPTURED', 'RELEASED')),
            transaction_id {text} NOT NULL REFERENCES ledger_transactions (id),
            PRIMARY KEY (order_id, unit_index),
            FOREIGN KEY (order_id, unit_index) REFERENCES order_units (order_id, unit_index)
        )",
        "immutable unit_settlements",

        "CREATE TABLE vouchers (
            id {text} PRIMARY KEY,
            product_id {text} NOT NULL REFERENCES products (id),
            face_minor BIGINT NOT NULL CHECK (face_minor > 0),
            state {text} NOT NULL CHECK (state IN ('AVAILABLE', 'RESERVED', 'DELIVERED', 'VOIDED')),
            order_id {text},
            unit_index INTEGER,
            partner_id {text},
            replaces {text} REFERENCES vouchers (id),
            data_key_id {text} REFERENCES data_keys (id),
            sealed {bytes},
            retention_secs BIGINT CHECK (retention_secs BETWEEN 86400 AND 315360000),
            blind_index {bytes} NOT NULL CONSTRAINT vouchers_loaded_once UNIQUE,
            expires_at BIGINT,
            usable_until BIGINT NOT NULL,
            cost_micros BIGINT CONSTRAINT vouchers_cost_at_most_a_billion
                CHECK (cost_micros BETWEEN 0 AND 1000000000000000),
            cost_currency {text} REFERENCES currencies (code),
            lot {text} NOT NULL,
            purchase_id {text},
            loaded_at BIGINT NOT NULL,
            delivered_at BIGINT,
            CONSTRAINT vouchers_of_a_unit
                FOREIGN KEY (order_id, unit_index) REFERENCES order_units (order_id, unit_index),
            CHECK ((data_key_id IS NULL) = (sealed IS NULL)),
            CHECK (sealed IS NOT NULL OR (purchase_id IS NOT NULL AND retention_secs IS NULL)),
            CHECK ((cost_micros IS NULL) = (cost_currency IS NULL)),
            CHECK (usable_until = coalesce(expires_at, 253402300799999999)),
            CHECK ((state IN ('RESERVED', 'DELIVERED')) = (order_id IS NOT NULL)),
            CHECK ((order_id IS NULL) = (unit_index IS NULL)),
            CHECK ((order_id IS NULL) = (partner_id IS NULL)),
            CHECK ((state = 'DELIVERED') = (delivered_at IS NOT NULL)),
            CHECK (replaces IS NULL OR (state = 'DELIVERED' AND replaces <> id))
        )",
        "CREATE UNIQUE INDEX vouchers_one_a_unit ON vouchers (order_id, unit_index)
            WHERE order_id IS NOT NULL AND replaces IS NULL",
        "CREATE UNIQUE INDEX vouchers_replaced_once ON vouchers (replaces) WHERE replaces IS NOT NULL",
        "CREATE INDEX vouchers_available ON vouchers (product_id, face_minor, usable_until, id)
            WHERE state = 'AVAILABLE'",
        "CREATE INDEX vouchers_by_purchase ON vouchers (purchase_id) WHERE purchase_id IS NOT NULL",
        "CREATE INDEX vouchers_set_aside_for_a_time ON vouchers (data_key_id)
            WHERE state = 'RESERVED' AND retention_secs IS NOT NULL",
        "postgres: ALTER TABLE vouchers SET
            (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000)",
        "frozen vouchers (id, product_id, face_minor, state, order_id, unit_index, partner_id, replaces, retention_secs, blind_index,
            expires_at, usable_until, cost_micros, cost_currency, lot, purchase_id, loaded_at, delivered_at)
            when OLD.state = 'DELIVERED'",
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

        "CREATE TABLE event_heads (
            partner_id {text} PRIMARY KEY REFERENCES partners (id),
            sequence BIGINT NOT NULL CHECK (sequence >= 0),
            kept_from BIGINT NOT NULL DEFAULT 1 CHECK (kept_from BETWEEN 1 AND sequence + 1),
            kept_since BIGINT NOT NULL DEFAULT 0,
            CHECK ((kept_from = 1) = (kept_since = 0))
        ){hot}",
        "CREATE TABLE events (
            partner_id {text} NOT NULL,
            sequence BIGINT NOT NULL CHECK (sequence >= 1),
            id {text} NOT NULL UNIQUE,
            kind {text} NOT NULL,
            order_id {text},
            order_version INTEGER,
            wallet_id {text},
            payload {text} NOT NULL,
            occurred_at BIGINT NOT NULL,
            PRIMARY KEY (partner_id, sequence)
        )",
        "CREATE UNIQUE INDEX events_one_a_transition ON events (order_id, order_version)
            WHERE order_version IS NOT NULL",
        "CREATE INDEX events_by_order ON events (order_id, sequence) WHERE order_id IS NOT NULL",
        "kept events while OLD.sequence >= coalesce(
            (SELECT h.kept_from FROM event_heads h WHERE h.partner_id = OLD.partner_id), 0)",
    ],
    down: [
        "DROP TABLE events",
        "postgres: DROP FUNCTION events_no_delete()",
        "DROP TABLE event_heads",
        "DROP TABLE stock_moves",
        "DROP TABLE stock_writers",
        "DROP TABLE vouchers",
        "DROP TABLE unit_settlements",
        "DROP TABLE postings",
        "postgres: DROP FUNCTION postings_no_orphans()",
        "DROP TABLE ledger_transactions",
        "DROP TABLE order_transitions",
        "postgres: DROP FUNCTION order_transitions_no_orphans()",
        "DROP TABLE order_units",
        "DROP TABLE orders",
        "DROP TABLE wallets",
    ]
}
