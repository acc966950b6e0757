//! Limits that hold before anything is known of a caller but its address.
//!
//! Lives here: [`Buckets`], leaky buckets by key; [`Places`], of which each address has so many; and the reading of the client's
//! address through trusted proxies.
//! Always true: a bucket never holds more than its size; a place is given back however its holder ends; an address is believed only as far as the chain of trusted
//! proxies reaches, so that nobody writes itself another address; an IPv6 caller counts by its /64, which is what one
//! household or machine is given.
//! Not here: what a GraphQL operation costs (graphql/pipeline), sign-in throttling and the partner's limits (domain).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;
use ipnet::IpNet;
use moka::sync::Cache;

/// How many keys are remembered at once.
const KEYS: u64 = 100_000;

/// The size of a bucket and how fast it fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The most points that may be saved up.
    pub maximum_points: u64,
    /// How many points come back each second.
    pub restore_points_per_second: u64,
}

/// Why points cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short {
    /// How many are there.
    pub available_points: u64,
    /// After how many milliseconds there will be enough; `None` if never.
    pub wait_ms: Option<u64>,
}

/// A leaky bucket for each key.
pub struct Buckets<K> {
    allowance: Allowance,
    buckets: Cache<K, Arc<Mutex<Bucket>>>,
}

#[derive(Debug)]
struct Bucket {
    points: u64,
    filled_at_ms: u64,
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static> Buckets<K> {
    /// Buckets of one size, all full.
    #[must_use]
    pub fn new(allowance: Allowance) -> Self {
        // A forgotten bucket comes back full: forgetting may only favour the caller.
        Self { allowance, buckets: Cache::new(KEYS) }
    }

    /// The size of the buckets.
    #[must_use]
    pub fn allowance(&self) -> Allowance {
        self.allowance
    }

    /// Takes points; returns how many are left. `now_ms` counts from any fixed moment.
    ///
    /// # Errors
    ///
    /// [`Short`], and nothing is taken.
    pub fn take(&self, key: &K, points: u64, now_ms: u64) -> Result<u64, Short> {
        self.with_bucket(key, now_ms, |bucket| {
            if let Some(left) = bucket.points.checked_sub(points) {
                bucket.points = left;
                return Ok(left);
            }
            let missing = points.saturating_sub(bucket.points);
            let wait_ms =
                missing.saturating_mul(1_000).div_ceil(self.allowance.restore_points_per_second.max(1));
            let reachable = points <= self.allowance.maximum_points;
            Err(Short { available_points: bucket.points, wait_ms: reachable.then_some(wait_ms) })
        })
    }

    /// Gives points back that were taken and not spent; returns how many are there.
    pub fn give_back(&self, key: &K, points: u64, now_ms: u64) -> u64 {
        self.with_bucket(key, now_ms, |bucket| {
            bucket.points = bucket.points.saturating_add(points).min(self.allowance.maximum_points);
            bucket.points
        })
    }

    fn with_bucket<T>(&self, key: &K, now_ms: u64, act: impl FnOnce(&mut Bucket) -> T) -> T {
        let full =
            || Arc::new(Mutex::new(Bucket { points: self.allowance.maximum_points, filled_at_ms: now_ms }));
        let bucket = self.buckets.get_with(key.clone(), full);
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed_ms = now_ms.saturating_sub(bucket.filled_at_ms);
        let rate = self.allowance.restore_points_per_second.max(1);
        let restored = elapsed_ms.saturating_mul(rate).div_euclid(1_000);
        if restored > 0 {
            bucket.points = bucket.points.saturating_add(restored).min(self.allowance.maximum_points);
            // The part of a point that has not come back yet stays on the clock.
            bucket.filled_at_ms =
                bucket.filled_at_ms.saturating_add(restored.saturating_mul(1_000).div_euclid(rate));
        }
        act(&mut bucket)
    }
}

/// What is held for as long as its holder likes, such as a socket: so many places for each address.
#[derive(Debug)]
pub struct Places {
    most: usize,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// A place that an address has taken; dropping it gives it back.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

impl Places {
    /// So many places for each address, all free.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, taken: Mutex::default() }
    }

