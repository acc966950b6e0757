//! Faults of the machine, the network, the database and the vendors, alone and together (F1 to F30 of the fault matrix, as far
//! as vendors and orders meet them).
//! Always true: whatever happened, in the end every order has ended, the books are whole, vendors' books say what ours say, and
//! nothing was bought twice. `make test` runs a part of each proof, `make soak` all of it.

mod database;
mod kills;
mod signals;
mod storms;

use crate::support::app::TestApp;

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
    for sql in [
        "UPDATE vendor_health SET open_until = 0 WHERE open_until > 0",
        "UPDATE purchases SET next_at = 0 WHERE next_at > 0 AND ended_at IS NULL",
        "UPDATE order_units SET next_at = 0 WHERE next_at > 0 AND status = 'PENDING'",
    ] {
        let _ = app.database.try_execute(sql).await;
    }
}
