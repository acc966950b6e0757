//! Partners, their credentials, admins, and sessions.

crate::dialect::migration! {
    "m02_identity",
    up: [
        "CREATE TABLE partners (
            id {text} PRIMARY KEY,
            name {text} NOT NULL UNIQUE,
            status {text} NOT NULL CHECK (status IN ('ACTIVE', 'SUSPENDED')),
            default_currency {text} NOT NULL CHECK (length(default_currency) = 3),
            created_at BIGINT NOT NULL
        )",
        "CREATE TABLE admins (
            id {text} PRIMARY KEY,
            username {text} NOT NULL UNIQUE,
            password_hash {text} NOT NULL,
            created_at BIGINT NOT NULL
        )",
        "CREATE TABLE api_credentials (
            id {text} PRIMARY KEY,
            partner_id {text} NOT NULL REFERENCES partners (id),
            name {text} NOT NULL,
            username {text} NOT NULL UNIQUE,
            secret_hash {text} NOT NULL,
            scopes {text} NOT NULL,
            created_at BIGINT NOT NULL,
            last_used_at BIGINT,
            revoked_at BIGINT
        )",
        "CREATE INDEX api_credentials_by_partner ON api_credentials (partner_id, id)",
        "CREATE TABLE sessions (
            id {text} PRIMARY KEY,
            partner_id {text} REFERENCES partners (id),
            credential_id {text} REFERENCES api_credentials (id),
            admin_id {text} REFERENCES admins (id),
            scopes {text} NOT NULL,
            address {text},
            created_at BIGINT NOT NULL,
            expires_at BIGINT NOT NULL,
            revoked_at BIGINT,
            revoked_reason {text},
            CHECK ((partner_id IS NULL) = (credential_id IS NULL)),
            CHECK ((partner_id IS NULL) <> (admin_id IS NULL))
        )",
        "CREATE INDEX sessions_by_partner ON sessions (partner_id, id)",
        "CREATE INDEX sessions_by_credential ON sessions (credential_id)",
        "CREATE INDEX sessions_by_end ON sessions (expires_at)",
        "CREATE TABLE refresh_tokens (
            hash {bytes} PRIMARY KEY,
            session_id {text} NOT NULL REFERENCES sessions (id),
            issued_at BIGINT NOT NULL,
            expires_at BIGINT NOT NULL,
            used_at BIGINT,
            successor_hash {bytes},
            successor_sealed {bytes},
            CHECK ((used_at IS NULL) = (successor_hash IS NULL))
        )",
        "CREATE UNIQUE INDEX refresh_tokens_one_unused ON refresh_tokens (session_id) WHERE used_at IS NULL",
        "CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id)",
        "CREATE INDEX refresh_tokens_by_end ON refresh_tokens (expires_at)",
        "CREATE INDEX refresh_tokens_sealed ON refresh_tokens (used_at) WHERE successor_sealed IS NOT NULL",
        "CREATE TABLE login_throttles (
            key {text} PRIMARY KEY,
            theoretical_arrival_at BIGINT NOT NULL
        )",
    ],
    down: [
        "DROP TABLE login_throttles",
        "DROP TABLE refresh_tokens",
        "DROP TABLE sessions",
        "DROP TABLE api_credentials",
        "DROP TABLE admins",
        "DROP TABLE partners",
    ]
}
