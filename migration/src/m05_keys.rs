//! The master keys that wrap, and the data keys that seal.
//!
//! What a key with an end has sealed can be opened until the key is destroyed: then nothing is left of it but its row, and no
//! master key gives back what it sealed. The end is said when it is made, and never put off.

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
            wrapped {bytes} NOT NULL,
            purpose {text} NOT NULL,
            uses BIGINT NOT NULL CHECK (uses >= 0),
            created_at BIGINT NOT NULL,
            retired_at BIGINT,
            expires_at BIGINT,
            destroyed_at BIGINT,
            CHECK ((destroyed_at IS NULL) = (length(wrapped) > 0)),
            CHECK (destroyed_at IS NULL OR (retired_at IS NOT NULL AND expires_at IS NOT NULL AND expires_at <= destroyed_at))
        )",
        "frozen data_keys (id, purpose, created_at, expires_at) when TRUE",
        "CREATE UNIQUE INDEX data_keys_one_active ON data_keys (purpose) WHERE retired_at IS NULL",
        "CREATE INDEX data_keys_to_destroy ON data_keys (expires_at)
            WHERE destroyed_at IS NULL AND expires_at IS NOT NULL",
    ],
    down: ["DROP TABLE data_keys", "DROP TABLE master_keys"]
}
