//! Whose open order is worked on next. Pure.
//!
//! What lives here: the order in which partners take turns at what their open orders wait for.
//! What is always true: each partner's first order goes before anybody's second; among partners who wait for the same product,
//! the one who was served longest ago goes first, so that nobody waits for all units of another's large order; orders that found
//! their vendors busy rest until one is free, and keep no other order waiting.
//! What is not here: which orders wait, and leasing them (`jobs.rs`).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use entity::ids::{OrderId, PartnerId, VendorId};

/// How long an order rests at first whose vendors take no more calls; twice as long each time that it was looked at in vain.
const REST: Duration = Duration::from_millis(150);
/// How often it is doubled at most.
const MOST_VAIN: u32 = 4;
/// How long an order rests at most, whatever it waits for.
const MOST_OF_REST: Duration = Duration::from_secs(2);
/// How long after its rest an order is forgotten that nobody looked at: it does not wait any more.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
/// Of how many partners and products it is remembered when they were served; beyond that, of those of late alone.
const MOST_SERVED: usize = 10_000;
/// Of how late, in servings.
const REMEMBERED: u64 = 5_000;

/// An order that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The order.
    pub id: OrderId,
    /// Whose it is.
    pub partner: PartnerId,
    /// What it is of.
    pub product: String,
    /// Its place among its partner's orders that wait, from 1.
    pub place: i64,
}

/// Why an order has to wait: vendors that were busy, each with how long until it takes another request, where that is known.
pub type Busy = Vec<(VendorId, Option<Duration>)>;

/// An order that was looked at, and found its vendors busy.
#[derive(Debug)]
struct Rest {
    until: Instant,
    /// Those of its vendors of which a call that ends makes room.
    vendors: Vec<VendorId>,
    /// How often in a row it got nothing.
    vain: u32,
    /// Whether a vendor that it waits for has made room.
    is_called: bool,
}

/// Who was served when, and which orders wait for a vendor that is busy.
#[derive(Debug, Default)]
pub struct Turns {
    served: HashMap<(PartnerId, String), u64>,
    count: u64,
    resting: HashMap<OrderId, Rest>,
}

impl Turns {
    /// Sorts orders, which come by their deadlines, into the order of their turns.
    pub fn sort(&self, waiting: &mut [Waiting]) {
        let served =
            |one: &Waiting| self.served.get(&(one.partner, one.product.clone())).copied().unwrap_or(0);
        let is_in_vain = |one: &Waiting| self.resting.get(&one.id).is_some_and(|rest| !rest.is_called);
        waiting.sort_by_cached_key(|one| (is_in_vain(one), one.place, served(one)));
    }

    /// The orders that are not to be looked at now.
    pub fn resting(&mut self, now: Instant) -> Vec<OrderId> {
        self.resting.retain(|_, rest| now < rest.until + FORGOTTEN_AFTER);
        let rests = |(id, rest): (&OrderId, &Rest)| (now < rest.until && !rest.is_called).then_some(*id);
        self.resting.iter().filter_map(rests).collect()
    }

    /// An order was looked at: whether vendors were asked for units of it, and why others have to wait.
    pub fn note(&mut self, waiting: &Waiting, is_served: bool, busy: &Busy, now: Instant) {
        if is_served {
            self.serve(waiting);
        }
        let before = self.resting.remove(&waiting.id);
        if busy.is_empty() {
            return;
        }
        // Where a rate is used up it is known until when, and no call that ends changes that.
        let of_rate = busy.iter().filter_map(|(_, free_in)| *free_in).min();
        let vendors: Vec<VendorId> =
            busy.iter().filter(|(_, free_in)| free_in.is_none()).map(|(vendor, _)| *vendor).collect();
        let vain = before.map_or(0, |rest| rest.vain + 1).min(if is_served { 0 } else { MOST_VAIN });
        let of_lines = (!vendors.is_empty()).then(|| REST.saturating_mul(1 << vain));
        let until = now + of_rate.into_iter().chain(of_lines).min().unwrap_or_default().min(MOST_OF_REST);
        self.resting.insert(waiting.id, Rest { until, vendors, vain, is_called: false });
    }

    /// A call at a vendor has ended: the order that has waited longest for room there is looked at once more.
    pub fn free(&mut self, vendor: VendorId, now: Instant) {
        let waits = |(_, rest): &(&OrderId, &mut Rest)| {
            now < rest.until && !rest.is_called && rest.vendors.contains(&vendor)
        };
        let longest = self.resting.iter_mut().filter(waits).min_by_key(|(id, rest)| (rest.until, **id));
        if let Some((_, rest)) = longest {
            rest.is_called = true;
        }
    }

    /// Every order is looked at once more.
    pub fn awaken(&mut self) {
        self.resting.clear();
    }

