//! Checks of purchases: nothing is bought twice, nothing is forgotten, and vendors are owed what they took.

use super::{Breach, Check, Sql};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a_unit_is_bought_once",
        invariant: Some("I15"),
        says: "at most one purchase delivers to a unit, and what was delivered to it, it has; anything else that came is surplus",
        breaches: &[
            Breach {
                name: "bought_twice",
                sql: Sql::Same(
                    "SELECT a.order_id AS offender, 'unit ' || a.unit_index || ' was delivered ' || count(*)
                        || ' times' AS reason
                     FROM attempts a WHERE a.outcome = 'DELIVERED' GROUP BY a.order_id, a.unit_index HAVING count(*) > 1",
                ),
            },
            Breach {
                name: "delivered_to_nobody",
                sql: Sql::Same(
                    "SELECT a.order_id AS offender, 'unit ' || a.unit_index || ' was delivered, and is ' || u.status AS reason
                     FROM attempts a JOIN orders o ON o.id = a.order_id
                     JOIN order_units u ON u.order_id = a.order_id AND u.unit_index = a.unit_index
                     WHERE a.outcome = 'DELIVERED' AND u.status <> 'DELIVERED'
                        AND (o.failure_policy = 'BEST_EFFORT'
                            OR (u.status <> 'REFUNDED' AND NOT (u.status = 'PENDING' AND u.sourced_at IS NOT NULL)))",
                ),
            },
        ],
    },
    Check {
        name: "outcomes_are_not_guessed",
        invariant: Some("I16"),
        says: "a unit is asked of one vendor at a time: the next purchase begins when the last one has ended",
        breaches: &[
            Breach {
                name: "side_by_side",
                sql: Sql::Same(
                    "SELECT a.order_id AS offender, 'attempt ' || b.number || ' at unit ' || a.unit_index
                        || ' began before attempt ' || a.number || ' ended' AS reason
                     FROM attempts a JOIN attempts b ON b.order_id = a.order_id AND b.unit_index = a.unit_index
                        AND b.number = a.number + 1
                     WHERE a.ended_at IS NULL OR b.opened_at < a.ended_at",
                ),
            },
            Breach {
                name: "gap",
                sql: Sql::Same(
                    "SELECT a.order_id AS offender, 'unit ' || a.unit_index || ' has ' || count(*)
                        || ' attempts, the last one is number ' || max(a.number) AS reason
                     FROM attempts a GROUP BY a.order_id, a.unit_index HAVING count(*) <> max(a.number)",
                ),
            },
        ],
    },
    Check {
        name: "awaited_units_have_their_purchase",
        invariant: None,
        says: "a unit awaits a vendor exactly while a purchase for it is open",
        breaches: &[
            Breach {
                name: "nobody_asked",
                sql: Sql::Same(
                    "SELECT u.order_id AS offender, 'unit ' || u.unit_index || ' awaits a vendor that nobody asked' AS reason
                     FROM order_units u WHERE u.status = 'AWAITING_VENDOR' AND NOT EXISTS (
                        SELECT 1 FROM attempts a JOIN purchases p ON p.id = a.purchase_id
                        WHERE a.order_id = u.order_id AND a.unit_index = u.unit_index AND a.ended_at IS NULL
                            AND p.ended_at IS NULL)",
                ),
            },
            Breach {
                name: "not_awaited",
                sql: Sql::Same(
                    "SELECT a.order_id AS offender, 'unit ' || a.unit_index || ' is ' || u.status
                        || ' beside an open purchase' AS reason
                     FROM attempts a JOIN order_units u ON u.order_id = a.order_id AND u.unit_index = a.unit_index
                     WHERE a.ended_at IS NULL AND u.status <> 'AWAITING_VENDOR'",
                ),
            },
        ],
    },
    Check {
        name: "purchases_are_their_attempts",
        invariant: None,
        says: "a purchase has an attempt for each of its units, and delivered as many as say so",
        breaches: &[Breach {
            name: "another_count",
            sql: Sql::Same(
                "SELECT p.id AS offender, 'it is for ' || p.quantity || ' units and delivered ' || p.delivered_quantity
                    || ', its attempts are ' || coalesce(a.attempts, 0) || ' and ' || coalesce(a.delivered, 0) AS reason
                 FROM purchases p LEFT JOIN (
                    SELECT purchase_id, count(*) AS attempts, sum(CASE WHEN outcome IN ('DELIVERED', 'ANOMALY', 'SURPLUS')
                        THEN 1 ELSE 0 END) AS delivered
                    FROM attempts GROUP BY purchase_id
                 ) a ON a.purchase_id = p.id
                 WHERE p.quantity <> coalesce(a.attempts, 0) OR p.delivered_quantity <> coalesce(a.delivered, 0)",
            ),
        }],
    },
    Check {
        name: "vendors_are_owed_what_they_took",
        invariant: Some("I17"),
        says: "a purchase that was made is posted once, as owed for what the vendor took; no other purchase is; what the vendor's \
               statement says otherwise is corrected by just that",
        breaches: &[
            Breach {
                name: "another_debt",
                sql: Sql::Same(
                    "SELECT p.id AS offender, 'its vendor took ' || coalesce(p.cost_micros, 0) || ' and is owed '
                        || coalesce(d.owed, 0) AS reason
                     FROM purchases p LEFT JOIN (
                        SELECT t.reference, t.partner_id, o.currency, sum(-o.amount) AS owed
                        FROM ledger_transactions t JOIN postings o ON o.transaction_id = t.id AND o.account = 'PAYABLE'
                        WHERE t.kind = 'PURCHASE' GROUP BY t.reference, t.partner_id, o.currency
                     ) d ON d.reference = p.id AND d.partner_id = p.partner_id AND d.currency = p.cost_currency
                     WHERE coalesce(p.cost_micros, 0) <> coalesce(d.owed, 0)",
                ),
            },
            Breach {
                name: "debt_without_purchase",
                sql: Sql::Same(
                    "SELECT t.id AS offender, 'it is owed for a purchase that was not made' AS reason
                     FROM ledger_transactions t LEFT JOIN purchases p ON p.id = t.reference AND p.order_id = t.order_id
                     WHERE t.kind = 'PURCHASE' AND coalesce(p.state, '') <> 'DELIVERED'",
                ),
            },
            Breach { name: "another_line", sql: Sql::Same(LINES_AGAINST_DEBTS) },
            Breach { name: "correction_of_no_line", sql: Sql::Same(CORRECTIONS_AGAINST_LEDGER) },
        ],
    },
];

