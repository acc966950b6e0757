//! Who waits for a desk, and whom it takes next. Pure.
//!
//! What lives here: the line in front of a desk, and how many may stand in it.
//! What is always true: partners take turns; a batch has no reference and no charge twice, and stays within its limits; the
//! first partner whose order does not fit leads the next batch, so that small orders never keep a large one waiting for ever;
//! no partner takes more than half of the room, so that there is always some for the others.
//! What is not here: what a desk does with a batch (`desk.rs`).

use std::collections::{HashMap, HashSet, VecDeque};

use entity::ids::{ChargeId, PartnerId};

use super::store::Reference;

/// The most orders that share a commit.
const MOST_BATCH_ORDERS: usize = 64;
/// The most units that share a commit, unless one order has more.
const MOST_BATCH_UNITS: i32 = 1_000;

/// Somebody in the line.
#[derive(Debug)]
pub struct Standing<T> {
    /// The partner's name for its order.
    pub reference: Reference,
    /// The charge that it would use.
    pub charge: Option<ChargeId>,
    /// How many units it asks for.
    pub units: i32,
    /// What waits.
    pub what: T,
}

/// Who waits.
#[derive(Debug)]
pub struct Line<T> {
    turns: VecDeque<PartnerId>,
    waiting: HashMap<PartnerId, VecDeque<Standing<T>>>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { turns: VecDeque::new(), waiting: HashMap::new() }
    }
}

impl<T> Line<T> {
    /// Puts somebody behind the others of its partner.
    pub fn join(&mut self, standing: Standing<T>) {
        let partner = standing.reference.partner_id;
        let queue = self.waiting.entry(partner).or_default();
        if queue.is_empty() {
            self.turns.push_back(partner);
        }
        queue.push_back(standing);
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Takes the next batch: at least one, if anybody waits.
    pub fn take(&mut self) -> Vec<Standing<T>> {
        let mut batch = Batch::default();
        let mut left_out = VecDeque::new();
        while batch.taken.len() < MOST_BATCH_ORDERS
            && let Some(partner) = self.turns.pop_front()
        {
            let queue = self.waiting.entry(partner).or_default();
            let next =
                if queue.front().is_some_and(|next| batch.fits(next)) { queue.pop_front() } else { None };
            match next {
                Some(next) => {
                    batch.add(next);
                    if queue.is_empty() {
                        self.waiting.remove(&partner);
                    } else {
                        self.turns.push_back(partner);
                    }
                }
                None => left_out.push_back(partner),
            }
        }
        left_out.append(&mut self.turns);
        self.turns = left_out;
        batch.taken
    }
}

/// A batch as it is put together.
struct Batch<T> {
    taken: Vec<Standing<T>>,
    units: i32,
    references: HashSet<Reference>,
    charges: HashSet<ChargeId>,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self { taken: Vec::new(), units: 0, references: HashSet::new(), charges: HashSet::new() }
    }
}

impl<T> Batch<T> {
    fn fits(&self, next: &Standing<T>) -> bool {
        let within = self.units.saturating_add(next.units) <= MOST_BATCH_UNITS;
        let is_new = !self.references.contains(&next.reference)
            && !next.charge.is_some_and(|charge| self.charges.contains(&charge));
        self.taken.is_empty() || (within && is_new)
    }

    fn add(&mut self, next: Standing<T>) {
        self.units = self.units.saturating_add(next.units);
        self.references.insert(next.reference.clone());
        self.charges.extend(next.charge);
        self.taken.push(next);
    }
}

/// How many stand in a line, the one who is being served not counted.
#[derive(Debug, Default)]
pub struct Room {
    taken: u32,
    by_partner: HashMap<PartnerId, u32>,
}

impl Room {
    /// Lets a partner's order in, if there is room for it among `size`.
    pub fn enter(&mut self, partner: PartnerId, size: u32) -> bool {
        let own = self.by_partner.get(&partner).copied().unwrap_or(0);
        if self.taken >= size || own >= size.div_ceil(2) {
            return false;
        }
        self.taken += 1;
        self.by_partner.insert(partner, own + 1);
        true
    }

