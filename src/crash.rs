//! Places at which a test can have a process killed.
//!
//! What lives here: the places, each between what is on record and what the world sees of it.
//! What is always true: a release build dies at none of them; a debug build dies at one only where `OCTOPUS_CRASH_AT` names it,
//! and dies as by `kill -9`: nothing is finished, flushed or told but one line of the log, so that a test knows where it was.
//! What is not here: who is killed when, and what is true afterwards (tests/it/faults).

/// A place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A batch of orders is written, and not committed.
    OrdersWritten,
    /// A batch of orders is committed, and nobody has been answered.
    OrdersCommitted,
    /// Any other transaction is written, and not committed.
    Written,
    /// Any other transaction is committed, and nothing has followed from it.
    Committed,
    /// What a worker does for an order, purchases among it, is written, and not committed.
    WorkWritten,
    /// Purchases are on record, and none has been sent.
    PurchasesRecorded,
    /// A purchase is about to be sent, for the first time or again.
    PurchaseSending,
    /// A vendor has answered, and its answer is not on record.
    PurchaseAnswered,
    /// What follows from a fact is written, and not committed.
    FactWritten,
    /// What follows from a fact is committed.
    FactCommitted,
    /// It is on record that a call told no fact.
    DoubtCommitted,
    /// Purchases are taken over, and no vendor has been asked.
    PurchasesTakenOver,
    /// A vendor has said what it knows of a purchase, and that is not on record.
    PurchaseLookedUp,
    /// It is on record that a purchase is to be sent again, and it has not been.
    PurchaseSendingAgain,
    /// A worker that was told to stop has finished, and has not handed over.
    WorkerLeaving,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::OrdersWritten,
        Self::OrdersCommitted,
        Self::Written,
        Self::Committed,
        Self::WorkWritten,
        Self::PurchasesRecorded,
        Self::PurchaseSending,
        Self::PurchaseAnswered,
        Self::FactWritten,
        Self::FactCommitted,
        Self::DoubtCommitted,
        Self::PurchasesTakenOver,
        Self::PurchaseLookedUp,
        Self::PurchaseSendingAgain,
        Self::WorkerLeaving,
    ];

    /// Its name, as `OCTOPUS_CRASH_AT` has it: `purchase_answered:3` is the third time that a vendor has answered.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OrdersWritten => "orders_written",
            Self::OrdersCommitted => "orders_committed",
            Self::Written => "written",
            Self::Committed => "committed",
            Self::WorkWritten => "work_written",
            Self::PurchasesRecorded => "purchases_recorded",
            Self::PurchaseSending => "purchase_sending",
            Self::PurchaseAnswered => "purchase_answered",
            Self::FactWritten => "fact_written",
            Self::FactCommitted => "fact_committed",
            Self::DoubtCommitted => "doubt_committed",
            Self::PurchasesTakenOver => "purchases_taken_over",
            Self::PurchaseLookedUp => "purchase_looked_up",
            Self::PurchaseSendingAgain => "purchase_sending_again",
            Self::WorkerLeaving => "worker_leaving",
        }
    }
}

/// Passes a place: the process goes on, unless a test wants it dead here.
pub fn pass(place: Place) {
    #[cfg(debug_assertions)]
    doom::meet(place);
    #[cfg(not(debug_assertions))]
    let _ = place;
}

#[cfg(debug_assertions)]
mod doom {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    use super::Place;

    /// Where this process is to die, and at how many-eth time.
    struct Doom {
        place: Place,
        time: u32,
        passed: AtomicU32,
    }

    static DOOM: LazyLock<Option<Doom>> = LazyLock::new(read);

    #[expect(clippy::disallowed_methods, reason = "it is no setting: a release build has none of this")]
    fn read() -> Option<Doom> {
        let text = std::env::var("OCTOPUS_CRASH_AT").ok()?;
        let (name, time) = text.split_once(':').expect("OCTOPUS_CRASH_AT is place:time");
        let place = Place::ALL.into_iter().find(|place| place.as_str() == name);
        Some(Doom {
            place: place.expect("OCTOPUS_CRASH_AT names a place"),
            time: time.parse().expect("OCTOPUS_CRASH_AT ends in a number"),
            passed: AtomicU32::new(0),
        })
    }

    pub(super) fn meet(place: Place) {
        let Some(doom) = DOOM.as_ref().filter(|doom| doom.place == place) else { return };
        if doom.passed.fetch_add(1, Ordering::SeqCst) + 1 != doom.time {
            return;
        }
        tracing::error!(place = place.as_str(), "this process dies here, as a test wants it to");
        kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
        // The signal is on its way: nothing more is done.
        loop {
            std::thread::park();
        }
    }
}
