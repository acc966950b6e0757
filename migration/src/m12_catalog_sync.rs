//! Reading vendors' catalogs: whose turn it is, and which products came of it.
//!
//! `catalog_turns` is one small row a vendor: whoever reads its catalog has leased it.
//!
//! `catalog_products` are the products that a vendor's catalog brought. One that no vendor sells any more is paused, and
//! `withdrawn_at` says that it was this that paused it, and not the operator: then it is sold again by itself.
//!
//! What a vendor lists of an offer stands beside what the operator says of it, so that neither takes the other's place.

crate::dialect::migration! {
    "m12_catalog_sync",
    up: [
        "CREATE TABLE catalog_turns (
            vendor_id {text} PRIMARY KEY REFERENCES vendors (id),
            lease_until BIGINT NOT NULL,
            lease_epoch BIGINT NOT NULL,
            due_at BIGINT NOT NULL,
            read_until BIGINT,
            failures INTEGER NOT NULL CHECK (failures >= 0),
            failure {text}
        )",
        "CREATE TABLE catalog_products (
            product_id {text} PRIMARY KEY REFERENCES products (id),
            vendor_id {text} NOT NULL REFERENCES vendors (id),
            withdrawn_at BIGINT
        )",
        "CREATE INDEX catalog_products_by_vendor ON catalog_products (vendor_id, product_id)",
        "CREATE INDEX catalog_products_withdrawn ON catalog_products (product_id) WHERE withdrawn_at IS NOT NULL",
        "ALTER TABLE offers ADD COLUMN listed_min_face_minor BIGINT",
        "ALTER TABLE offers ADD COLUMN listed_max_face_minor BIGINT",
        "ALTER TABLE offers ADD COLUMN listed_max_quantity INTEGER CHECK (listed_max_quantity BETWEEN 1 AND 1000)",
        "ALTER TABLE offers ADD COLUMN listed_available BIGINT CHECK (listed_available >= 0)",
    ],
    down: [
        "ALTER TABLE offers DROP COLUMN listed_available",
        "ALTER TABLE offers DROP COLUMN listed_max_quantity",
        "ALTER TABLE offers DROP COLUMN listed_max_face_minor",
        "ALTER TABLE offers DROP COLUMN listed_min_face_minor",
        "DROP TABLE catalog_products",
        "DROP TABLE catalog_turns",
    ]
}