    /// Lets it out.
    pub fn leave(&mut self, partner: PartnerId) {
        self.taken = self.taken.saturating_sub(1);
        if let Some(own) = self.by_partner.get_mut(&partner) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                self.by_partner.remove(&partner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partner(number: u128) -> PartnerId {
        PartnerId::from_uuid(uuid::Uuid::from_u128(number))
    }

    fn charge(number: u128) -> ChargeId {
        ChargeId::from_uuid(uuid::Uuid::from_u128(number))
    }

    fn line(standing: &[(u128, &str, i32, Option<u128>)]) -> Line<()> {
        let mut line = Line::default();
        for (number, reference, units, on) in standing {
            let reference = Reference { partner_id: partner(*number), reference: (*reference).to_owned() };
            line.join(Standing { reference, charge: on.map(charge), units: *units, what: () });
        }
        line
    }

    fn batches(mut line: Line<()>) -> Vec<Vec<String>> {
        let mut batches = Vec::new();
        while !line.is_empty() {
            let batch = line.take();
            assert!(!batch.is_empty(), "a batch has somebody as long as anybody waits");
            batches.push(batch.into_iter().map(|taken| taken.reference.reference).collect());
        }
        batches
    }

    #[test]
    fn partners_take_turns() {
        let busy = line(&[(1, "a1", 1, None), (1, "a2", 1, None), (1, "a3", 1, None), (2, "b1", 1, None)]);
        assert_eq!(batches(busy), [["a1", "b1", "a2", "a3"]]);
    }

    #[test]
    fn a_batch_has_no_reference_and_no_charge_twice() {
        let same = line(&[(1, "a", 1, None), (1, "a", 1, None), (2, "a", 1, None)]);
        assert_eq!(batches(same), [vec!["a", "a"], vec!["a"]]);
        let charged = line(&[(1, "a", 1, Some(7)), (1, "b", 1, Some(7)), (1, "c", 1, None)]);
        assert_eq!(batches(charged), [vec!["a"], vec!["b", "c"]]);
    }

    #[test]
    fn a_batch_has_at_most_1000_units_unless_one_order_has_more() {
        let large = line(&[(1, "a", 600, None), (2, "b", 600, None), (3, "c", 400, None), (2, "d", 1, None)]);
        assert_eq!(batches(large), [vec!["a", "c"], vec!["b", "d"]]);
        assert_eq!(batches(line(&[(1, "huge", 5_000, None), (2, "small", 1, None)])), [["huge"], ["small"]]);
    }

    #[test]
    fn a_large_order_leads_the_next_batch_however_many_small_ones_there_are() {
        let mut standing = vec![(1, "small", 1, None), (2, "large", 1_000, None)];
        standing.extend((3..40).map(|number| (number, "small", 1, None)));
        let batches = batches(line(&standing));
        assert_eq!(batches[0].len(), 38);
        assert_eq!(batches[1], ["large"]);
    }

    #[test]
    fn a_batch_has_at_most_64_orders() {
        let references: Vec<String> = (0..130).map(|number| format!("r{number}")).collect();
        let standing: Vec<_> = references.iter().map(|reference| (1, reference.as_str(), 1, None)).collect();
        let sizes: Vec<usize> = batches(line(&standing)).iter().map(Vec::len).collect();
        assert_eq!(sizes, [64, 64, 2]);
    }

    #[test]
    fn a_partner_leaves_room_for_the_others() {
        let mut room = Room::default();
        assert_eq!((0..5).map(|_| room.enter(partner(1), 4)).filter(|entered| *entered).count(), 2);
        assert!(room.enter(partner(2), 4) && room.enter(partner(3), 4));
        assert!(!room.enter(partner(4), 4), "full");
        room.leave(partner(1));
        assert!(!room.enter(partner(2), 3), "half of three is two, and all three are taken");
        assert!(room.enter(partner(2), 4));
    }
}
