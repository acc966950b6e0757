//! What the sandbox vendor does with a purchase, by name.
//!
//! What lives here: the one table of behaviours, and how a product's name, a rule or a seed chooses one.
//! What is always true: the same seed, reference, product and quantity meet the same; a name that is not in the table changes
//! nothing.
//! What is not here: how a behaviour is carried out (`shop.rs` sells, `manner.rs` answers).

use super::digest::draw;
use super::refusal::Reason;

/// Ahead of a behaviour's name in a product's name.
const MARK: &str = "sandbox_";
/// What a fault rate counts in.
const MILLION: u64 = 1_000_000;

/// What is done with a purchase, and how it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) sale: Sale,
    pub(super) goods: Twist,
    /// When it is delivered or refused, after it was received.
    pub(super) settles_after_ms: i64,
    /// When look-ups begin to know it.
    pub(super) shown_after_ms: i64,
    pub(super) manner: Manner,
}

/// Whether something is bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sale {
    /// It is.
    Sold,
    /// It is refused, and the refusal is kept.
    Refused(Reason),
    /// The first request under a reference is lost; the next one is sold as usual.
    LostOnce,
    /// No request comes as far as the books.
    Untouched,
}

/// What is odd about what is bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Twist {
    None,
    EveryThirdMissing,
    OneFewer,
    OneMore,
    OtherCurrency,
    OtherFace,
    SharedCode,
    Expired,
    LinkOnly,
    Dearer,
}

/// How it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Plain,
    AfterMs(u64),
    Silent,
    Refusing(Reason),
    /// Every other call is answered 503, by the seed.
    Flapping,
    HtmlFine,
    HtmlBad,
    Truncated,
    Twice,
    OtherReference,
    Huge,
    GzipBomb,
    Drip,
    Closed,
    CutMidway,
}

impl Plan {
    /// Sells and answers.
    pub(super) const ORDINARY: Self = Self {
        sale: Sale::Sold,
        goods: Twist::None,
        settles_after_ms: 0,
        shown_after_ms: 0,
        manner: Manner::Plain,
    };

    const fn sold(manner: Manner) -> Self {
        Self { manner, ..Self::ORDINARY }
    }

    const fn odd(goods: Twist) -> Self {
        Self { goods, ..Self::ORDINARY }
    }

    const fn refused(reason: Reason) -> Self {
        Self { sale: Sale::Refused(reason), ..Self::ORDINARY }
    }

    const fn lost(manner: Manner) -> Self {
        Self { sale: Sale::LostOnce, manner, ..Self::ORDINARY }
    }

    const fn untouched(manner: Manner) -> Self {
        Self { sale: Sale::Untouched, manner, ..Self::ORDINARY }
    }
}