    /// Takes a place; `None` if this address has taken all of its own.
    pub fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.get(&address).copied().unwrap_or_default();
        if count >= self.most {
            return None;
        }
        taken.insert(address, count + 1);
        Some(Place { places: Arc::clone(self), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = taken.entry(self.address) {
            *count.get_mut() -= 1;
            // An address that holds nothing is forgotten.
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// The client's address: the peer's, or, while the peer is a trusted proxy, the one that it names in X-Forwarded-For,
/// read from the right through every trusted proxy.
#[must_use]
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut client = peer.to_canonical();
    let named = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let chain: Vec<&str> = named.flat_map(|value| value.split(',')).map(str::trim).collect();
    for named in chain.into_iter().rev() {
        if !is_trusted(client) {
            break;
        }
        // What is not an address ends the chain: the last believed one stands.
        let Some(address) = address(named) else { break };
        client = address.to_canonical();
    }
    client
}

/// An address as proxies write it: bare, with a port, or in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.split(']').next()).unwrap_or(text);
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip());
    bare.parse().ok().or_else(with_port)
}

/// What a caller counts as for limits: its IPv4 address, or the /64 of its IPv6 address.
#[must_use]
pub fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets() -> Buckets<&'static str> {
        Buckets::new(Allowance { maximum_points: 100, restore_points_per_second: 10 })
    }

    #[test]
    fn takes_until_empty_and_says_when_to_return() {
        let buckets = buckets();
        assert_eq!(buckets.take(&"me", 60, 0), Ok(40));
        assert_eq!(buckets.take(&"me", 60, 0), Err(Short { available_points: 40, wait_ms: Some(2_000) }));
        assert_eq!(buckets.take(&"me", 60, 2_000), Ok(0));
        assert_eq!(buckets.take(&"other", 60, 2_000), Ok(40), "buckets are apart");
        assert_eq!(buckets.take(&"me", 101, 2_000), Err(Short { available_points: 0, wait_ms: None }));
    }

    #[test]
    fn gives_back_and_never_overflows() {
        let buckets = buckets();
        assert_eq!(buckets.take(&"me", 60, 0), Ok(40));
        assert_eq!(buckets.give_back(&"me", 50, 0), 90);
        assert_eq!(buckets.give_back(&"me", 50, 0), 100);
        assert_eq!(buckets.take(&"me", 0, 1_000_000), Ok(100));
    }

    #[test]
    fn small_steps_of_time_are_not_lost() {
        let buckets = buckets();
        assert_eq!(buckets.take(&"me", 100, 0), Ok(0));
        for now_ms in (0..1_000).step_by(33) {
            buckets.take(&"me", 0, now_ms).unwrap();
        }
        assert_eq!(buckets.take(&"me", 0, 1_000), Ok(10));
    }

    #[test]
    fn each_address_has_its_own_places_and_gives_them_back() {
        let places = Arc::new(Places::new(2));
        let [mine, yours] = ["1.2.3.4", "2001:db8::"].map(|text| text.parse().unwrap());
        let (first, second) = (places.take(mine), places.take(mine));
        assert!(first.is_some() && second.is_some() && places.take(mine).is_none());
        assert!(places.take(yours).is_some(), "another address");
        drop(first);
        let third = places.take(mine);
        assert!(third.is_some() && places.take(mine).is_none());
        drop((second, third));
        assert!(places.taken.lock().unwrap().is_empty(), "nothing is remembered of who holds nothing");
    }

    #[test]
    fn believes_forwarded_addresses_only_through_trusted_proxies() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        for (peer, forwarded, client) in [
            ("203.0.113.9", "1.2.3.4", "203.0.113.9"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("10.0.0.1", "1.2.3.4", "1.2.3.4"),
            ("10.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"),
            ("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2", "1.2.3.4"),
            ("10.0.0.1", "1.2.3.4:5678", "1.2.3.4"),
            ("::1", "[2001:db8::7]:443", "2001:db8::7"),
            ("10.0.0.1", "1.2.3.4, unknown", "10.0.0.1"),
            ("::ffff:10.0.0.1", "1.2.3.4", "1.2.3.4"),
        ] {
            let mut headers = HeaderMap::new();
            if !forwarded.is_empty() {
                headers.insert("x-forwarded-for", forwarded.parse().unwrap());
            }
            let found = client_address(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(found.to_string(), client, "{peer} {forwarded}");
        }
    }

    #[test]
    fn an_ipv6_caller_counts_by_its_network() {
        let counted = |text: &str| counted_as(text.parse().unwrap()).to_string();
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(counted("::ffff:1.2.3.4"), "1.2.3.4");
    }
}
