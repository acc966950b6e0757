//! Checks of the money of orders: what was charged, held, captured, released and earned.

use super::{Breach, Check, Sql};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "order_money_adds_up",
        invariant: Some("I9"),
        says: "an order costs what its units cost, and what was charged to its wallet is what was sold, captured, released or \
               is held",
        breaches: &[
            Breach {
                name: "units",
                sql: Sql::Same(
                    "SELECT o.id AS offender, 'it has ' || coalesce(u.units, 0) || ' of ' || o.quantity
                        || ' units, which cost ' || coalesce(u.total, 0) || ' of ' || o.total_minor AS reason
                     FROM orders o LEFT JOIN (
                        SELECT order_id, count(*) AS units, sum(price_minor) AS total FROM order_units GROUP BY order_id
                     ) u ON u.order_id = o.id
                     WHERE o.total_minor <> coalesce(u.total, 0) OR o.quantity <> coalesce(u.units, 0)",
                ),
            },
            Breach {
                name: "counts",
                sql: Sql::Same(
                    "SELECT o.id AS offender, 'its counts are not those of its units' AS reason
                     FROM orders o LEFT JOIN (
                        SELECT order_id, sum(CASE WHEN status = 'DELIVERED' THEN 1 ELSE 0 END) AS delivered,
                            sum(CASE WHEN status = 'REFUNDED' THEN 1 ELSE 0 END) AS refunded
                        FROM order_units GROUP BY order_id
                     ) u ON u.order_id = o.id
                     WHERE o.delivered_quantity <> coalesce(u.delivered, 0)
                        OR o.refunded_quantity <> coalesce(u.refunded, 0)",
                ),
            },
            Breach { name: "ledger", sql: Sql::Same(LEDGER_AGAINST_UNITS) },
            Breach {
                name: "foreign_money",
                sql: Sql::Same(
                    "SELECT t.id AS offender, 'it moves money that is not of the wallet and the partner of ' || o.id AS reason
                     FROM ledger_transactions t JOIN orders o ON o.id = t.order_id
                     WHERE coalesce(t.partner_id, '') <> o.partner_id OR EXISTS (
                        SELECT 1 FROM postings p WHERE p.transaction_id = t.id AND p.wallet_id <> o.wallet_id)",
                ),
            },
            Breach {
                name: "money_of_no_order",
                sql: Sql::Same(
                    "SELECT t.id AS offender, 'it is a ' || t.kind || ' of no order' AS reason
                     FROM ledger_transactions t LEFT JOIN orders o ON o.id = t.order_id
                     WHERE o.id IS NULL
                        AND (t.order_id IS NOT NULL OR t.kind IN ('SALE', 'HOLD', 'CAPTURE', 'RELEASE', 'REFUND'))",
                ),
            },
        ],
    },
    Check {
        name: "charged_units_end_once",
        invariant: Some("I10"),
        says: "a charged unit ends delivered or refunded, never both, and its money with it",
        breaches: &[
            Breach {
                name: "another_end",
                sql: Sql::Same(
                    "SELECT u.order_id AS offender, 'unit ' || u.unit_index || ' is ' || u.status || ', its money is '
                        || coalesce(s.outcome, 'not settled') || ', its order is ' || o.status AS reason
                     FROM order_units u JOIN orders o ON o.id = u.order_id
                     LEFT JOIN (
                        SELECT order_id, unit_index, min(outcome) AS outcome FROM unit_settlements
                        GROUP BY order_id, unit_index
                     ) s ON s.order_id = u.order_id AND s.unit_index = u.unit_index
                     WHERE (u.status IN ('PENDING', 'AWAITING_VENDOR')
                            AND (o.completed_at IS NOT NULL OR s.outcome IS NOT NULL))
                        OR (u.funding = 'SALE' AND (u.status <> 'DELIVERED' OR s.outcome IS NOT NULL))
                        OR (u.funding = 'HOLD' AND u.status = 'DELIVERED' AND coalesce(s.outcome, '') <> 'CAPTURED')
                        OR (u.funding = 'HOLD' AND u.status = 'REFUNDED' AND coalesce(s.outcome, '') <> 'RELEASED')",
                ),
            },
            Breach {
                name: "open_behind_the_end",
                sql: Sql::Same(
                    "SELECT o.id AS offender, 'it has ended, and '
                        || (o.quantity - o.delivered_quantity - o.refunded_quantity) || ' of its units have not' AS reason
                     FROM orders o
                     WHERE o.completed_at IS NOT NULL AND o.delivered_quantity + o.refunded_quantity <> o.quantity",
                ),
            },
        ],
    },
    Check {
        name: "money_moves_once_a_unit",
        invariant: Some("I11"),
        says: "an order has at most one sale and one hold, a unit one settlement, by a transaction of its order and kind",
        breaches: &[
            Breach {
                name: "charged_twice",
                sql: Sql::Same(
                    "SELECT t.order_id AS offender, 'it has ' || count(*) || ' of ' || t.kind AS reason
                     FROM ledger_transactions t WHERE t.kind IN ('SALE', 'HOLD')
                     GROUP BY t.order_id, t.kind HAVING count(*) > 1",
                ),
            },
            Breach {
                name: "settled_twice",
                sql: Sql::Same(
                    "SELECT s.order_id AS offender, 'unit ' || s.unit_index || ' is settled ' || count(*) || ' times' AS reason
                     FROM unit_settlements s GROUP BY s.order_id, s.unit_index HAVING count(*) > 1",
                ),
            },
            Breach {
                name: "settled_by_another",
                sql: Sql::Same(
                    "SELECT s.order_id AS offender, 'unit ' || s.unit_index
                        || ' is settled by a transaction that is none of its own' AS reason
                     FROM unit_settlements s LEFT JOIN ledger_transactions t ON t.id = s.transaction_id
                     WHERE coalesce(t.order_id, '') <> s.order_id
                        OR t.kind <> CASE s.outcome WHEN 'CAPTURED' THEN 'CAPTURE' ELSE 'RELEASE' END",
                ),
            },
        ],
    },
    Check {
        name: "revenue_is_split_as_priced",
        invariant: None,
        says: "what an order earned in each account is its price's part times its delivered units",
        breaches: &[Breach { name: "another_split", sql: Sql::Same(REVENUE_AGAINST_PRICE) }],
    },
    Check {
        name: "goodwill_is_given_once",
        invariant: None,
        says: "a refund of a delivered unit is of that unit alone, by a transaction of its order and kind, for its price, taken \
               from revenue as it was earned",
        breaches: &[
            Breach {
                name: "not_delivered",
                sql: Sql::Same(
                    "SELECT g.order_id AS offender, 'unit ' || g.unit_index || ' is refunded as if delivered' AS reason
                     FROM goodwill_refunds g
                     LEFT JOIN order_units u ON u.order_id = g.order_id AND u.unit_index = g.unit_index
                     WHERE coalesce(u.status, '') <> 'DELIVERED'",
                ),
            },
            Breach {
                name: "another_transaction",
                sql: Sql::Same(
                    "SELECT g.order_id AS offender, 'unit ' || g.unit_index
                        || ' is refunded by a transaction that is none of its own' AS reason
                     FROM goodwill_refunds g LEFT JOIN ledger_transactions t ON t.id = g.transaction_id
                     WHERE coalesce(t.kind, '') <> 'REFUND' OR coalesce(t.order_id, '') <> g.order_id
                        OR coalesce(t.partner_id, '') <> g.partner_id",
                ),
            },
            Breach { name: "another_amount", sql: Sql::Same(REFUND_AGAINST_PRICE) },
        ],
    },
    Check {
        name: "charges_bind",
        invariant: None,
        says: "an order on a charge is for what the charge said, at its price, placed before it expired, and alone on it",
        breaches: &[
            Breach {
                name: "another_deal",
                sql: Sql::Same(
                    "SELECT o.id AS offender, 'it is not what its charge said' AS reason
                     FROM orders o LEFT JOIN charges c ON c.id = o.charge_id AND c.partner_id = o.partner_id
                     WHERE o.charge_id IS NOT NULL AND (c.id IS NULL OR c.product_id <> o.product_id
                        OR c.quantity <> o.quantity OR c.face_minor <> o.face_minor OR c.currency <> o.currency
                        OR c.unit_price_minor <> o.unit_price_minor OR c.expires_at <= o.created_at)",
                ),
            },
            Breach {
                name: "used_twice",
                sql: Sql::Same(
                    "SELECT min(o.id) AS offender, 'another order is on the same charge' AS reason
                     FROM orders o WHERE o.charge_id IS NOT NULL GROUP BY o.charge_id HAVING count(*) > 1",
                ),
            },
        ],
    },
];

