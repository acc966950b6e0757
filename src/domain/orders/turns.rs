//! Whose open order is worked on next. Pure.
//!
//! What lives here: the order in which partners take turns at what their open orders wait for.
//! What is always true: each partner's first order goes before anybody's second; among partners who wait for the same product,
//! the one who was served longest ago goes first, so that nobody waits for all units of another's large order.
//! What is not here: which orders wait, and leasing them (`jobs.rs`).

use std::collections::HashMap;

use entity::ids::{OrderId, PartnerId};

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

/// Who was served when.
#[derive(Debug, Default)]
pub struct Turns {
    served: HashMap<(PartnerId, String), u64>,
    count: u64,
}

impl Turns {
    /// Sorts orders, which come by their deadlines, into the order of their turns.
    pub fn sort(&self, waiting: &mut [Waiting]) {
        let served =
            |one: &Waiting| self.served.get(&(one.partner, one.product.clone())).copied().unwrap_or(0);
        waiting.sort_by_cached_key(|one| (one.place, served(one)));
    }

    /// A vendor was asked for units of a partner's order.
    pub fn serve(&mut self, waiting: &Waiting) {
        self.count = self.count.saturating_add(1);
        self.served.insert((waiting.partner, waiting.product.clone()), self.count);
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
        let mut turns = Turns::default();
        let (large, second, small) = (waiting(1, 1, "a"), waiting(1, 2, "a"), waiting(2, 1, "a"));
        let mut line = [large.clone(), second.clone(), small.clone()];
        turns.sort(&mut line);
        assert_eq!(line, [large.clone(), small.clone(), second.clone()]);
        turns.serve(&large);
        turns.sort(&mut line);
        assert_eq!(line, [small.clone(), large.clone(), second.clone()]);
        turns.serve(&small);
        turns.sort(&mut line);
        assert_eq!(line, [large, small, second]);
    }

    #[test]
    fn who_is_served_elsewhere_keeps_its_turn() {
        let mut turns = Turns::default();
        let (here, elsewhere, other) = (waiting(1, 1, "a"), waiting(1, 1, "b"), waiting(2, 1, "a"));
        turns.serve(&here);
        turns.serve(&other);
        turns.serve(&elsewhere);
        let mut line = [other.clone(), here.clone()];
        turns.sort(&mut line);
        assert_eq!(line, [here, other]);
    }
}