/// Something that the sandbox vendor can be made to do.
#[derive(Debug)]
pub struct Behaviour {
    /// Its name: `sandbox_<name>` in a product's name asks for it.
    pub name: &'static str,
    /// What happens.
    pub happens: &'static str,
    /// How long it takes unless the name ends in a time such as `_500ms` or `_3s`; nought if it takes none.
    pub default_ms: u32,
    plan: fn(u32) -> Plan,
    /// Whether `--fault-rate` draws it.
    drawn: Drawn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drawn {
    Yes,
    No,
}

/// A row of the table.
const fn row(
    name: &'static str,
    drawn: Drawn,
    default_ms: u32,
    plan: fn(u32) -> Plan,
    happens: &'static str,
) -> Behaviour {
    Behaviour { name, happens, default_ms, plan, drawn }
}

use Drawn::{No, Yes};

/// Every behaviour. `docs/vendor-sim.md` has the same table.
#[rustfmt::skip]
pub const BEHAVIOURS: &[Behaviour] = &[
    row("ok", No, 0, |_| Plan::ORDINARY, "sold and answered at once"),
    row("slow", Yes, 1_000, |ms| Plan::sold(Manner::AfterMs(u64::from(ms))), "sold at once, answered after the time"),
    row("out_of_stock", No, 0, |_| Plan::refused(Reason::OutOfStock), "refused: none left, as the list of products says"),
    row("out_of_stock_late", Yes, 0, |_| Plan::refused(Reason::OutOfStock), "refused: none left, though the list of products says otherwise"),
    row("not_sold", No, 0, |_| Plan::refused(Reason::NotSold), "refused: not sold, though it is listed"),
    row("price_changed", No, 0, |_| Plan::refused(Reason::PriceChanged), "refused: the price is another now"),
    row("bad_recipient", No, 0, |_| Plan::refused(Reason::BadRecipient), "refused: the recipient cannot receive it; so is, for any product, one that ends in 0000"),
    row("partial", Yes, 0, |_| Plan::odd(Twist::EveryThirdMissing), "every third unit is not delivered, and the answer says so: 7 of 10"),
    row("pending", Yes, 3_000, pending, "received at once, delivered after the time"),
    row("pending_refused", No, 3_000, |ms| Plan { sale: Sale::Refused(Reason::OutOfStock), ..pending(ms) }, "received at once, refused after the time"),
    row("late_sighting", Yes, 30_000, |ms| Plan { shown_after_ms: i64::from(ms), ..Plan::sold(Manner::Refusing(Reason::Failed)) }, "sold, answered 500, and unknown to look-ups and the statement until the time has passed"),
    row("timeout_bought", Yes, 0, |_| Plan::sold(Manner::Silent), "sold, and never answered"),
    row("timeout_lost", Yes, 0, |_| Plan::lost(Manner::Silent), "the first request under a reference is lost and never answered; the next is sold"),
    row("error_bought", Yes, 0, |_| Plan::sold(Manner::Refusing(Reason::Failed)), "sold, and answered 500"),
    row("error_lost", Yes, 0, |_| Plan::lost(Manner::Refusing(Reason::Failed)), "the first request under a reference is lost and answered 500; the next is sold"),
    row("closed_bought", Yes, 0, |_| Plan::sold(Manner::Closed), "sold, and the connection closed without an answer"),
    row("closed_lost", Yes, 0, |_| Plan::lost(Manner::Closed), "the first request under a reference is lost and the connection closed; the next is sold"),
    row("cut_midway", Yes, 0, |_| Plan::sold(Manner::CutMidway), "sold, and the connection closed in the middle of the answer"),
    row("down", No, 0, |_| Plan::untouched(Manner::Refusing(Reason::Down)), "always 503"),
    row("closed", No, 0, |_| Plan::untouched(Manner::Closed), "the connection is always closed without an answer, and nothing is bought"),
    row("flapping", No, 0, |_| Plan::sold(Manner::Flapping), "every other request, by the seed, is answered 503 and lost"),
    row("too_many", No, 0, |_| Plan::untouched(Manner::Refusing(Reason::TooMany)), "always 429, to be asked again after 7 seconds"),
    row("unauthorized", No, 0, |_| Plan::untouched(Manner::Refusing(Reason::Unauthorized)), "always 401"),
    row("no_funds", No, 0, |_| Plan::untouched(Manner::Refusing(Reason::NoFunds)), "always refused: the account's funds do not suffice"),
    row("price_drift", No, 0, |_| Plan::odd(Twist::Dearer), "sold for a quarter more than the list of products says"),
    row("duplicate_code", No, 0, |_| Plan::odd(Twist::SharedCode), "every purchase of the product has the same codes"),
    row("expired_code", No, 0, |_| Plan::odd(Twist::Expired), "the codes expired a year ago"),
    row("link_only", No, 0, |_| Plan::odd(Twist::LinkOnly), "links to redeem, and no codes"),
    row("wrong_currency", No, 0, |_| Plan::odd(Twist::OtherCurrency), "the units are in another currency"),
    row("wrong_face", No, 0, |_| Plan::odd(Twist::OtherFace), "the units have half the face value"),
    row("fewer", No, 0, |_| Plan::odd(Twist::OneFewer), "one unit fewer than was asked for, and no word of it"),
    row("more", No, 0, |_| Plan::odd(Twist::OneMore), "one unit more than was asked for"),
    row("other_reference", No, 0, |_| Plan::sold(Manner::OtherReference), "sold, and the answer names another reference"),
    row("twice", No, 0, |_| Plan::sold(Manner::Twice), "sold, and answered twice in one body"),
    row("html_bought", Yes, 0, |_| Plan::sold(Manner::HtmlFine), "sold, and answered 200 with a page of HTML"),
    row("html_lost", Yes, 0, |_| Plan::lost(Manner::HtmlBad), "the first request under a reference is lost and answered 400 with a page of HTML; the next is sold"),
    row("truncated", Yes, 0, |_| Plan::sold(Manner::Truncated), "sold, and half the JSON answered as if it were whole"),
    row("huge", No, 0, |_| Plan::sold(Manner::Huge), "sold, and answered with 100 MB"),
    row("gzip_bomb", No, 0, |_| Plan::sold(Manner::GzipBomb), "sold, and answered with half a megabyte that unpacks to 100"),
    row("drip", No, 0, |_| Plan::sold(Manner::Drip), "sold, and answered byte by byte, for minutes"),
];

fn pending(ms: u32) -> Plan {
    Plan { settles_after_ms: i64::from(ms), ..Plan::ORDINARY }
}

/// The plan of a behaviour by its name, with or without a time at its end.
pub(super) fn named(text: &str) -> Option<Plan> {
    let (plan, rest) = leading(text)?;
    rest.is_empty().then_some(plan)
}

/// The plan that a product's name asks for.
pub(super) fn of_sku(sku: &str) -> Option<Plan> {
    let (_, words) = sku.split_once(MARK)?;
    leading(words).map(|(plan, _)| plan)
}

/// The plan of the behaviour that a text begins with, and what follows.
fn leading(text: &str) -> Option<(Plan, &str)> {
    let ends_there = |rest: &str| !rest.starts_with(|letter: char| letter.is_ascii_alphanumeric());
    let fits = |row: &&Behaviour| text.strip_prefix(row.name).is_some_and(ends_there);
    // `pending_refused` also begins with `pending`.
    let row = BEHAVIOURS.iter().filter(fits).max_by_key(|row| row.name.len())?;
    let rest = &text[row.name.len()..];
    let (ms, rest) = time(rest).filter(|_| row.default_ms > 0).unwrap_or((row.default_ms, rest));
    Some(((row.plan)(ms), rest))
}

/// The time that a text such as `_500ms` or `_3s` begins with, and what follows.
fn time(text: &str) -> Option<(u32, &str)> {
    let text = text.strip_prefix('_')?;
    let (digits, rest) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit())?);
    let count: u32 = digits.parse().ok()?;
    let (ms, rest) = match rest.strip_prefix("ms") {
        Some(rest) => (count, rest),
        None => (count.checked_mul(1_000)?, rest.strip_prefix('s')?),
    };
    (!rest.starts_with(|letter: char| letter.is_ascii_alphanumeric())).then_some((ms, rest))
}