/// Only the money of the order's own wallet counts as its own.
const LEDGER_AGAINST_UNITS: &str = "
    WITH units AS (
        SELECT order_id, sum(CASE WHEN funding = 'SALE' THEN price_minor ELSE 0 END) AS sold,
            sum(CASE WHEN funding = 'HOLD' THEN price_minor ELSE 0 END) AS set_aside,
            sum(CASE WHEN funding = 'HOLD' AND status = 'DELIVERED' THEN price_minor ELSE 0 END) AS captured,
            sum(CASE WHEN funding = 'HOLD' AND status = 'REFUNDED' THEN price_minor ELSE 0 END) AS released
        FROM order_units GROUP BY order_id
    ), money AS (
        SELECT t.order_id,
            sum(CASE WHEN t.kind = 'SALE' AND p.account = 'WALLET_AVAILABLE' THEN -p.amount ELSE 0 END) AS sold,
            sum(CASE WHEN t.kind = 'HOLD' AND p.account = 'WALLET_AVAILABLE' THEN -p.amount ELSE 0 END) AS set_aside,
            sum(CASE WHEN t.kind = 'CAPTURE' AND p.account = 'WALLET_HELD' THEN -p.amount ELSE 0 END) AS captured,
            sum(CASE WHEN t.kind = 'RELEASE' AND p.account = 'WALLET_AVAILABLE' THEN p.amount ELSE 0 END) AS released
        FROM ledger_transactions t JOIN orders o ON o.id = t.order_id AND o.partner_id = t.partner_id
        JOIN postings p ON p.transaction_id = t.id AND p.wallet_id = o.wallet_id
        GROUP BY t.order_id
    )
    SELECT o.id AS offender, 'its units cost one thing, and the ledger says another' AS reason
    FROM orders o LEFT JOIN units u ON u.order_id = o.id LEFT JOIN money m ON m.order_id = o.id
    WHERE coalesce(u.sold, 0) <> coalesce(m.sold, 0) OR coalesce(u.set_aside, 0) <> coalesce(m.set_aside, 0)
        OR coalesce(u.captured, 0) <> coalesce(m.captured, 0) OR coalesce(u.released, 0) <> coalesce(m.released, 0)";