    /// A vendor was asked for units of a partner's order.
    fn serve(&mut self, waiting: &Waiting) {
        self.count = self.count.saturating_add(1);
        self.served.insert((waiting.partner, waiting.product.clone()), self.count);
        if self.served.len() > MOST_SERVED {
            let oldest = self.count.saturating_sub(REMEMBERED);
            self.served.retain(|_, at| *at > oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(partner: u128, place: i64, product: &str) -> Waiting {
        let (id, partner) = (
            uuid::Uuid::from_u128(partner * 100 + u128::try_from(place).unwrap()),
            uuid::Uuid::from_u128(partner),
        );
        Waiting {
            id: OrderId::from_uuid(id),
            partner: PartnerId::from_uuid(partner),
            product: product.to_owned(),
            place,
        }
    }

    #[test]
    fn partners_take_turns_and_their_own_orders_go_by_deadline() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        let (large, second, small) = (waiting(1, 1, "a"), waiting(1, 2, "a"), waiting(2, 1, "a"));
        let mut line = [large.clone(), second.clone(), small.clone()];
        turns.sort(&mut line);
        assert_eq!(line, [large.clone(), small.clone(), second.clone()]);
        turns.note(&large, true, &Vec::new(), now);
        turns.sort(&mut line);
        assert_eq!(line, [small.clone(), large.clone(), second.clone()]);
        turns.note(&small, true, &Vec::new(), now);
        turns.sort(&mut line);
        assert_eq!(line, [large, small, second]);
    }

    #[test]
    fn who_is_served_elsewhere_keeps_its_turn() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        let (here, elsewhere, other) = (waiting(1, 1, "a"), waiting(1, 1, "b"), waiting(2, 1, "a"));
        turns.note(&here, true, &Vec::new(), now);
        turns.note(&other, true, &Vec::new(), now);
        turns.note(&elsewhere, true, &Vec::new(), now);
        let mut line = [other.clone(), here.clone()];
        turns.sort(&mut line);
        assert_eq!(line, [here, other]);
    }
    #[test]
    fn who_finds_its_vendors_busy_rests_until_one_is_free_and_keeps_nobody_waiting() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        let busy = VendorId::from_uuid(uuid::Uuid::from_u128(7));
        let lines = vec![(busy, None)];
        let (first, second, fresh) = (waiting(1, 1, "a"), waiting(1, 2, "a"), waiting(1, 3, "b"));
        turns.note(&first, false, &lines, now);
        turns.note(&second, false, &lines, now + Duration::from_millis(10));
        let mut all = turns.resting(now);
        all.sort();
        assert_eq!(all, [first.id, second.id]);
        // The one whose rest is over is looked at behind those that were not looked at yet.
        assert_eq!(turns.resting(now + REST), [second.id]);
        let mut line = [first.clone(), fresh.clone()];
        turns.sort(&mut line);
        assert_eq!(line, [fresh.clone(), first.clone()]);
        // A call that ends calls one of them, and another one the next.
        turns.free(VendorId::from_uuid(uuid::Uuid::from_u128(8)), now);
        assert_eq!(turns.resting(now).len(), 2);
        turns.free(busy, now);
        assert_eq!(turns.resting(now), [second.id]);
        turns.sort(&mut line);
        assert_eq!(line, [first.clone(), fresh]);
        turns.free(busy, now);
        assert_eq!(turns.resting(now), []);
        // In vain, it rests longer; served, it does not; with nothing to wait for, not at all.
        turns.note(&first, false, &lines, now);
        assert_eq!(turns.resting(now + REST), [first.id]);
        turns.note(&first, true, &lines, now);
        assert_eq!(turns.resting(now + REST), []);
        turns.note(&first, false, &Vec::new(), now);
        turns.note(&second, false, &lines, now);
        assert_eq!(turns.resting(now), [second.id]);
        turns.awaken();
        assert_eq!(turns.resting(now), []);
    }

    /// Five requests a second, each answered at once, and a look every 50 ms: the rate is used whole.
    #[test]
    fn who_waits_for_a_rate_has_every_request_of_it() {
        let (mut turns, begun) = (Turns::default(), Instant::now());
        let (vendor, order) = (VendorId::from_uuid(uuid::Uuid::from_u128(7)), waiting(1, 1, "a"));
        let (mut served, mut free_at) = (0, begun);
        for look in 0..200_u32 {
            let now = begun + Duration::from_millis(50) * look;
            turns.free(vendor, now);
            if !turns.resting(now).is_empty() {
                continue;
            }
            let is_served = now >= free_at;
            if is_served {
                (served, free_at) = (served + 1, free_at + Duration::from_millis(200));
            }
            turns.note(&order, is_served, &vec![(vendor, Some(free_at.duration_since(now)))], now);
        }
        assert_eq!(served, 50);
    }
}
