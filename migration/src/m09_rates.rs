//! Polling a provider of rates: whose turn it is, and what is wrong with which rate.

crate::dialect::migration! {
    "m09_rates",
    up: [
        "CREATE TABLE rate_polls (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            lease_until BIGINT NOT NULL,
            lease_epoch BIGINT NOT NULL,
            due_at BIGINT NOT NULL,
            failures INTEGER NOT NULL CHECK (failures >= 0),
            tried_at BIGINT,
            succeeded_at BIGINT,
            source {text},
            failure {text}
        )",
        "INSERT INTO rate_polls (id, lease_until, lease_epoch, due_at, failures) VALUES (1, 0, 0, 0, 0)",
        "CREATE TABLE rate_troubles (
            quote {text} NOT NULL REFERENCES currencies (code),
            kind {text} NOT NULL CHECK (kind IN ('JUMP', 'AGING')),
            since BIGINT NOT NULL,
            rate {text},
            source {text},
            as_of BIGINT,
            PRIMARY KEY (quote, kind),
            CHECK (kind <> 'JUMP' OR (rate IS NOT NULL AND source IS NOT NULL AND as_of IS NOT NULL))
        )",
    ],
    down: [
        "DROP TABLE rate_troubles",
        "DROP TABLE rate_polls",
    ]
}
