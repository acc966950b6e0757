//! What the database is for, and the versions of what servers keep in memory.

crate::dialect::migration! {
    "m01_installation",
    up: [
        "CREATE TABLE installation (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            environment {text} NOT NULL CHECK (environment IN ('production', 'sandbox')),
            created_at BIGINT NOT NULL
        )",
        "CREATE TABLE versions (
            subject {text} PRIMARY KEY,
            version BIGINT NOT NULL
        )",
        "INSERT INTO versions (subject, version) VALUES ('catalog', 1), ('rates', 1), ('price_rules', 1), ('keys', 1)",
        "postgres: CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION '% keeps its rows as they are', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$",
    ],
    down: ["DROP TABLE versions", "DROP TABLE installation", "postgres: DROP FUNCTION refuse_change()"]
}
