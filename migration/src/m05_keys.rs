//! The master keys that wrap, and the data keys that seal.

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
            retired_at BIGINT
        )",
        "CREATE UNIQUE INDEX data_keys_one_active ON data_keys (purpose) WHERE retired_at IS NULL",
    ],
    down: ["DROP TABLE data_keys", "DROP TABLE master_keys"]
}
