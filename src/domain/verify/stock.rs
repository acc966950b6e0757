//! Checks of the stock: what came in is there, went out, or was taken out, and what it cost is posted.

use super::{Breach, Check, Sql};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "stock_is_conserved",
        invariant: Some("I14"),
        says: "of each product and face value: loaded = available + reserved + delivered + voided, and the moves sum to \
               what is available",
        breaches: &[Breach {
            name: "another_count",
            sql: Sql::Same(
                "WITH codes AS (
                    SELECT product_id, face_minor, count(*) AS loaded,
                        sum(CASE WHEN state = 'AVAILABLE' THEN 1 ELSE 0 END) AS available,
                        sum(CASE WHEN state = 'VOIDED' THEN 1 ELSE 0 END) AS voided
                    FROM vouchers GROUP BY product_id, face_minor
                 ), moves AS (
                    SELECT product_id, face_minor, sum(delta) AS available,
                        sum(CASE WHEN kind = 'LOADED' THEN delta ELSE 0 END) AS loaded,
                        sum(CASE WHEN kind = 'VOIDED' THEN -delta ELSE 0 END) AS voided
                    FROM stock_moves GROUP BY product_id, face_minor
                 ), shelves AS (
                    SELECT product_id, face_minor FROM codes UNION SELECT product_id, face_minor FROM moves
                 )
                 SELECT s.product_id AS offender, 'at ' || s.face_minor || ': ' || coalesce(c.available, 0) || ' of '
                    || coalesce(c.loaded, 0) || ' codes are available, the moves say ' || coalesce(m.available, 0) || ' of '
                    || coalesce(m.loaded, 0) || '; ' || coalesce(c.voided, 0) || ' are voided, the moves say '
                        || coalesce(m.voided, 0) AS reason
                 FROM shelves s
                 LEFT JOIN codes c ON c.product_id = s.product_id AND c.face_minor = s.face_minor
                 LEFT JOIN moves m ON m.product_id = s.product_id AND m.face_minor = s.face_minor
                 WHERE coalesce(c.loaded, 0) <> coalesce(m.loaded, 0)
                    OR coalesce(c.available, 0) <> coalesce(m.available, 0)
                    OR coalesce(c.voided, 0) <> coalesce(m.voided, 0)",
            ),
        }],
    },
    Check {
        name: "moves_number_without_gaps",
        invariant: None,
        says: "the moves of a stock writer number from 1 to its head without gaps, each number once",
        breaches: &[Breach {
            name: "gap",
            sql: Sql::Same(
                "SELECT w.writer AS offender, 'its head is ' || w.n || ', its ' || coalesce(m.moves, 0)
                    || ' moves have ' || coalesce(m.numbers, 0) || ' numbers from ' || coalesce(m.least, 0) || ' to '
                    || coalesce(m.most, 0) AS reason
                 FROM stock_writers w LEFT JOIN (
                    SELECT writer, count(*) AS moves, count(DISTINCT n) AS numbers, min(n) AS least, max(n) AS most
                    FROM stock_moves GROUP BY writer
                 ) m ON m.writer = w.writer
                 WHERE w.n <> coalesce(m.moves, 0) OR w.n <> coalesce(m.numbers, 0) OR w.n <> coalesce(m.most, 0)
                    OR coalesce(m.least, 1) <> 1",
            ),
        }],
    },
    Check {
        name: "reserved_codes_are_awaited",
        invariant: None,
        says: "a reserved code waits for an open unit of an order that has not ended",
        breaches: &[Breach {
            name: "reserved_for_nobody",
            sql: Sql::Same(
                "SELECT v.id AS offender, 'it is reserved for a unit that does not wait' AS reason
                 FROM vouchers v LEFT JOIN orders o ON o.id = v.order_id
                 LEFT JOIN order_units u ON u.order_id = v.order_id AND u.unit_index = v.unit_index
                 WHERE v.state = 'RESERVED' AND (o.id IS NULL OR o.completed_at IS NOT NULL
                    OR coalesce(u.status, '') NOT IN ('PENDING', 'AWAITING_VENDOR'))",
            ),
        }],
    },
    Check {
        name: "replacements_cost_what_they_cost",
        invariant: None,
        says: "a code in another's place is of that one's unit, partner, product and value, and was given while the unit's money \
               was not given back; what it cost is posted once as spent, and no other money moved",
        breaches: &[
            Breach {
                name: "of_another_unit",
                sql: Sql::Same(
                    "SELECT r.id AS offender, 'it stands in the place of what is not its unit''s' AS reason
                     FROM vouchers r LEFT JOIN vouchers v ON v.id = r.replaces AND v.state = 'DELIVERED'
                        AND v.order_id = r.order_id AND v.unit_index = r.unit_index AND v.partner_id = r.partner_id
                        AND v.product_id = r.product_id AND v.face_minor = r.face_minor
                     WHERE r.replaces IS NOT NULL AND v.id IS NULL",
                ),
            },
            Breach {
                name: "after_a_refund",
                sql: Sql::Same(
                    "SELECT r.id AS offender, 'it was given when the money of unit ' || r.unit_index || ' was back' AS reason
                     FROM vouchers r JOIN goodwill_refunds g ON g.order_id = r.order_id AND g.unit_index = r.unit_index
                     WHERE r.replaces IS NOT NULL AND r.delivered_at > g.at",
                ),
            },
            Breach {
                name: "another_cost",
                sql: Sql::Same(
                    "WITH parts AS (
                        SELECT id, cost_currency AS currency, cost_micros AS amount FROM vouchers
                        WHERE replaces IS NOT NULL AND cost_micros IS NOT NULL
                        UNION ALL
                        SELECT t.reference, p.currency, -p.amount FROM ledger_transactions t
                        JOIN postings p ON p.transaction_id = t.id AND p.account = 'COST_OF_GOODS'
                        WHERE t.kind = 'REPLACEMENT'
                     )
                     SELECT id AS offender, 'it cost ' || sum(amount) || ' ' || currency || ' more than is posted for it' AS reason
                     FROM parts GROUP BY id, currency HAVING sum(amount) <> 0",
                ),
            },
            Breach {
                name: "other_money",
                sql: Sql::Same(
                    "SELECT t.id AS offender, 'it moved ' || p.account AS reason
                     FROM ledger_transactions t JOIN postings p ON p.transaction_id = t.id
                     WHERE t.kind = 'REPLACEMENT' AND p.account NOT IN ('INVENTORY', 'COST_OF_GOODS')",
                ),
            },
        ],
    },
    Check {
        name: "costs_are_posted",
        invariant: None,
        says: "in each currency: what goods cost is payable, but for what is disputed; what delivered ones cost is cost of goods, \
               the rest is inventory",
        breaches: &[Breach {
            name: "another_sum",
            sql: Sql::Same(
                "WITH goods AS (
                    SELECT cost_currency AS currency, cost_micros AS cost,
                        CASE WHEN state = 'DELIVERED' THEN cost_micros ELSE 0 END AS spent
                    FROM vouchers WHERE cost_currency IS NOT NULL
                    UNION ALL SELECT cost_currency, cost_micros, cost_micros FROM receipts
                 ), codes AS (
                    SELECT currency, sum(cost) AS loaded, sum(spent) AS delivered FROM goods GROUP BY currency
                 ), posted AS (
                    SELECT currency,
                        sum(CASE WHEN account IN ('PAYABLE', 'DISPUTED') THEN -amount ELSE 0 END) AS payable,
                        sum(CASE WHEN account = 'COST_OF_GOODS' THEN amount ELSE 0 END) AS spent,
                        sum(CASE WHEN account = 'INVENTORY' THEN amount ELSE 0 END) AS inventory
                    FROM postings WHERE account IN ('PAYABLE', 'DISPUTED', 'COST_OF_GOODS', 'INVENTORY')
                    GROUP BY currency
                 ), currencies AS (
                    SELECT currency FROM codes UNION SELECT currency FROM posted
                 )
                 SELECT a.currency AS offender, 'codes cost ' || coalesce(c.loaded, 0) || ', of which delivered '
                    || coalesce(c.delivered, 0) || '; posted are ' || coalesce(p.payable, 0) || ' payable, '
                    || coalesce(p.spent, 0) || ' spent, ' || coalesce(p.inventory, 0) || ' inventory' AS reason
                 FROM currencies a LEFT JOIN codes c ON c.currency = a.currency
                 LEFT JOIN posted p ON p.currency = a.currency
                 WHERE coalesce(c.loaded, 0) <> coalesce(p.payable, 0)
                    OR coalesce(c.delivered, 0) <> coalesce(p.spent, 0)
                    OR coalesce(c.loaded, 0) - coalesce(c.delivered, 0) <> coalesce(p.inventory, 0)",
            ),
        }],
    },
];
