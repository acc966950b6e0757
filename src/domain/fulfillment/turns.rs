//! Turns: which process reads what a vendor lists, and when.
//!
//! What lives here: leases on reading vendors' statements and catalogs, for how long one is read, and what became of the last
//! reading.
//! What is always true: one process reads a listing of a vendor at a time; a turn that another process has taken over changes
//! nothing any more; turns go by the database's clock.
//! What is not here: what is read (`reconcile.rs`, `sync.rs`), and the loops that look whose turn it is (`jobs.rs`).

use entity::ids::VendorId;
use entity::timestamp::Timestamp;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};

use crate::ctx::Deps;
use crate::store::{Transaction, database_clock, statement};

/// How long a turn lasts after each part of a listing, in microseconds: longer than a vendor may take to answer.
const TURN_MICROS: i64 = 300_000_000;
/// How long a listing may be read in all, in seconds: a vendor that never comes to an end gives way to the others.
const LONGEST_SECS: i64 = 10_800;
/// How much longer each failure in a row makes the wait, in seconds, up to the interval.
const WAIT_SECS: i64 = 60;

/// What is read by turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listing {
    /// What a vendor says that it sold us. A new vendor's is first read when an interval has passed.
    Statement,
    /// What a vendor sells. It is read by itself once an operator had it read: it adds products.
    Catalog,
}

impl Listing {
    const fn table(self) -> &'static str {
        match self {
            Self::Statement => "statement_turns",
            Self::Catalog => "catalog_turns",
        }
    }

    /// How often it is read by itself, in seconds.
    fn interval_secs(self, deps: &Deps) -> i64 {
        i64::from(match self {
            Self::Statement => deps.config.reconcile_secs,
            Self::Catalog => deps.config.vendor_sync_secs,
        })
    }

    fn interval_micros(self, deps: &Deps) -> i64 {
        self.interval_secs(deps).saturating_mul(1_000_000)
    }
}

/// The turn of one process at one vendor.
#[derive(Debug, Clone, FromQueryResult)]
pub(super) struct Turn {
    vendor_id: VendorId,
    lease_epoch: i64,
    /// How often it failed in a row before.
    failures: i32,
    /// Why it failed the last time, or what of it was not believed; `None` if neither.
    failure: Option<String>,
    /// Up to when the listing was read.
    pub(super) read_until: Option<Timestamp>,
}

impl Turn {
    /// How often it has failed in a row, if this time was a failure.
    pub(super) const fn failures(&self) -> i32 {
        self.failures.saturating_add(1)
    }

    /// Whether a failure, or a doubt, is another than the one before.
    pub(super) fn is_news(&self, failure: &str) -> bool {
        self.failure.as_deref() != Some(failure)
    }
}

/// When a listing may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// Once it is due.
    Due,
    /// As soon as no other process reads it.
    Free,
}

impl When {
    /// The condition on a row of turns under an alias.
    fn condition(self, deps: &Deps, listing: Listing, alias: &str) -> String {
        let clock = database_clock(deps);
        let interval = listing.interval_micros(deps);
        // What lies farther ahead than any could was written while the clock was wrong.
        let free =
            format!("({alias}.lease_until <= {clock} OR {alias}.lease_until > {clock} + {TURN_MICROS})");
        match self {
            Self::Free => free,
            Self::Due => {
                format!("{free} AND ({alias}.due_at <= {clock} OR {alias}.due_at > {clock} + {interval})")
            }
        }
    }
}

/// The vendors whose listing is due, read without a lock.
pub(super) async fn find_due(deps: &Deps, listing: Listing) -> Result<Vec<VendorId>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: VendorId,
    }
    let reader = &deps.database.reader;
    let (table, due) = (listing.table(), When::Due.condition(deps, listing, "t"));
    let sql = match listing {
        Listing::Statement => format!(
            "SELECT v.id FROM vendors v LEFT JOIN {table} t ON t.vendor_id = v.id
             WHERE (t.vendor_id IS NULL AND v.created_at + {} <= {})
                OR (t.vendor_id IS NOT NULL AND {due}) ORDER BY v.id",
            listing.interval_micros(deps),
            database_clock(deps)
        ),
        Listing::Catalog => format!(
            "SELECT t.vendor_id AS id FROM {table} t WHERE t.read_until IS NOT NULL AND {due} ORDER BY t.vendor_id"
        ),
    };
    let found = Row::find_by_statement(statement(reader.get_database_backend(), sql, [])).all(reader).await?;
    Ok(found.into_iter().map(|row| row.id).collect())
}

