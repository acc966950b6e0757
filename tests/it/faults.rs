//! Faults of the machine, the network, the database and the vendors, alone and together (F1 to F30 of the fault matrix, as far
//! as vendors and orders meet them).
//! Always true: whatever happened, in the end every order has ended, the books are whole, vendors' books say what ours say, and
//! nothing was bought twice. `make test` runs a part of each proof, `make soak` all of it.

mod database;
mod kills;
mod signals;
mod storms;

use crate::support::app::TestApp;
use crate::support::database::Dialect;

/// Lets time pass for what waits for it in a database that no process works on: leases have run out, vendors that were left alone
/// are tried again, and what is to be asked later is asked now.
async fn let_time_pass(app: &TestApp) {
    for sql in [
        "UPDATE workers SET lease_until = 0",
        "UPDATE orders SET lease_until = NULL WHERE completed_at IS NULL",
    ] {
        app.database.execute(sql).await;
    }
    hurry(app).await;
}

/// Has asked now what was to be asked later, beside processes that go by the machine's clock. One that writes the same rows at
/// the same time is left alone: there is a next time.
async fn hurry(app: &TestApp) {
    // Row by row, and past those that are being written: who waits for several rows may wait in a circle with the processes.
    let locking = match app.database.dialect() {
        Dialect::Postgres => "FOR UPDATE SKIP LOCKED",
        Dialect::Sqlite => "",
    };
    for (table, key, change, rows) in [
        ("vendor_health", "vendor_id, product_id", "open_until = 0", "open_until > 0"),
        ("purchases", "id", "next_at = 0", "next_at > 0 AND ended_at IS NULL"),
        ("order_units", "order_id, unit_index", "next_at = 0", "next_at > 0 AND status = 'PENDING'"),
    ] {
        let sql = format!(
            "UPDATE {table} SET {change} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {rows} {locking})"
        );
        let _ = app.database.try_execute(&sql).await;
    }
}
