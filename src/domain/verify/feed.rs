//! Checks of the feed: every change told once, in order, without gaps.

use super::{Check, Sql};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "each_step_is_told_once",
        invariant: Some("I18"),
        says: "the steps of an order number from 1 to its version without gaps, and each has exactly one event, of its kind",
        sql: Sql::Same(
            "SELECT o.id AS offender, 'its version is ' || o.version || ', its ' || coalesce(t.steps, 0)
                || ' steps reach to ' || coalesce(t.most, 0) AS reason
             FROM orders o LEFT JOIN (
                SELECT order_id, count(*) AS steps, max(version) AS most FROM order_transitions GROUP BY order_id
             ) t ON t.order_id = o.id
             WHERE o.version <> coalesce(t.steps, 0) OR o.version <> coalesce(t.most, 0)
             UNION ALL
             SELECT t.order_id, 'step ' || t.version || ' is told by ' || coalesce(e.events, 0) || ' events of its kind'
             FROM order_transitions t JOIN orders o ON o.id = t.order_id LEFT JOIN (
                SELECT partner_id, order_id, order_version, kind, count(*) AS events FROM events
                WHERE order_version IS NOT NULL GROUP BY partner_id, order_id, order_version, kind
             ) e ON e.order_id = t.order_id AND e.order_version = t.version AND e.partner_id = o.partner_id
                AND e.kind = CASE t.to_status WHEN 'PENDING' THEN 'order.created'
                    ELSE 'order.' || lower(t.to_status) END
             WHERE coalesce(e.events, 0) <> 1
             UNION ALL
             SELECT e.id, 'it tells a step that no order took'
             FROM events e LEFT JOIN order_transitions t ON t.order_id = e.order_id AND t.version = e.order_version
             WHERE e.order_version IS NOT NULL AND t.order_id IS NULL",
        ),
    },
    Check {
        name: "feeds_number_without_gaps",
        invariant: None,
        says: "the events of a partner number to the head of its feed without gaps",
        sql: Sql::Same(
            "SELECT h.partner_id AS offender, 'its head is ' || h.sequence || ', its ' || coalesce(e.events, 0)
                || ' events number ' || coalesce(e.least, 0) || ' to ' || coalesce(e.most, 0) AS reason
             FROM event_heads h LEFT JOIN (
                SELECT partner_id, count(*) AS events, min(sequence) AS least, max(sequence) AS most
                FROM events GROUP BY partner_id
             ) e ON e.partner_id = h.partner_id
             WHERE h.sequence <> coalesce(e.most, h.sequence)
                OR coalesce(e.events, 0) <> coalesce(e.most - e.least + 1, 0)
             UNION ALL
             SELECT e.partner_id, 'its feed has no head' FROM events e
             WHERE NOT EXISTS (SELECT 1 FROM event_heads h WHERE h.partner_id = e.partner_id) GROUP BY e.partner_id",
        ),
    },
    Check {
        name: "each_entry_is_told_once",
        invariant: None,
        says: "the events of a wallet tell its entries in order, each in exactly one, up to the last",
        sql: Sql::Each {
            sqlite: "WITH told AS MATERIALIZED (
                SELECT wallet_id, sequence, json_extract(payload, '$.first_entry') AS first_entry,
                    json_extract(payload, '$.last_entry') AS last_entry
                FROM events WHERE wallet_id IS NOT NULL
             ), followed AS (
                SELECT wallet_id, first_entry, last_entry,
                    lag(last_entry) OVER (PARTITION BY wallet_id ORDER BY sequence) AS previous FROM told
             ), reached AS (
                SELECT wallet_id, max(last_entry) AS last_entry FROM told GROUP BY wallet_id
             )
             SELECT f.wallet_id AS offender, 'an event tells entries ' || f.first_entry || ' to ' || f.last_entry
                || ' after ' || coalesce(f.previous, 0) AS reason
             FROM followed f
             WHERE (f.previous IS NOT NULL AND f.first_entry <> f.previous + 1) OR f.last_entry < f.first_entry
             UNION ALL
             SELECT p.wallet_id, 'its last entry is ' || p.last_entry || ', told are ' || coalesce(r.last_entry, 0)
             FROM (SELECT wallet_id, max(wallet_sequence) AS last_entry FROM postings
                WHERE wallet_sequence IS NOT NULL GROUP BY wallet_id) p
             LEFT JOIN reached r ON r.wallet_id = p.wallet_id
             WHERE p.last_entry <> coalesce(r.last_entry, 0)",
            postgres: "WITH told AS MATERIALIZED (
                SELECT wallet_id, sequence, CAST(CAST(payload AS json) ->> 'first_entry' AS BIGINT) AS first_entry,
                    CAST(CAST(payload AS json) ->> 'last_entry' AS BIGINT) AS last_entry
                FROM events WHERE wallet_id IS NOT NULL
             ), followed AS (
                SELECT wallet_id, first_entry, last_entry,
                    lag(last_entry) OVER (PARTITION BY wallet_id ORDER BY sequence) AS previous FROM told
             ), reached AS (
                SELECT wallet_id, max(last_entry) AS last_entry FROM told GROUP BY wallet_id
             )
             SELECT f.wallet_id AS offender, 'an event tells entries ' || f.first_entry || ' to ' || f.last_entry
                || ' after ' || coalesce(f.previous, 0) AS reason
             FROM followed f
             WHERE (f.previous IS NOT NULL AND f.first_entry <> f.previous + 1) OR f.last_entry < f.first_entry
             UNION ALL
             SELECT p.wallet_id, 'its last entry is ' || p.last_entry || ', told are ' || coalesce(r.last_entry, 0)
             FROM (SELECT wallet_id, max(wallet_sequence) AS last_entry FROM postings
                WHERE wallet_sequence IS NOT NULL GROUP BY wallet_id) p
             LEFT JOIN reached r ON r.wallet_id = p.wallet_id
             WHERE p.last_entry <> coalesce(r.last_entry, 0)",
        },
    },
];
