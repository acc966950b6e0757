//! How sweeps of identity find what has had its time.

crate::dialect::migration! {
    "m09_identity_sweeps",
    up: [
        "CREATE INDEX refresh_tokens_by_end ON refresh_tokens (expires_at)",
        "CREATE INDEX refresh_tokens_sealed ON refresh_tokens (used_at) WHERE successor_sealed IS NOT NULL",
        "CREATE INDEX sessions_by_end ON sessions (expires_at)",
    ],
    down: [
        "DROP INDEX sessions_by_end",
        "DROP INDEX refresh_tokens_sealed",
        "DROP INDEX refresh_tokens_by_end",
    ]
}
