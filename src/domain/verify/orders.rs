//! Checks of orders: references, states, and the codes of their units.

use super::{Breach, Check, Sql};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "one_order_a_reference",
        invariant: Some("I8"),
        says: "a partner has one order for a reference",
        breaches: &[Breach {
            name: "two_orders",
            sql: Sql::Same(
                "SELECT min(o.id) AS offender, count(*) || ' orders have its reference' AS reason
                 FROM orders o GROUP BY o.partner_id, o.reference HAVING count(*) > 1",
            ),
        }],
    },
    Check {
        name: "a_code_has_one_unit",
        invariant: Some("I12"),
        says: "of a unit's codes exactly one stands, the others were replaced, and no code was loaded twice",
        breaches: &[
            Breach {
                name: "two_codes",
                sql: Sql::Same(
                    "SELECT v.order_id AS offender, 'unit ' || v.unit_index || ' has ' || (count(*) - count(r.id)) || ' codes' AS reason
                     FROM vouchers v LEFT JOIN vouchers r ON r.replaces = v.id
                     WHERE v.order_id IS NOT NULL GROUP BY v.order_id, v.unit_index HAVING count(*) - count(r.id) <> 1",
                ),
            },
            Breach {
                name: "loaded_twice",
                sql: Sql::Same(
                    "SELECT min(v.id) AS offender, 'it is in stock ' || count(*) || ' times' AS reason FROM vouchers v
                     GROUP BY v.blind_index HAVING count(*) > 1",
                ),
            },
        ],
    },
    Check {
        name: "delivered_units_have_their_code",
        invariant: Some("I13"),
        says: "a delivered unit of a product with codes has one, of its product, value and partner, and a delivered code a unit; \
               any other delivered unit has its vendor's receipt, and a receipt a delivered unit",
        breaches: &[
            Breach {
                name: "unit_without_receipt",
                sql: Sql::Same(
                    "SELECT u.order_id AS offender, 'unit ' || u.unit_index || ' is delivered without its receipt' AS reason
                     FROM order_units u JOIN orders o ON o.id = u.order_id JOIN products p ON p.id = o.product_id
                     WHERE u.status = 'DELIVERED' AND p.delivery <> 'CODE' AND NOT EXISTS (
                        SELECT 1 FROM receipts r WHERE r.order_id = u.order_id AND r.unit_index = u.unit_index
                            AND r.partner_id = o.partner_id)",
                ),
            },
            Breach {
                name: "receipt_without_unit",
                sql: Sql::Same(
                    "SELECT r.order_id AS offender, 'unit ' || r.unit_index || ' has a receipt, and is not delivered' AS reason
                     FROM receipts r LEFT JOIN order_units u ON u.order_id = r.order_id AND u.unit_index = r.unit_index
                     WHERE coalesce(u.status, '') <> 'DELIVERED'",
                ),
            },
            Breach {
                name: "unit_without_code",
                sql: Sql::Same(
                    "SELECT u.order_id AS offender, 'unit ' || u.unit_index || ' is delivered without its code' AS reason
                     FROM order_units u JOIN orders o ON o.id = u.order_id JOIN products p ON p.id = o.product_id
                     WHERE u.status = 'DELIVERED' AND p.delivery = 'CODE' AND NOT EXISTS (
                        SELECT 1 FROM vouchers v WHERE v.order_id = u.order_id AND v.unit_index = u.unit_index
                            AND v.state = 'DELIVERED' AND v.product_id = o.product_id AND v.face_minor = o.face_minor
                            AND v.partner_id = o.partner_id)",
                ),
            },
            Breach {
                name: "code_without_unit",
                sql: Sql::Same(
                    "SELECT v.id AS offender, 'it is delivered to a unit that is not' AS reason
                     FROM vouchers v LEFT JOIN order_units u ON u.order_id = v.order_id AND u.unit_index = v.unit_index
                     WHERE v.state = 'DELIVERED' AND coalesce(u.status, '') <> 'DELIVERED'",
                ),
            },
        ],
    },
    Check {
        name: "orders_move_only_as_allowed",
        invariant: Some("I21"),
        says: "an order goes from state to state only as allowed, each step from where the last one ended; an end is never left",
        breaches: &[
            Breach {
                name: "forbidden_step",
                // `may_follow` of the orders' model; a test compares them over all pairs.
                sql: Sql::Same(
                    "SELECT t.order_id AS offender, 'step ' || t.version || ' goes from '
                        || coalesce(t.from_status, 'nothing') || ' to ' || t.to_status AS reason
                     FROM order_transitions t
                     WHERE NOT ((t.from_status IS NULL AND t.to_status = 'PENDING')
                        OR (coalesce(t.from_status, '') = 'PENDING' AND t.to_status <> 'PENDING')
                        OR (coalesce(t.from_status, '') = 'PROCESSING' AND t.to_status NOT IN ('PENDING', 'PROCESSING')))",
                ),
            },
            Breach {
                name: "leap",
                sql: Sql::Same(
                    "SELECT t.order_id AS offender, 'step ' || t.version || ' does not begin where the last one ended' AS reason
                     FROM (
                        SELECT order_id, version, from_status,
                            lag(to_status) OVER (PARTITION BY order_id ORDER BY version) AS previous
                        FROM order_transitions
                     ) t
                     WHERE coalesce(t.from_status, '') <> coalesce(t.previous, '')",
                ),
            },
            Breach {
                name: "not_the_last_step",
                sql: Sql::Same(
                    "SELECT o.id AS offender, 'it is ' || o.status || ' at step ' || o.version
                        || ', its last step says otherwise' AS reason
                     FROM orders o LEFT JOIN order_transitions t ON t.order_id = o.id AND t.version = o.version
                     WHERE coalesce(t.to_status, '') <> o.status",
                ),
            },
            Breach { name: "not_of_its_units", sql: Sql::Same(STATE_AGAINST_UNITS) },
            Breach {
                name: "ended_without_end",
                sql: Sql::Same(
                    "SELECT o.id AS offender, 'it is ' || o.status || ', and has '
                        || CASE WHEN o.completed_at IS NULL THEN 'no end' ELSE 'ended' END AS reason
                     FROM orders o WHERE (o.status IN ('PENDING', 'PROCESSING')) <> (o.completed_at IS NULL)",
                ),
            },
        ],
    },
];

/// `status_of` of the orders' model.
const STATE_AGAINST_UNITS: &str = "
    SELECT s.id AS offender, 'it is ' || s.status || ', its units make it ' || s.follows AS reason
    FROM (
        SELECT o.id, o.status, CASE
            WHEN o.delivered_quantity + o.refunded_quantity < o.quantity THEN
                CASE WHEN o.delivered_quantity > 0 OR o.refunded_quantity > 0
                    OR EXISTS (SELECT 1 FROM attempts a WHERE a.order_id = o.id) THEN 'PROCESSING' ELSE 'PENDING' END
            WHEN o.delivered_quantity = o.quantity THEN 'DELIVERED'
            WHEN o.delivered_quantity > 0 THEN 'PARTIALLY_DELIVERED'
            WHEN o.failure_code = 'CANCELLED' THEN 'CANCELLED'
            ELSE 'FAILED' END AS follows
        FROM orders o
    ) s WHERE s.status <> s.follows";
