//! Checks of the guards: what must never change is protected by the database itself.

use super::{Check, Sql};

pub(super) const CHECKS: &[Check] = &[Check {
    name: "append_only_tables_are_guarded",
    invariant: None,
    says: "the database refuses every change of the ledger, settlements, steps, moves, charges and the audit log",
    sql: Sql::Each {
        sqlite: "SELECT t.name AS offender, 'a trigger that refuses changes is missing' AS reason
             FROM (SELECT 'postings' AS name UNION SELECT 'ledger_transactions' UNION SELECT 'unit_settlements'
                UNION SELECT 'order_transitions' UNION SELECT 'stock_moves' UNION SELECT 'charges'
                UNION SELECT 'audit_log') t
             WHERE (SELECT count(*) FROM sqlite_master m WHERE m.type = 'trigger' AND m.tbl_name = t.name
                AND m.name IN (t.name || '_no_update', t.name || '_no_delete')) <> 2",
        postgres: "SELECT t.name AS offender, 'a trigger that refuses changes is missing' AS reason
             FROM (VALUES ('postings'), ('ledger_transactions'), ('unit_settlements'), ('order_transitions'),
                ('stock_moves'), ('charges'), ('audit_log')) AS t (name)
             WHERE (SELECT count(*) FROM pg_trigger g WHERE g.tgrelid = to_regclass(t.name) AND g.tgenabled <> 'D'
                AND g.tgname IN (t.name || '_append_only', t.name || '_no_truncate')) <> 2",
    },
}];
