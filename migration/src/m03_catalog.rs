//! Currencies, countries, categories, brands and products.

crate::dialect::migration! {
    "m03_catalog",
    up: [
        "CREATE TABLE currencies (
            code {text} PRIMARY KEY CHECK (length(code) = 3),
            numeric {text} NOT NULL,
            name {text} NOT NULL,
            minor_units INTEGER NOT NULL CHECK (minor_units BETWEEN 0 AND 4),
            settlement BOOLEAN NOT NULL
        )",
        "CREATE TABLE countries (
            code {text} PRIMARY KEY CHECK (length(code) = 2),
            alpha3 {text} NOT NULL UNIQUE,
            numeric {text} NOT NULL,
            name {text} NOT NULL,
            currency {text} REFERENCES currencies (code)
        )",
        "CREATE TABLE categories (
            slug {text} PRIMARY KEY,
            name {text} NOT NULL
        )",
        "CREATE TABLE brands (
            slug {text} PRIMARY KEY,
            name {text} NOT NULL,
            category_slug {text} NOT NULL REFERENCES categories (slug),
            delivery {text} NOT NULL CHECK (delivery IN ('CODE', 'DIRECT', 'TOPUP'))
        )",
        "CREATE TABLE products (
            id {text} PRIMARY KEY,
            brand_slug {text} NOT NULL REFERENCES brands (slug),
            category_slug {text} NOT NULL REFERENCES categories (slug),
            country_code {text} NOT NULL REFERENCES countries (code),
            name {text} NOT NULL,
            face_currency {text} NOT NULL REFERENCES currencies (code),
            denomination {text} NOT NULL CHECK (denomination IN ('FIXED', 'RANGE')),
            face_minor BIGINT CHECK (face_minor > 0),
            min_minor BIGINT CHECK (min_minor > 0),
            max_minor BIGINT CHECK (max_minor >= min_minor),
            step_minor BIGINT CHECK (step_minor > 0),
            unit_label {text},
            delivery {text} NOT NULL CHECK (delivery IN ('CODE', 'DIRECT', 'TOPUP')),
            recipient {text} CHECK (recipient IN ('PHONE', 'PLAYER_ID', 'USERNAME')),
            discount {text} NOT NULL,
            denomination_basis {text} NOT NULL,
            discount_basis {text} NOT NULL,
            status {text} NOT NULL CHECK (status IN ('ACTIVE', 'PAUSED', 'RETIRED')),
            max_quantity INTEGER NOT NULL CHECK (max_quantity BETWEEN 1 AND 1000),
            redemption_instructions {text},
            expiry_rule {text},
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            CHECK ((denomination = 'FIXED') = (face_minor IS NOT NULL)),
            CHECK ((denomination = 'RANGE') = (min_minor IS NOT NULL)),
            CHECK ((denomination = 'RANGE') = (max_minor IS NOT NULL)),
            CHECK ((denomination = 'RANGE') = (step_minor IS NOT NULL)),
            CHECK ((delivery = 'CODE') = (recipient IS NULL))
        )",
    ],
    down: [
        "DROP TABLE products",
        "DROP TABLE brands",
        "DROP TABLE categories",
        "DROP TABLE countries",
        "DROP TABLE currencies",
    ]
}