/// Takes the turn; `None` if another process has it, or it is too early.
pub(super) async fn take_turn(
    deps: &Deps,
    transaction: &Transaction,
    (listing, vendor): (Listing, VendorId),
    when: When,
) -> Result<Option<Turn>, DbErr> {
    let (table, clock) = (listing.table(), database_clock(deps));
    let sql = format!(
        "INSERT INTO {table} (vendor_id, lease_until, lease_epoch, due_at, failures)
         VALUES ($1, {clock} + {TURN_MICROS}, 1, {clock}, 0)
         ON CONFLICT (vendor_id) DO UPDATE SET lease_until = excluded.lease_until,
            lease_epoch = {table}.lease_epoch + 1 WHERE {}
         RETURNING vendor_id, lease_epoch, failures, failure, read_until",
        when.condition(deps, listing, table)
    );
    let take = statement(transaction.get_database_backend(), sql, [vendor.to_string().into()]);
    Turn::find_by_statement(take).one(transaction).await
}

/// Keeps a turn; tells whether it was still this process's.
pub(super) async fn hold_turn(
    deps: &Deps,
    transaction: &Transaction,
    listing: Listing,
    turn: &Turn,
) -> Result<bool, DbErr> {
    let (table, clock) = (listing.table(), database_clock(deps));
    let sql = format!(
        "UPDATE {table} SET lease_until = {clock} + {TURN_MICROS} WHERE vendor_id = $1 AND lease_epoch = $2"
    );
    let values = [turn.vendor_id.to_string().into(), turn.lease_epoch.into()];
    let hold = statement(transaction.get_database_backend(), sql, values);
    Ok(transaction.execute_raw(hold).await?.rows_affected() == 1)
}

/// Whether a listing that is read since an instant may be read on.
///
/// # Errors
/// That it took too long.
pub(super) fn in_time(deps: &Deps, begun: Timestamp) -> Result<(), String> {
    if deps.clock.now() <= begun.plus_seconds(LONGEST_SECS) {
        return Ok(());
    }
    Err(format!("its end was not reached in {LONGEST_SECS} seconds"))
}

/// How a turn has ended.
#[derive(Debug, Clone)]
pub(super) enum Ended {
    /// The listing was read up to an instant.
    Read {
        /// Which.
        until: Timestamp,
        /// What of it is not believed; `None` if all of it is.
        doubt: Option<String>,
    },
    /// It was not, and why.
    Failed(String),
}

/// Ends a turn, if it was still this process's.
pub(super) async fn end_turn(
    deps: &Deps,
    transaction: &Transaction,
    listing: Listing,
    (turn, ended): (&Turn, &Ended),
) -> Result<(), DbErr> {
    let (table, clock) = (listing.table(), database_clock(deps));
    let interval_secs = listing.interval_secs(deps);
    let (wait_secs, read_until, failure, failures) = match ended {
        Ended::Read { until, doubt } => (interval_secs, Some(until.micros()), doubt.clone(), 0),
        Ended::Failed(why) => {
            let wait_secs = (i64::from(turn.failures()) * WAIT_SECS).min(interval_secs);
            (wait_secs, None, Some(why.clone()), turn.failures())
        }
    };
    let sql = format!(
        "UPDATE {table} SET lease_until = 0, due_at = {clock} + $3, read_until = coalesce($4, read_until),
            failure = $5, failures = $6 WHERE vendor_id = $1 AND lease_epoch = $2"
    );
    let values: [Value; 6] = [
        turn.vendor_id.to_string().into(),
        turn.lease_epoch.into(),
        wait_secs.saturating_mul(1_000_000).into(),
        read_until.into(),
        failure.into(),
        failures.into(),
    ];
    let end = statement(transaction.get_database_backend(), sql, values);
    transaction.execute_raw(end).await.map(drop)
}

/// What became of the last reading of a vendor's listing.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct LastReading {
    /// The vendor.
    pub vendor_id: VendorId,
    /// When it was last read to its end; `None` if it never was.
    pub read_until: Option<Timestamp>,
    /// How often it failed in a row since.
    pub failures: i32,
    /// Why it failed the last time; if it did not, what of it is not believed.
    pub failure: Option<String>,
}

/// The last readings of a listing, one a vendor of which it was ever tried.
pub(super) async fn list_readings(
    connection: &impl ConnectionTrait,
    listing: Listing,
) -> Result<Vec<LastReading>, DbErr> {
    let sql = format!("SELECT vendor_id, read_until, failures, failure FROM {}", listing.table());
    let select = statement(connection.get_database_backend(), sql, []);
    LastReading::find_by_statement(select).all(connection).await
}
