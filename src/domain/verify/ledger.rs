//! Checks of the ledger: transactions, wallets, entries.

use super::{Breach, Check, Sql};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "transactions_balance",
        invariant: Some("I1"),
        says: "the lines of a ledger transaction sum to nought in each currency and scale, and none is without lines",
        breaches: &[
            Breach {
                name: "unbalanced",
                sql: Sql::Same(
                    "SELECT p.transaction_id AS offender, 'its lines in ' || p.currency || ' do not sum to nought' AS reason
                     FROM postings p GROUP BY p.transaction_id, p.currency, p.scale HAVING sum(p.amount) <> 0",
                ),
            },
            Breach {
                name: "without_lines",
                sql: Sql::Same(
                    "SELECT t.id AS offender, 'it has no lines' AS reason FROM ledger_transactions t
                     WHERE NOT EXISTS (SELECT 1 FROM postings p WHERE p.transaction_id = t.id)",
                ),
            },
        ],
    },
    Check {
        name: "wallets_are_their_entries",
        invariant: Some("I2"),
        says: "what a wallet has available is the sum of its entries",
        breaches: &[Breach {
            name: "another_sum",
            sql: Sql::Same(
                "SELECT w.id AS offender, 'available is ' || w.available || ', its entries sum to '
                    || coalesce(e.total, 0) AS reason
                 FROM wallets w LEFT JOIN (
                    SELECT wallet_id, sum(amount) AS total FROM postings WHERE account = 'WALLET_AVAILABLE'
                    GROUP BY wallet_id
                 ) e ON e.wallet_id = w.id
                 WHERE w.available <> coalesce(e.total, 0)",
            ),
        }],
    },
    Check {
        name: "nothing_is_overdrawn",
        invariant: Some("I4"),
        says: "no wallet has less than nothing, now or after any of its entries",
        breaches: &[
            Breach {
                name: "now",
                sql: Sql::Same(
                    "SELECT w.id AS offender, 'available is below nought' AS reason FROM wallets w WHERE w.available < 0",
                ),
            },
            Breach {
                name: "after_an_entry",
                sql: Sql::Same(
                    "SELECT p.wallet_id AS offender, 'entry ' || p.wallet_sequence || ' left it below nought' AS reason
                     FROM postings p WHERE p.account = 'WALLET_AVAILABLE' AND p.balance_after < 0",
                ),
            },
        ],
    },
    Check {
        name: "held_money_is_of_open_units",
        invariant: Some("I5"),
        says: "what a wallet holds is the price of the open units that it pays for",
        breaches: &[Breach {
            name: "another_sum",
            sql: Sql::Same(
                "SELECT w.id AS offender, 'held is ' || coalesce(h.total, 0) || ', its open units cost '
                    || coalesce(u.total, 0) AS reason
                 FROM wallets w LEFT JOIN (
                    SELECT wallet_id, sum(amount) AS total FROM postings WHERE account = 'WALLET_HELD' GROUP BY wallet_id
                 ) h ON h.wallet_id = w.id LEFT JOIN (
                    SELECT o.wallet_id, sum(u.price_minor) AS total
                    FROM order_units u JOIN orders o ON o.id = u.order_id
                    WHERE u.status IN ('PENDING', 'AWAITING_VENDOR') AND u.funding = 'HOLD' GROUP BY o.wallet_id
                 ) u ON u.wallet_id = w.id
                 WHERE coalesce(h.total, 0) <> coalesce(u.total, 0)",
            ),
        }],
    },
    Check {
        name: "entries_number_without_gaps",
        invariant: Some("I6"),
        says: "the entries of a wallet number from 1 to its sequence without gaps, each number once",
        breaches: &[Breach {
            name: "gap",
            // The numbers are counted apart: of 1, 2, 2, 4 there are as many as the last one says.
            sql: Sql::Same(
                "SELECT w.id AS offender, 'its sequence is ' || w.sequence || ', its ' || coalesce(e.entries, 0)
                    || ' entries have ' || coalesce(e.numbers, 0) || ' numbers from ' || coalesce(e.least, 0) || ' to '
                    || coalesce(e.most, 0) AS reason
                 FROM wallets w LEFT JOIN (
                    SELECT wallet_id, count(*) AS entries, count(DISTINCT wallet_sequence) AS numbers,
                        min(wallet_sequence) AS least, max(wallet_sequence) AS most
                    FROM postings WHERE wallet_sequence IS NOT NULL GROUP BY wallet_id
                 ) e ON e.wallet_id = w.id
                 WHERE w.sequence <> coalesce(e.entries, 0) OR w.sequence <> coalesce(e.numbers, 0)
                    OR w.sequence <> coalesce(e.most, 0) OR coalesce(e.least, 1) <> 1",
            ),
        }],
    },
    Check {
        name: "running_balances_follow",
        invariant: Some("I7"),
        says: "an entry begins with the balance that the one before it left, and ends with its amount added",
        breaches: &[Breach {
            name: "another_balance",
            sql: Sql::Same(
                "SELECT e.wallet_id AS offender, 'entry ' || e.wallet_sequence || ' does not follow from the one before'
                    AS reason
                 FROM (
                    SELECT wallet_id, wallet_sequence, amount, balance_before, balance_after,
                        lag(balance_after) OVER (PARTITION BY wallet_id ORDER BY wallet_sequence) AS previous
                    FROM postings WHERE wallet_sequence IS NOT NULL
                 ) e
                 WHERE e.balance_before <> coalesce(e.previous, 0) OR e.balance_after <> e.balance_before + e.amount",
            ),
        }],
    },
    Check {
        name: "entries_are_their_wallets",
        invariant: None,
        says: "an entry has the partner, currency and digits of its wallet, and a cost is at scale 6",
        breaches: &[
            Breach {
                name: "other_terms",
                sql: Sql::Same(
                    "SELECT p.transaction_id AS offender, 'line ' || p.line || ' is not in its wallet''s terms' AS reason
                     FROM postings p JOIN wallets w ON w.id = p.wallet_id JOIN currencies c ON c.code = w.currency
                     WHERE p.currency <> w.currency OR p.partner_id <> w.partner_id OR p.scale <> c.minor_units",
                ),
            },
            Breach {
                name: "cost_of_another_scale",
                sql: Sql::Same(
                    "SELECT p.transaction_id AS offender, 'line ' || p.line || ' is a cost of another scale' AS reason
                     FROM postings p
                     WHERE p.account IN ('INVENTORY', 'COST_OF_GOODS', 'PAYABLE') AND p.scale <> 6",
                ),
            },
        ],
    },
];
