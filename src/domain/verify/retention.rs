//! Checks of how long codes are kept: as long as they must be, and no longer than they may be.

use super::{Breach, Check, Sql};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "codes_are_there_as_long_as_they_must_be",
        invariant: None,
        says: "a code without contents is at the vendor that sold it; a key is destroyed only behind the time of all that it \
               sealed, and stock has no such time",
        breaches: &[
            Breach {
                name: "without_contents",
                sql: Sql::Same(
                    "SELECT v.id AS offender, 'its contents are neither here nor at a vendor' AS reason FROM vouchers v
                     LEFT JOIN purchases p ON p.id = v.purchase_id AND p.state = 'DELIVERED'
                     WHERE v.sealed IS NULL AND p.id IS NULL",
                ),
            },
            Breach {
                name: "destroyed_too_early",
                sql: Sql::Same(
                    "SELECT v.id AS offender, 'its key was destroyed before its time had passed' AS reason
                     FROM vouchers v JOIN data_keys k ON k.id = v.data_key_id
                     WHERE k.destroyed_at IS NOT NULL AND (v.state <> 'DELIVERED' OR v.retention_secs IS NULL
                        OR k.destroyed_at < v.delivered_at + v.retention_secs * 1000000)",
                ),
            },
            Breach {
                name: "key_ends_too_early",
                sql: Sql::Same(
                    "SELECT v.id AS offender, 'its key will be destroyed before its time has passed' AS reason
                     FROM vouchers v JOIN data_keys k ON k.id = v.data_key_id
                     WHERE k.destroyed_at IS NULL AND k.expires_at IS NOT NULL AND (v.retention_secs IS NULL
                        OR (v.state = 'DELIVERED' AND k.expires_at < v.delivered_at + v.retention_secs * 1000000))",
                ),
            },
            Breach {
                name: "stock_with_an_end",
                sql: Sql::Same(
                    "SELECT v.id AS offender, 'it is in stock, and not kept for good' AS reason
                     FROM vouchers v WHERE v.state = 'AVAILABLE' AND v.retention_secs IS NOT NULL",
                ),
            },
        ],
    },
    Check {
        name: "codes_are_gone_when_they_must_be",
        invariant: None,
        says: "a code that is kept for a time is sealed by a key that ends with it, and such a key is destroyed within an hour \
               after its end",
        breaches: &[
            Breach {
                name: "key_without_end",
                sql: Sql::Same(
                    "SELECT v.id AS offender, 'it is kept for a time, and its key for good' AS reason
                     FROM vouchers v JOIN data_keys k ON k.id = v.data_key_id
                     WHERE v.retention_secs IS NOT NULL AND k.expires_at IS NULL",
                ),
            },
            Breach {
                name: "key_ends_too_late",
                sql: Sql::Same(
                    "SELECT v.id AS offender, 'its key outlives it by more than a day' AS reason
                     FROM vouchers v JOIN data_keys k ON k.id = v.data_key_id
                     WHERE v.state = 'DELIVERED'
                        AND k.expires_at > v.delivered_at + (v.retention_secs + 86400) * 1000000",
                ),
            },
            Breach {
                name: "key_is_whole",
                sql: Sql::Same(
                    "SELECT k.id AS offender, 'its time has passed, and it is not destroyed' AS reason
                     FROM data_keys k WHERE k.destroyed_at IS NULL AND k.expires_at < {now} - 3600000000
                        AND NOT EXISTS (SELECT 1 FROM vouchers v
                            WHERE v.data_key_id = k.id AND v.state = 'RESERVED' AND v.retention_secs IS NOT NULL)",
                ),
            },
        ],
    },
];
