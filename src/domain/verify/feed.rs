//! Checks of the feed: every change told once, in order, without gaps, for as long as events are kept.

use super::{Breach, Check, Sql};

/// What the events of wallets tell, in their order, with the words in which the engines read JSON.
macro_rules! told_entries {
    ($first_entry:literal, $last_entry:literal, $then:literal) => {
        concat!(
            "WITH told AS MATERIALIZED (
                SELECT e.wallet_id, e.sequence, h.kept_from, ",
            $first_entry,
            " AS first_entry, ",
            $last_entry,
            " AS last_entry
                FROM events e JOIN event_heads h ON h.partner_id = e.partner_id WHERE e.wallet_id IS NOT NULL
             ) ",
            $then
        )
    };
}

macro_rules! told_entries_on_each {
    ($then:literal) => {
        Sql::Each {
            sqlite: told_entries!(
                "json_extract(e.payload, '$.first_entry')",
                "json_extract(e.payload, '$.last_entry')",
                $then
            ),
            postgres: told_entries!(
                "CAST(CAST(e.payload AS json) ->> 'first_entry' AS BIGINT)",
                "CAST(CAST(e.payload AS json) ->> 'last_entry' AS BIGINT)",
                $then
            ),
        }
    };
}

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "each_step_is_told_once",
        invariant: Some("I18"),
        says: "the steps of an order number from 1 to its version without gaps, and each has exactly one event, of its kind, \
               unless that was so old that it was removed",
        breaches: &[
            Breach {
                name: "gap",
                sql: Sql::Same(
                    "SELECT o.id AS offender, 'its version is ' || o.version || ', its ' || coalesce(t.steps, 0)
                        || ' steps have ' || coalesce(t.numbers, 0) || ' numbers from ' || coalesce(t.least, 0) || ' to '
                        || coalesce(t.most, 0) AS reason
                     FROM orders o LEFT JOIN (
                        SELECT order_id, count(*) AS steps, count(DISTINCT version) AS numbers, min(version) AS least,
                            max(version) AS most FROM order_transitions GROUP BY order_id
                     ) t ON t.order_id = o.id
                     WHERE o.version <> coalesce(t.steps, 0) OR o.version <> coalesce(t.numbers, 0)
                        OR o.version <> coalesce(t.most, 0) OR coalesce(t.least, 1) <> 1",
                ),
            },
            Breach { name: "untold", sql: Sql::Same(STEPS_AGAINST_EVENTS) },
            Breach {
                name: "invented",
                sql: Sql::Same(
                    "SELECT e.id AS offender, 'it tells a step that no order took' AS reason
                     FROM events e LEFT JOIN order_transitions t ON t.order_id = e.order_id AND t.version = e.order_version
                     WHERE e.order_version IS NOT NULL AND t.order_id IS NULL",
                ),
            },
        ],
    },
    Check {
        name: "events_are_their_partners",
        invariant: None,
        says: "an event is about an order or a wallet of the partner whose feed it is in",
        breaches: &[Breach {
            name: "foreign",
            sql: Sql::Same(
                "SELECT e.id AS offender, 'it is about nothing of its partner' AS reason
                 FROM events e LEFT JOIN orders o ON o.id = e.order_id LEFT JOIN wallets w ON w.id = e.wallet_id
                 WHERE coalesce(o.partner_id, w.partner_id, '') <> e.partner_id",
            ),
        }],
    },
    Check {
        name: "feeds_number_without_gaps",
        invariant: None,
        says: "the events of a partner number from the first that is kept to the head of its feed without gaps, and the first \
               is 1 as long as none was removed",
        breaches: &[
            Breach {
                name: "gap",
                sql: Sql::Same(
                    "SELECT h.partner_id AS offender, 'it keeps ' || h.kept_from || ' to ' || h.sequence || ', its '
                        || coalesce(e.events, 0) || ' events have ' || coalesce(e.numbers, 0) || ' numbers from '
                        || coalesce(e.least, 0) || ' to ' || coalesce(e.most, 0) AS reason
                     FROM event_heads h LEFT JOIN (
                        SELECT partner_id, count(*) AS events, count(DISTINCT sequence) AS numbers,
                            min(sequence) AS least, max(sequence) AS most
                        FROM events GROUP BY partner_id
                     ) e ON e.partner_id = h.partner_id
                     WHERE coalesce(e.events, 0) <> h.sequence - h.kept_from + 1
                        OR coalesce(e.numbers, 0) <> h.sequence - h.kept_from + 1
                        OR coalesce(e.least, h.kept_from) <> h.kept_from OR coalesce(e.most, h.sequence) <> h.sequence",
                ),
            },
            Breach {
                name: "without_head",
                sql: Sql::Same(
                    "SELECT e.partner_id AS offender, 'its feed has no head' AS reason FROM events e
                     WHERE NOT EXISTS (SELECT 1 FROM event_heads h WHERE h.partner_id = e.partner_id)
                     GROUP BY e.partner_id",
                ),
            },
        ],
    },
    Check {
        name: "each_entry_is_told_once",
        invariant: None,
        says: "the events of a wallet tell its entries in order, each in exactly one, from 1 or the first that is kept to the last",
        breaches: &[
            Breach {
                name: "out_of_order",
                sql: told_entries_on_each!(
                    "SELECT f.wallet_id AS offender, 'an event tells entries ' || f.first_entry || ' to ' || f.last_entry
                        || ' after ' || coalesce(f.previous, 0) AS reason
                     FROM (
                        SELECT wallet_id, first_entry, last_entry, kept_from,
                            lag(last_entry) OVER (PARTITION BY wallet_id ORDER BY sequence) AS previous FROM told
                     ) f
                     WHERE f.last_entry < f.first_entry OR (f.first_entry <> coalesce(f.previous, 0) + 1
                        AND NOT (f.previous IS NULL AND f.kept_from > 1))"
                ),
            },
            Breach {
                name: "untold",
                sql: told_entries_on_each!(
                    "SELECT p.wallet_id AS offender, 'its last entry is ' || p.last_entry || ', told are '
                        || coalesce(r.last_entry, 0) AS reason
                     FROM (
                        SELECT partner_id, wallet_id, max(wallet_sequence) AS last_entry, max(created_at) AS moved_at
                        FROM postings WHERE wallet_sequence IS NOT NULL GROUP BY partner_id, wallet_id
                     ) p
                     LEFT JOIN (SELECT wallet_id, max(last_entry) AS last_entry FROM told GROUP BY wallet_id) r
                        ON r.wallet_id = p.wallet_id
                     LEFT JOIN event_heads h ON h.partner_id = p.partner_id
                     WHERE p.last_entry <> coalesce(r.last_entry, 0)
                        AND NOT (r.wallet_id IS NULL AND p.moved_at < coalesce(h.kept_since, 0))"
                ),
            },
        ],
    },
];

/// A step that was taken before `kept_since` may have lost its event with the beginning of the feed.
const STEPS_AGAINST_EVENTS: &str = "
    SELECT t.order_id AS offender, 'step ' || t.version || ' is told by ' || coalesce(e.events, 0) || ' events of its kind'
        AS reason
    FROM order_transitions t JOIN orders o ON o.id = t.order_id
    LEFT JOIN event_heads h ON h.partner_id = o.partner_id
    LEFT JOIN (
        SELECT partner_id, order_id, order_version, kind, count(*) AS events FROM events
        WHERE order_version IS NOT NULL GROUP BY partner_id, order_id, order_version, kind
    ) e ON e.order_id = t.order_id AND e.order_version = t.version AND e.partner_id = o.partner_id
        AND e.kind = CASE t.to_status WHEN 'PENDING' THEN 'order.created' ELSE 'order.' || lower(t.to_status) END
    WHERE coalesce(e.events, 0) <> 1
        AND NOT (coalesce(e.events, 0) = 0 AND t.at < coalesce(h.kept_since, 0))";
