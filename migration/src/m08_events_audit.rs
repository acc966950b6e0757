//! The event feed and the audit log.
//!
//! The head of a feed says what is kept: the events from number `kept_from` on, among them all since `kept_since`. Only older
//! ones can be removed.

crate::dialect::migration! {
    "m08_events_audit",
    up: [
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
        "CREATE TABLE audit_log (
            id {text} PRIMARY KEY,
            at BIGINT NOT NULL,
            actor_kind {text} NOT NULL CHECK (actor_kind IN ('partner', 'admin', 'system')),
            actor_id {text},
            partner_id {text},
            session_id {text},
            action {text} NOT NULL,
            subject {text} NOT NULL,
            request_id {text},
            address {text},
            detail {text} NOT NULL
        )",
        "CREATE INDEX audit_log_by_subject ON audit_log (subject, id)",
        "CREATE INDEX audit_log_by_partner ON audit_log (partner_id, id)",
        "immutable audit_log",
    ],
    down: [
        "DROP TABLE audit_log",
        "DROP TABLE events",
        "postgres: DROP FUNCTION events_no_delete()",
        "DROP TABLE event_heads",
    ]
}
