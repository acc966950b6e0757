//! The audit log: who did what, for ever.

crate::dialect::migration! {
    "m07_audit",
    up: [
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
    down: ["DROP TABLE audit_log"]
}