/// The fault that an ordinary purchase meets: a share of them, in parts of a million, each by seed and reference.
pub(super) fn by_chance(seed: u64, reference: &str, share: u32) -> Option<Plan> {
    if draw(seed, &["chance", reference], MILLION) >= u64::from(share) {
        return None;
    }
    let drawn: Vec<&Behaviour> = BEHAVIOURS.iter().filter(|row| row.drawn == Yes).collect();
    let count = u64::try_from(drawn.len()).unwrap_or(1);
    let index = usize::try_from(draw(seed, &["fault", reference], count)).unwrap_or(0);
    drawn.get(index).map(|row| (row.plan)(row.default_ms))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_product_s_name_chooses_a_behaviour_and_its_time() {
        for (sku, expected) in [
            ("steam_wallet_50_usd", None),
            ("sandbox_", None),
            ("sandbox_oklahoma", None),
            ("sandbox_ok", Some(Plan::ORDINARY)),
            ("x_sandbox_slow_500ms", Some(Plan::sold(Manner::AfterMs(500)))),
            ("sandbox_slow_3s", Some(Plan::sold(Manner::AfterMs(3_000)))),
            ("sandbox_slow_3s_50_usd", Some(Plan::sold(Manner::AfterMs(3_000)))),
            ("sandbox_slow_50_usd", Some(Plan::sold(Manner::AfterMs(1_000)))),
            ("sandbox_slow", Some(Plan::sold(Manner::AfterMs(1_000)))),
            ("sandbox_partial.2", Some(Plan::odd(Twist::EveryThirdMissing))),
            ("sandbox_out_of_stock", Some(Plan::refused(Reason::OutOfStock))),
            ("sandbox_pending_2s", Some(pending(2_000))),
            ("sandbox_down_2s", Some(Plan::untouched(Manner::Refusing(Reason::Down)))),
        ] {
            assert_eq!(of_sku(sku), expected, "{sku}");
        }
        assert_ne!(of_sku("sandbox_pending_refused"), of_sku("sandbox_pending"));
        assert_eq!(named("slow_3s"), Some(Plan::sold(Manner::AfterMs(3_000))));
        assert_eq!(named("slow_3s_50"), None);
        assert_eq!(named("slower"), None);
    }

    #[test]
    fn every_name_in_the_table_is_its_own() {
        let names: BTreeSet<_> = BEHAVIOURS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), BEHAVIOURS.len());
        for row in BEHAVIOURS {
            assert_eq!(named(row.name), Some((row.plan)(row.default_ms)), "{}", row.name);
        }
    }

    #[test]
    fn chance_repeats_itself_and_meets_its_share() {
        let met =
            |seed: u64| (0..10_000).filter(|n| by_chance(seed, &format!("r-{n}"), 100_000).is_some()).count();
        assert!((900..1_100).contains(&met(7)), "{}", met(7));
        assert_eq!(met(7), met(7));
        assert_eq!(by_chance(7, "r-1", 1_000_000), by_chance(7, "r-1", 1_000_000));
        assert!(by_chance(7, "r-1", 1_000_000).is_some());
        assert!((0..1_000).all(|n| by_chance(7, &format!("r-{n}"), 0).is_none()));
        let kinds: BTreeSet<_> = (0..1_000)
            .filter_map(|n| by_chance(1, &format!("r-{n}"), 1_000_000))
            .map(|plan| format!("{plan:?}"))
            .collect();
        assert_eq!(kinds.len(), BEHAVIOURS.iter().filter(|row| row.drawn == Yes).count());
    }
}
