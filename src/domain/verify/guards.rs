//! Checks of the guards: what must never change, or stand alone, is protected by the database itself.

use super::{Breach, Check, Sql};

/// Each guarded table with the triggers that `migration` makes for it, by the verb that they refuse.
macro_rules! missing {
    ($verbs:literal, $found:literal) => {
        concat!(
            "WITH guarded (name) AS (VALUES ('postings'), ('ledger_transactions'), ('unit_settlements'),
                ('order_transitions'), ('stock_moves'), ('charges'), ('audit_log'), ('events'), ('orders'), ('order_units'),
                ('vouchers'), ('purchases'), ('attempts'), ('purchase_calls'), ('receipts'), ('offer_costs'), ('goodwill_refunds'),
                ('data_keys')
             ), refused (verb) AS (VALUES ",
            $verbs,
            "), wanted (name, verb) AS (
                SELECT t.name, r.verb FROM guarded t CROSS JOIN refused r
                UNION ALL VALUES ('postings', 'orphans'), ('order_transitions', 'orphans'), ('purchase_calls', 'orphans'),
                    ('purchases', 'reopening'), ('attempts', 'reopening'), ('order_units', 'early_end')
             )
             SELECT t.name || '_no_' || t.verb AS offender, 'the trigger is missing' AS reason
             FROM wanted t WHERE NOT EXISTS (",
            $found,
            ")"
        )
    };
}

pub(super) const CHECKS: &[Check] = &[Check {
    name: "the_database_guards_its_rows",
    invariant: None,
    says: "the database refuses every change of the ledger, settlements, steps, moves, charges, events, calls, receipts, costs, \
           refunds and the audit log, of orders, units, codes and purchases that have ended, of what is asked in a purchase, and of \
           the ends of data keys, the end of a unit with an open purchase, and rows of the ledger and of histories that belong to nothing",
    breaches: &[Breach {
        name: "missing_trigger",
        sql: Sql::Each {
            sqlite: missing!(
                "('update'), ('delete')",
                "SELECT 1 FROM sqlite_master m
                 WHERE m.type = 'trigger' AND m.tbl_name = t.name AND m.name = t.name || '_no_' || t.verb"
            ),
            // Neither disabled nor for replicas alone.
            postgres: missing!(
                "('update'), ('delete'), ('truncate')",
                "SELECT 1 FROM pg_trigger g WHERE g.tgrelid = to_regclass(t.name)
                    AND g.tgname = t.name || '_no_' || t.verb AND g.tgenabled IN ('O', 'A')"
            ),
        },
    }],
}];
