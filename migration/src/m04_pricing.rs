//! Rates, price rules and charges.

crate::dialect::migration! {
    "m04_pricing",
    up: [
        "CREATE TABLE exchange_rates (
            base {text} NOT NULL REFERENCES currencies (code),
            quote {text} NOT NULL REFERENCES currencies (code),
            rate {text} NOT NULL,
            source {text} NOT NULL,
            as_of BIGINT NOT NULL,
            imported_at BIGINT NOT NULL,
            PRIMARY KEY (base, quote)
        )",
        "CREATE TABLE price_rules (
            id {text} PRIMARY KEY,
            kind {text} NOT NULL CHECK (kind IN ('DISCOUNT', 'FEE', 'MARGIN')),
            partner_id {text} REFERENCES partners (id),
            subject_kind {text} NOT NULL CHECK (subject_kind IN ('PRODUCT', 'BRAND', 'CATEGORY', 'ALL')),
            subject {text} NOT NULL,
            value {text} NOT NULL,
            currency {text} REFERENCES currencies (code),
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            CHECK ((kind = 'FEE') = (currency IS NOT NULL)),
            CHECK ((subject_kind = 'ALL') = (subject = ''))
        )",
        "CREATE UNIQUE INDEX price_rules_one_each ON price_rules
            (kind, coalesce(partner_id, ''), subject_kind, subject, coalesce(currency, ''))",
        "CREATE TABLE charges (
            id {text} PRIMARY KEY,
            partner_id {text} NOT NULL REFERENCES partners (id),
            product_id {text} NOT NULL REFERENCES products (id),
            quantity INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 1000),
            face_minor BIGINT NOT NULL CHECK (face_minor > 0),
            face_currency {text} NOT NULL,
            currency {text} NOT NULL,
            discount {text} NOT NULL,
            discount_rule {text} NOT NULL,
            fee_minor BIGINT NOT NULL CHECK (fee_minor >= 0),
            fee_rule {text} NOT NULL,
            rate {text} NOT NULL,
            rate_source {text},
            rate_as_of BIGINT,
            margin_bps INTEGER NOT NULL,
            margin_rule {text},
            unit_price_minor BIGINT NOT NULL CHECK (unit_price_minor > 0),
            unit_sales_minor BIGINT NOT NULL,
            unit_fx_minor BIGINT NOT NULL,
            unit_fee_minor BIGINT NOT NULL,
            unit_rounding_minor BIGINT NOT NULL,
            total_minor BIGINT NOT NULL,
            created_at BIGINT NOT NULL,
            expires_at BIGINT NOT NULL,
            CHECK (total_minor = unit_price_minor * quantity),
            CHECK (unit_price_minor = unit_sales_minor + unit_fx_minor + unit_fee_minor + unit_rounding_minor),
            UNIQUE (partner_id, id)
        )",
        "CREATE INDEX charges_by_expiry ON charges (expires_at)",
        "kept charges while EXISTS (SELECT 1 FROM orders o WHERE o.charge_id = OLD.id)",
    ],
    down: [
        "DROP TABLE charges",
        "postgres: DROP FUNCTION charges_no_delete()",
        "DROP TABLE price_rules",
        "DROP TABLE exchange_rates",
    ]
}