const REVENUE_AGAINST_PRICE: &str = "
    WITH earned AS (
        SELECT t.order_id,
            sum(CASE WHEN p.account = 'REVENUE_SALES' THEN p.amount ELSE 0 END) AS sales,
            sum(CASE WHEN p.account = 'REVENUE_FX_MARGIN' THEN p.amount ELSE 0 END) AS fx,
            sum(CASE WHEN p.account = 'REVENUE_FEES' THEN p.amount ELSE 0 END) AS fees,
            sum(CASE WHEN p.account = 'REVENUE_ROUNDING' THEN p.amount ELSE 0 END) AS rounding
        FROM ledger_transactions t JOIN postings p ON p.transaction_id = t.id
        WHERE t.kind IN ('SALE', 'CAPTURE') GROUP BY t.order_id
    )
    SELECT o.id AS offender, 'its revenue is not split as it was priced' AS reason
    FROM orders o LEFT JOIN earned e ON e.order_id = o.id LEFT JOIN (
        SELECT order_id, count(*) AS units FROM order_units WHERE status = 'DELIVERED' GROUP BY order_id
    ) d ON d.order_id = o.id
    WHERE coalesce(e.sales, 0) <> o.unit_sales_minor * coalesce(d.units, 0)
        OR coalesce(e.fx, 0) <> o.unit_fx_minor * coalesce(d.units, 0)
        OR coalesce(e.fees, 0) <> o.unit_fee_minor * coalesce(d.units, 0)
        OR coalesce(e.rounding, 0) <> o.unit_rounding_minor * coalesce(d.units, 0)";

const REFUND_AGAINST_PRICE: &str = "
    WITH given AS (
        SELECT t.id, t.order_id,
            sum(CASE WHEN p.account = 'WALLET_AVAILABLE' THEN p.amount ELSE 0 END) AS paid,
            sum(CASE WHEN p.account = 'REVENUE_SALES' THEN -p.amount ELSE 0 END) AS sales,
            sum(CASE WHEN p.account = 'REVENUE_FX_MARGIN' THEN -p.amount ELSE 0 END) AS fx,
            sum(CASE WHEN p.account = 'REVENUE_FEES' THEN -p.amount ELSE 0 END) AS fees,
            sum(CASE WHEN p.account = 'REVENUE_ROUNDING' THEN -p.amount ELSE 0 END) AS rounding
        FROM ledger_transactions t JOIN postings p ON p.transaction_id = t.id
        WHERE t.kind = 'REFUND' GROUP BY t.id, t.order_id
    )
    SELECT t.id AS offender, 'it is not the price of one delivered unit, taken from revenue as it was earned' AS reason
    FROM given t JOIN orders o ON o.id = t.order_id LEFT JOIN goodwill_refunds g ON g.transaction_id = t.id
    WHERE g.order_id IS NULL OR t.paid <> o.unit_price_minor OR t.sales <> o.unit_sales_minor OR t.fx <> o.unit_fx_minor
        OR t.fees <> o.unit_fee_minor OR t.rounding <> o.unit_rounding_minor";
