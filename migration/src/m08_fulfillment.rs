//! Fulfillment: vendors, what they sell for how much, what was asked of them, and what they answered.
//!
//! A purchase is on record before a byte of it leaves, and names the units that it is for (`attempts`): a unit has one open
//! attempt at most, by an index, which is of the unit's own order. What a purchase is never changes, and what was decided about it
//! stays: rows that have ended are frozen, but that a success may be learnt of them later, which becomes stock. No unit ends while
//! a purchase for it is open, and the log of calls is append-only.
//!
//! `vendor_limits` is one small row a vendor: whoever opens purchases locks it, so that rate and concurrency hold across
//! processes. `vendor_health` has a row a vendor (product '') and one for each product that fails by itself.
//!
//! Costs are a history: an order on a charge is held against the costs that were known when the charge was made.

crate::dialect::migration! {
    "m08_fulfillment",
    up: [
        "INSERT INTO versions (subject, version) VALUES ('vendors', 1)",
        "CREATE TABLE vendors (
            id {text} PRIMARY KEY,
            name {text} NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
            adapter {text} NOT NULL,
            status {text} NOT NULL CHECK (status IN ('ACTIVE', 'PAUSED')),
            base_url {text} NOT NULL,
            options {text} NOT NULL,
            credentials {bytes},
            credentials_key_id {text} REFERENCES data_keys (id),
            currency {text} NOT NULL REFERENCES currencies (code),
            priority INTEGER NOT NULL,
            timeout_ms INTEGER NOT NULL CHECK (timeout_ms BETWEEN 100 AND 120000),
            requests_per_second INTEGER NOT NULL CHECK (requests_per_second BETWEEN 1 AND 10000),
            concurrent_requests INTEGER NOT NULL CHECK (concurrent_requests BETWEEN 1 AND 1000),
            largest_batch INTEGER NOT NULL CHECK (largest_batch BETWEEN 1 AND 1000),
            settle_window_secs INTEGER NOT NULL CHECK (settle_window_secs BETWEEN 0 AND 604800),
            retention {text} NOT NULL CHECK (retention IN ('STORE', 'TTL', 'PASS_THROUGH')),
            retention_secs BIGINT CHECK (retention_secs BETWEEN 86400 AND 315360000),
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            CHECK ((retention = 'TTL') = (retention_secs IS NOT NULL)),
            CHECK ((credentials IS NULL) = (credentials_key_id IS NULL))
        )",
        "CREATE TABLE vendor_limits (
            vendor_id {text} PRIMARY KEY REFERENCES vendors (id),
            free_at BIGINT NOT NULL
        ){hot}",
        "CREATE TABLE vendor_health (
            vendor_id {text} NOT NULL REFERENCES vendors (id),
            product_id {text} NOT NULL,
            failures INTEGER NOT NULL CHECK (failures >= 0),
            open_until BIGINT NOT NULL,
            message {text} NOT NULL,
            changed_at BIGINT NOT NULL,
            PRIMARY KEY (vendor_id, product_id)
        ){hot}",
        "CREATE TABLE offers (
            vendor_id {text} NOT NULL REFERENCES vendors (id),
            product_id {text} NOT NULL REFERENCES products (id),
            vendor_sku {text} NOT NULL CHECK (length(vendor_sku) BETWEEN 1 AND 200),
            status {text} NOT NULL CHECK (status IN ('ACTIVE', 'PAUSED', 'VANISHED')),
            priority INTEGER NOT NULL,
            min_face_minor BIGINT,
            max_face_minor BIGINT,
            max_quantity INTEGER NOT NULL CHECK (max_quantity BETWEEN 1 AND 1000),
            available BIGINT CHECK (available >= 0),
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            PRIMARY KEY (vendor_id, product_id)
        )",
        "CREATE INDEX offers_by_product ON offers (product_id)",
        "CREATE TABLE offer_costs (
            vendor_id {text} NOT NULL,
            product_id {text} NOT NULL,
            since BIGINT NOT NULL,
            currency {text} NOT NULL REFERENCES currencies (code),
            factor {text} NOT NULL,
            fee_micros BIGINT NOT NULL CHECK (fee_micros BETWEEN 0 AND 1000000000000000),
            PRIMARY KEY (vendor_id, product_id, since),
            FOREIGN KEY (vendor_id, product_id) REFERENCES offers (vendor_id, product_id)
        )",
        "immutable offer_costs",

        "CREATE TABLE workers (
            id {text} PRIMARY KEY,
            lease_until BIGINT NOT NULL,
            started_at BIGINT NOT NULL
        ){hot}",
        "CREATE TABLE purchases (
            id {text} PRIMARY KEY,
            our_ref {text} NOT NULL CONSTRAINT purchases_one_a_reference UNIQUE,
            vendor_id {text} NOT NULL REFERENCES vendors (id),
            product_id {text} NOT NULL REFERENCES products (id),
            vendor_sku {text} NOT NULL,
            partner_id {text} NOT NULL,
            order_id {text} NOT NULL,
            quantity INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 1000),
            face_minor BIGINT NOT NULL CHECK (face_minor > 0),
            face_currency {text} NOT NULL,
            expected_cost_micros BIGINT NOT NULL CHECK (expected_cost_micros >= 0),
            highest_cost_micros BIGINT CHECK (highest_cost_micros >= expected_cost_micros),
            cost_currency {text} NOT NULL REFERENCES currencies (code),
            route {text} NOT NULL,
            state {text} NOT NULL CHECK (state IN
                ('SENDING', 'UNKNOWN', 'REVIEW', 'DELIVERED', 'REFUSED', 'NOT_EXECUTED')),
            epoch BIGINT NOT NULL CHECK (epoch >= 1),
            worker_id {text},
            sends INTEGER NOT NULL CHECK (sends >= 0),
            looks INTEGER NOT NULL CHECK (looks >= 0),
            not_found INTEGER NOT NULL CHECK (not_found >= 0),
            not_found_since BIGINT,
            vendor_ref {text},
            delivered_quantity INTEGER NOT NULL CHECK (delivered_quantity >= 0),
            cost_micros BIGINT,
            refusal {text},
            message {text},
            ended_by {text} CHECK (ended_by IN ('ANSWER', 'LOOK', 'DECISION', 'STATEMENT')),
            created_at BIGINT NOT NULL,
            sent_at BIGINT NOT NULL,
            next_at BIGINT,
            resolves_by BIGINT NOT NULL,
            ended_at BIGINT,
            CONSTRAINT purchases_by_order UNIQUE (order_id, id),
            FOREIGN KEY (partner_id, order_id) REFERENCES orders (partner_id, id),
            CHECK ((state IN ('DELIVERED', 'REFUSED', 'NOT_EXECUTED')) = (ended_at IS NOT NULL)),
            CHECK ((ended_at IS NULL) = (ended_by IS NULL)),
            CHECK ((state = 'DELIVERED') = (cost_micros IS NOT NULL)),
            CONSTRAINT purchases_cost_at_most_a_billion_a_unit
                CHECK (cost_micros BETWEEN 0 AND 1000000000000000 * quantity),
            CHECK (state <> 'REFUSED' OR refusal IS NOT NULL),
            CHECK (delivered_quantity <= quantity),
            CHECK (state = 'DELIVERED' OR delivered_quantity = 0)
        ){hot}",
        "CREATE INDEX purchases_due ON purchases (next_at, id) WHERE next_at IS NOT NULL",
        "CREATE INDEX purchases_open ON purchases (vendor_id, state, id) WHERE ended_at IS NULL",
        "CREATE INDEX purchases_under_way ON purchases (vendor_id, worker_id) WHERE worker_id IS NOT NULL",
        "CREATE INDEX purchases_by_vendor ON purchases (vendor_id, created_at, id)",
        "frozen purchases (id, our_ref, vendor_id, product_id, vendor_sku, partner_id, order_id, quantity, face_minor,
            face_currency, expected_cost_micros, highest_cost_micros, cost_currency, route, created_at) when TRUE",
        "ended purchases (state, vendor_ref, delivered_quantity, cost_micros, refusal, ended_by, ended_at)
            when OLD.state = 'DELIVERED' OR (OLD.ended_at IS NOT NULL AND NEW.state <> 'DELIVERED' AND (NEW.state <> OLD.state
                OR NEW.refusal IS DISTINCT FROM OLD.refusal OR NEW.ended_by IS DISTINCT FROM OLD.ended_by
                OR NEW.ended_at IS DISTINCT FROM OLD.ended_at))",
        "CREATE TABLE attempts (
            order_id {text} NOT NULL,
            unit_index INTEGER NOT NULL,
            number INTEGER NOT NULL CHECK (number >= 1),
            purchase_id {text} NOT NULL,
            outcome {text} CHECK (outcome IN ('DELIVERED', 'REFUSED', 'NOT_EXECUTED', 'ANOMALY', 'SURPLUS')),
            opened_at BIGINT NOT NULL,
            ended_at BIGINT,
            PRIMARY KEY (order_id, unit_index, number),
            FOREIGN KEY (order_id, unit_index) REFERENCES order_units (order_id, unit_index),
            CONSTRAINT attempts_of_their_order FOREIGN KEY (order_id, purchase_id) REFERENCES purchases (order_id, id),
            CHECK ((outcome IS NULL) = (ended_at IS NULL))
        ){hot}",
        "CREATE UNIQUE INDEX attempts_one_open ON attempts (order_id, unit_index) WHERE ended_at IS NULL",
        "CREATE UNIQUE INDEX attempts_one_delivers ON attempts (order_id, unit_index) WHERE outcome = 'DELIVERED'",
        "CREATE INDEX attempts_by_purchase ON attempts (purchase_id, unit_index)",
        "frozen attempts (order_id, unit_index, number, purchase_id, opened_at) when TRUE",
        "ended attempts (outcome, ended_at) when OLD.outcome IN ('DELIVERED', 'ANOMALY', 'SURPLUS')
            OR (OLD.outcome IN ('REFUSED', 'NOT_EXECUTED') AND (NEW.outcome IS NULL OR NEW.outcome NOT IN ('ANOMALY', 'SURPLUS')
                OR NEW.ended_at IS DISTINCT FROM OLD.ended_at))",
        "barred order_units (status) when NEW.status IN ('DELIVERED', 'REFUNDED') while EXISTS (SELECT 1 FROM attempts a
            WHERE a.order_id = NEW.order_id AND a.unit_index = NEW.unit_index AND a.ended_at IS NULL)",
        "CREATE TABLE purchase_calls (
            purchase_id {text} NOT NULL,
            n INTEGER NOT NULL CHECK (n >= 1),
            kind {text} NOT NULL CHECK (kind IN ('SEND', 'LOOK', 'DECISION', 'STATEMENT')),
            outcome {text} NOT NULL,
            message {text} NOT NULL,
            http_status INTEGER,
            duration_micros BIGINT NOT NULL,
            actor {text} NOT NULL,
            at BIGINT NOT NULL,
            PRIMARY KEY (purchase_id, n)
        )",
        "child purchase_calls (purchase_id) of purchases (id)",
        "immutable purchase_calls",
        "CREATE TABLE receipts (
            order_id {text} NOT NULL,
            unit_index INTEGER NOT NULL,
            partner_id {text} NOT NULL,
            purchase_id {text} NOT NULL REFERENCES purchases (id),
            number {text} NOT NULL,
            cost_micros BIGINT NOT NULL CHECK (cost_micros >= 0),
            cost_currency {text} NOT NULL REFERENCES currencies (code),
            at BIGINT NOT NULL,
            PRIMARY KEY (order_id, unit_index),
            FOREIGN KEY (order_id, unit_index) REFERENCES order_units (order_id, unit_index)
        )",
        "immutable receipts",
    ],
    down: [
        "DROP TABLE receipts",
        "DROP TABLE purchase_calls",
        "postgres: DROP FUNCTION purchase_calls_no_orphans()",
        "postgres: DROP TRIGGER order_units_no_early_end ON order_units",
        "postgres: DROP FUNCTION order_units_no_early_end()",
        "sqlite: DROP TRIGGER order_units_no_early_end",
        "DROP TABLE attempts",
        "DROP TABLE purchases",
        "DROP TABLE workers",
        "DROP TABLE offer_costs",
        "DROP TABLE offers",
        "DROP TABLE vendor_health",
        "DROP TABLE vendor_limits",
        "DROP TABLE vendors",
        "DELETE FROM versions WHERE subject = 'vendors'",
    ]
}
