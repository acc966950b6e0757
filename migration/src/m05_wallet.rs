//! Wallets and the double-entry ledger.

crate::dialect::migration! {
    "m05_wallet",
    up: [
        "CREATE TABLE wallets (
            id {text} PRIMARY KEY,
            partner_id {text} NOT NULL REFERENCES partners (id),
            currency {text} NOT NULL REFERENCES currencies (code),
            available BIGINT NOT NULL CONSTRAINT wallets_available_not_negative CHECK (available >= 0),
            sequence BIGINT NOT NULL CHECK (sequence >= 0),
            created_at BIGINT NOT NULL,
            UNIQUE (partner_id, currency),
            UNIQUE (partner_id, id)
        ){hot}",
        "CREATE TABLE ledger_transactions (
            id {text} PRIMARY KEY,
            kind {text} NOT NULL CHECK (kind IN
                ('CREDIT', 'SALE', 'HOLD', 'CAPTURE', 'RELEASE', 'REFUND', 'ADJUSTMENT', 'STOCK_LOAD')),
            partner_id {text} REFERENCES partners (id),
            order_id {text},
            reference {text},
            note {text},
            created_at BIGINT NOT NULL,
            CHECK (kind NOT IN ('CREDIT', 'ADJUSTMENT') OR reference IS NOT NULL),
            CHECK (kind NOT IN ('SALE', 'HOLD', 'CAPTURE', 'RELEASE', 'REFUND') OR order_id IS NOT NULL),
            CHECK (kind IN ('ADJUSTMENT', 'STOCK_LOAD') OR partner_id IS NOT NULL),
            CHECK (order_id IS NULL OR partner_id IS NOT NULL)
            {sqlite:, FOREIGN KEY (partner_id, order_id) REFERENCES orders (partner_id, id)}
        )",
        "CREATE UNIQUE INDEX ledger_transactions_once ON ledger_transactions (partner_id, kind, reference)
            WHERE reference IS NOT NULL",
        "CREATE UNIQUE INDEX ledger_transactions_one_sale ON ledger_transactions (order_id) WHERE kind = 'SALE'",
        "CREATE UNIQUE INDEX ledger_transactions_one_hold ON ledger_transactions (order_id) WHERE kind = 'HOLD'",
        "CREATE TABLE postings (
            transaction_id {text} NOT NULL {sqlite:REFERENCES ledger_transactions (id)},
            line INTEGER NOT NULL CHECK (line >= 1),
            account {text} NOT NULL CHECK (account IN
                ('WALLET_AVAILABLE', 'WALLET_HELD', 'FUNDING', 'REVENUE_SALES', 'REVENUE_FX_MARGIN', 'REVENUE_FEES',
                 'REVENUE_ROUNDING', 'INVENTORY', 'COST_OF_GOODS', 'PAYABLE')),
            wallet_id {text},
            partner_id {text},
            currency {text} NOT NULL,
            scale INTEGER NOT NULL CHECK (scale BETWEEN 0 AND 6),
            amount BIGINT NOT NULL CHECK (amount <> 0),
            wallet_sequence BIGINT,
            balance_before BIGINT,
            balance_after BIGINT,
            created_at BIGINT NOT NULL,
            PRIMARY KEY (transaction_id, line),
            FOREIGN KEY (partner_id, wallet_id) REFERENCES wallets (partner_id, id),
            CHECK ((account IN ('WALLET_AVAILABLE', 'WALLET_HELD')) = (wallet_id IS NOT NULL)),
            CHECK ((wallet_id IS NULL) = (partner_id IS NULL)),
            CHECK ((account = 'WALLET_AVAILABLE') = (wallet_sequence IS NOT NULL)),
            CHECK ((account = 'WALLET_AVAILABLE') = (balance_before IS NOT NULL)),
            CHECK ((account = 'WALLET_AVAILABLE') = (balance_after IS NOT NULL)),
            CHECK (balance_after IS NULL OR (balance_after >= 0 AND balance_after = balance_before + amount))
        )",
        "CREATE UNIQUE INDEX postings_by_wallet ON postings (wallet_id, wallet_sequence)
            WHERE wallet_sequence IS NOT NULL",
        "child postings (transaction_id) of ledger_transactions (id)",
        "immutable ledger_transactions",
        "immutable postings",
    ],
    down: [
        "DROP TABLE postings",
        "postgres: DROP FUNCTION postings_no_orphans()",
        "DROP TABLE ledger_transactions",
        "DROP TABLE wallets",
    ]
}
