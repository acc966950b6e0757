//! The master keys that wrap, and the data keys that seal.
//!
//! A data key with `expires_at` seals what may be kept until then: when that has passed, its wrapped bytes are destroyed, and
//! with them everything that it sealed. Its row stays, and its life is never changed: what names it can be told from what is lost.

crate::dialect::migration! {
    "m05_keys",
    up: [
        "CREATE TABLE master_keys (
            version INTEGER PRIMARY KEY CHECK (version >= 1),
            canary {bytes} NOT NULL,
            created_at BIGINT NOT NULL,
            retired_at BIGINT
        )",
        "CREATE TABLE data_keys (
            id {text} PRIMARY KEY,
            master_version INTEGER NOT NULL REFERENCES master_keys (version),
            wrapped {bytes},
            purpose {text} NOT NULL,
            uses BIGINT NOT NULL CHECK (uses >= 0),
            created_at BIGINT NOT NULL,
            retired_at BIGINT,
            expires_at BIGINT,
            destroyed_at BIGINT,
            CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL)),
            CHECK (destroyed_at IS NULL OR destroyed_at >= coalesce(expires_at, destroyed_at + 1)),
            CHECK (destroyed_at IS NULL OR retired_at IS NOT NULL)
        )",
        "frozen data_keys (id, purpose, created_at, expires_at) when TRUE",
        "CREATE UNIQUE INDEX data_keys_one_active ON data_keys (purpose) WHERE retired_at IS NULL",
    ],
    down: ["DROP TABLE data_keys", "DROP TABLE master_keys"]
}
