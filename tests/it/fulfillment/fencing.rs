//! Purchases that a worker holds by their rows alone, and those that it has under way and does not hold any more.
//! Always true: what one worker let go of another takes up, and nobody sends what another has taken over.
//! Not here: processes that die or sleep (`workers.rs`, `faults/signals.rs`).

use super::{end, input};
use crate::orders::order;
use crate::support::app::TestApp;
use crate::support::catalog::EURO_20;
use crate::support::database::Dialect;
use crate::support::poll;
use crate::support::vendor::{Terms, TestVendor, assert_agreed};

/// Has the database refuse every record of a call.
async fn refuse_records(app: &TestApp) {
    let sql = match app.database.dialect() {
        Dialect::Sqlite => "CREATE TRIGGER full BEFORE INSERT ON purchase_calls BEGIN SELECT RAISE(ABORT, 'full'); END",
        Dialect::Postgres => {
            "CREATE FUNCTION is_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'full'; END $$;
             CREATE TRIGGER full_disk BEFORE INSERT ON purchase_calls FOR EACH ROW EXECUTE FUNCTION is_full()"
        }
    };
    app.database.execute(sql).await;
}

async fn take_records(app: &TestApp) {
    let sql = match app.database.dialect() {
        Dialect::Sqlite => "DROP TRIGGER full",
        Dialect::Postgres => "DROP TRIGGER full_disk ON purchase_calls; DROP FUNCTION is_full()",
    };
    app.database.execute(sql).await;
}

/// Has another worker take over every purchase in the moment in which it is to be sent again.
async fn steal_what_is_sent_again(app: &TestApp) {
    let steal = "UPDATE purchases SET epoch = epoch + 1, worker_id = NULL, next_at = 0, state = 'UNKNOWN' WHERE id = NEW.id;";
    let sql = match app.database.dialect() {
        Dialect::Sqlite => {
            format!("CREATE TRIGGER thief AFTER UPDATE ON purchases WHEN NEW.sends > OLD.sends BEGIN {steal} END")
        }
        Dialect::Postgres => format!(
            "CREATE FUNCTION steal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {steal} RETURN NULL; END $$;
             CREATE TRIGGER thief AFTER UPDATE ON purchases FOR EACH ROW WHEN (NEW.sends > OLD.sends) EXECUTE FUNCTION steal()"
        ),
    };
    app.database.execute(&sql).await;
}

async fn steal_nothing_more(app: &TestApp) {
    let sql = match app.database.dialect() {
        Dialect::Sqlite => "DROP TRIGGER thief",
        Dialect::Postgres => "DROP TRIGGER thief ON purchases; DROP FUNCTION steal()",
    };
    app.database.execute(sql).await;
}

both_databases! {
    /// Not even the doubt can be written: the row says that the worker has it, who has nothing under way.
    async fn a_purchase_whose_outcome_could_not_be_written_is_taken_up_again(app: SmallCatalog) {
        let vendor = TestVendor::open(&app, "only").await;
        vendor.sell(&app, &[(EURO_20, "sandbox_pending_3s")]).await;
        let partner = app.partner().await;
        refuse_records(&app).await;
        order(&partner, input(EURO_20, 1, "held")).await.payload("createOrder");
        poll::until_true("its worker lets go of it and takes it over again", async || {
            app.database.number("SELECT coalesce(max(epoch), 0) FROM purchases").await > 1
        })
        .await;
        take_records(&app).await;
        // What could not be written a moment ago is let go of by the machine's clock, in which time `end` would move ours on.
        poll::until_true("a doubt is written", async || {
            app.database.number("SELECT count(*) FROM purchases WHERE next_at IS NOT NULL AND looks > 0").await == 1
        })
        .await;
        assert_eq!(end(&app, &partner, "held").await.text("order.status"), "DELIVERED");
        assert_agreed(&app, &[&vendor]).await;
    }

    async fn what_another_worker_has_taken_over_is_not_sent(app: SmallCatalog) {
        let terms = Terms { settle_window_secs: Some(1), ..Terms::default() };
        let vendor = TestVendor::on_terms(&app, "only", terms).await;
        vendor.sell(&app, &[(EURO_20, "sandbox_timeout_lost")]).await;
        let partner = app.partner().await;
        steal_what_is_sent_again(&app).await;
        order(&partner, input(EURO_20, 1, "stolen")).await.payload("createOrder");
        poll::until_within(poll::PATIENCE * 4, "it is to be sent again", async || {
            app.advance_secs(1);
            (app.database.number("SELECT max(sends) FROM purchases").await == 2).then_some(())
        })
        .await;
        steal_nothing_more(&app).await;
        // Nobody sent it: the vendor never comes to know it, and the unit is bought anew.
        assert_eq!(end(&app, &partner, "stolen").await.text("order.status"), "DELIVERED");
        let states = app.database.texts("SELECT state AS line FROM purchases ORDER BY created_at, id").await;
        assert_eq!(states, ["NOT_EXECUTED", "DELIVERED"]);
        assert_agreed(&app, &[&vendor]).await;
    }
}