/// What a line's vendor took, less what was posted with its purchase and what was corrected because of it. A line whose purchase was
/// delivered since is judged again when the statement is next read.
const LINES_AGAINST_DEBTS: &str = "
    WITH parts AS (
        SELECT l.vendor_id, l.vendor_ref, l.cost_currency AS currency, l.cost_micros AS amount
        FROM statement_lines l WHERE l.settled_at IS NOT NULL
        UNION ALL
        SELECT l.vendor_id, l.vendor_ref, p.cost_currency, -coalesce(p.cost_micros, 0)
        FROM statement_lines l JOIN purchases p ON p.id = l.purchase_id WHERE l.settled_at IS NOT NULL
        UNION ALL
        SELECT c.vendor_id, c.vendor_ref, c.currency, -c.amount_micros FROM statement_corrections c
    )
    SELECT vendor_ref AS offender, 'its vendor took ' || sum(amount) || ' ' || currency || ' more than is owed for it' AS reason
    FROM parts WHERE NOT EXISTS (SELECT 1 FROM statement_lines l JOIN purchases p ON p.id = l.purchase_id
        WHERE l.vendor_id = parts.vendor_id AND l.vendor_ref = parts.vendor_ref AND l.verdict = 'NOT_DELIVERED_HERE'
            AND p.state = 'DELIVERED')
    GROUP BY vendor_id, vendor_ref, currency HAVING sum(amount) <> 0";

const CORRECTIONS_AGAINST_LEDGER: &str = "
    WITH parts AS (
        SELECT t.id, o.currency, -o.amount AS amount
        FROM ledger_transactions t JOIN postings o ON o.transaction_id = t.id AND o.account = 'PAYABLE'
        WHERE t.kind = 'ADJUSTMENT'
        UNION ALL
        SELECT c.transaction_id, c.currency, -c.amount_micros FROM statement_corrections c
    )
    SELECT id AS offender, 'it corrects what is owed by ' || sum(amount) || ' ' || currency || ' more than a statement says' AS reason
    FROM parts GROUP BY id, currency HAVING sum(amount) <> 0";
