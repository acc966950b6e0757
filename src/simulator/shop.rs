//! How the sandbox vendor sells.
//!
//! What lives here: the books and what is decided over them: what a purchase meets, what it comes to, what is told of it later.
//! What is always true: a reference is bought once, also when it is asked for twice at a time; whatever is answered as bought is
//! in the books, and synced; a refusal that says nothing of the purchase itself is not kept.
//! What is not here: how answers look (`routes.rs`, `manner.rs`).

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::money::Money;
use entity::state::DeliveryKind;
use entity::timestamp::Timestamp;

use super::behaviour::{self, Manner, Plan, Sale, Twist};
use super::digest;
use super::ledger::{Ledger, Purchase, Recipient, Unit, Wanted};
use super::products::{Amendment, Product, Products};
use super::refusal::Reason;
use super::{Question, UnknownBehaviour};
use crate::clock::Clock;

/// What an account has at its beginning, in millionths of each currency.
const FUNDS_MICROS: i64 = 1_000_000_000_000_000_000;
/// The most units of a purchase.
const LARGEST_BATCH: i32 = 1_000;
/// A recipient of this end cannot receive anything.
const NOBODY: &str = "0000";
const YEAR_SECS: i64 = 31_536_000;

/// The vendor.
pub(super) struct Shop {
    pub(super) seed: u64,
    /// How many of a million ordinary purchases meet a fault.
    pub(super) fault_share: u32,
    pub(super) at_quantity: Vec<(i32, Plan)>,
    products: RwLock<Products>,
    pub(super) clock: Arc<dyn Clock>,
    books: Mutex<Books>,
    script: Mutex<BTreeMap<(Question, Option<String>), Plan>>,
}

#[derive(Debug, Default)]
struct Books {
    ledger: Ledger,
    spent_micros: HashMap<Currency, i64>,
    /// How often a question was asked about a reference before, where that matters.
    asked: HashMap<(Question, String), u32>,
}

/// What came of a request to buy.
pub(super) enum Deal {
    /// It was received, and is in the books.
    New(Arc<Purchase>),
    /// It was in the books.
    Again(Arc<Purchase>),
    /// It is not in the books.
    Not(Reason),
}

impl Shop {
    pub(super) fn new(seed: u64, products: Products, ledger: Ledger, clock: Arc<dyn Clock>) -> Self {
        let mut books = Books { ledger, ..Books::default() };
        for purchase in books.ledger.all().to_vec() {
            books.spend(&purchase);
        }
        Self {
            seed,
            fault_share: 0,
            at_quantity: Vec::new(),
            products: RwLock::new(products),
            clock,
            books: Mutex::new(books),
            script: Mutex::default(),
        }
    }

    /// What it sells.
    pub(super) fn products(&self) -> RwLockReadGuard<'_, Products> {
        self.products.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a product; tells whether there is one of this name.
    pub(super) fn amend(&self, sku: &str, amendment: Amendment) -> bool {
        self.products.write().unwrap_or_else(PoisonError::into_inner).amend(sku, amendment)
    }

    /// Sets what a question meets, for one product or for all.
    pub(super) fn play(
        &self,
        question: Question,
        sku: Option<&str>,
        name: Option<&str>,
    ) -> Result<(), UnknownBehaviour> {
        let plan = name.map(|name| behaviour::named(name).ok_or(UnknownBehaviour)).transpose()?;
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (question, sku.map(str::to_owned));
        match plan {
            Some(plan) => script.insert(key, plan),
            None => script.remove(&key),
        };
        Ok(())
    }

    fn scripted(&self, question: Question, sku: &str) -> Option<Plan> {
        let script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        let of_all = || script.get(&(question, None));
        script.get(&(question, Some(sku.to_owned()))).or_else(of_all).copied()
    }

    /// How a question that buys nothing is answered; `about` is what it names, if it names something.
    pub(super) fn manner(&self, question: Question, about: &str) -> Manner {
        let Some(plan) = self.scripted(question, "") else { return Manner::Plain };
        self.settled(plan, question, about, &mut self.books()).manner
    }

    /// Buys, and says how to answer.
    ///
    /// # Errors
    /// What the file of the books says; then nothing was bought.
    pub(super) fn buy(&self, wanted: Wanted) -> io::Result<(Manner, Deal)> {
        let mut books = self.books();
        if let Some(known) = books.ledger.find(&wanted.reference) {
            let is_same = known.wanted == wanted;
            let deal =
                if is_same { Deal::Again(Arc::clone(known)) } else { Deal::Not(Reason::ReferenceUsed) };
            return Ok((Manner::Plain, deal));
        }
        let plan = self.settled(self.plan(&wanted), Question::Purchase, &wanted.reference, &mut books);
        if plan.sale == Sale::Untouched {
            return Ok((plan.manner, Deal::Not(Reason::Failed)));
        }
        let purchase = match self.purchase(wanted, plan) {
            Ok(purchase) => purchase,
            Err(reason) => return Ok((Manner::Plain, Deal::Not(reason))),
        };
        if purchase.refusal.is_none() && books.funds_micros(purchase.wanted.currency) < purchase.cost_micros {
            return Ok((Manner::Plain, Deal::Not(Reason::NoFunds)));
        }
        let purchase = books.ledger.append(purchase)?;
        books.spend(&purchase);
        Ok((plan.manner, Deal::New(purchase)))
    }

    /// The plan that a purchase meets: what was scripted wins over its quantity, that over its product's name, that over chance.
    fn plan(&self, wanted: &Wanted) -> Plan {
        let by_quantity = || self.at_quantity.iter().find(|(quantity, _)| *quantity == wanted.quantity);
        self.scripted(Question::Purchase, &wanted.sku)
            .or_else(|| by_quantity().map(|(_, plan)| *plan))
            .or_else(|| behaviour::of_sku(&wanted.sku))
            .or_else(|| behaviour::by_chance(self.seed, &wanted.reference, self.fault_share))
            .unwrap_or(Plan::ORDINARY)
    }

    /// The plan with what depends on how often it was asked: what is lost once, and what flaps.
    fn settled(&self, plan: Plan, question: Question, about: &str, books: &mut Books) -> Plan {
        let flaps = plan.manner == Manner::Flapping;
        if !flaps && plan.sale != Sale::LostOnce {
            return plan;
        }
        let asked = books.asked.entry((question, about.to_owned())).or_default();
        let number = *asked;
        *asked = asked.saturating_add(1);
        let is_lost = if flaps {
            digest::draw(self.seed, &["flap", about, &number.to_string()], 2) == 0
        } else {
            number == 0 || question != Question::Purchase
        };
        match (is_lost, flaps) {
            (false, _) => Plan::ORDINARY,
            (true, false) => Plan { sale: Sale::Untouched, ..plan },
            (true, true) => Plan { sale: Sale::Untouched, manner: Manner::Refusing(Reason::Down), ..plan },
        }
    }

    /// What a purchase comes to; what the request itself lacks says nothing of a later one.
    fn purchase(&self, wanted: Wanted, plan: Plan) -> Result<Purchase, Reason> {
        if !is_reference(&wanted.reference) || !(1..=LARGEST_BATCH).contains(&wanted.quantity) {
            return Err(Reason::Malformed);
        }
        let face = Money::from_decimal(wanted.face_value, wanted.currency).map_err(|_| Reason::Malformed)?;
        if face.minor <= 0 {
            return Err(Reason::Malformed);
        }
        let product = self.products().sold(&wanted.sku, wanted.face_value, wanted.currency);
        let refusal = match (&product, plan.sale) {
            (Err(reason), _) => Some(*reason),
            (Ok(_), Sale::Refused(reason)) => Some(reason),
            (Ok(product), _) if !can_receive(product, wanted.recipient.as_ref()) => {
                Some(Reason::BadRecipient)
            }
            _ => None,
        };
        let now = self.clock.now();
        let mut purchase = Purchase {
            id: format!("pur-{}", digest::letters(self.seed, &["id", &wanted.reference], 16).to_lowercase()),
            wanted,
            at: now,
            settles_at: now.plus_millis(plan.settles_after_ms),
            shown_at: now.plus_millis(plan.shown_after_ms),
            refusal,
            units: Vec::new(),
            undelivered: 0,
            cost_micros: 0,
        };
        if let (Ok(product), None) = (&product, refusal) {
            self.fill(&mut purchase, product, face, plan.goods).ok_or(Reason::Malformed)?;
        }
        Ok(purchase)
    }

    /// Puts the units into a purchase, and what they cost; `None` if that is beyond what can be counted.
    fn fill(&self, purchase: &mut Purchase, product: &Product, face: Money, twist: Twist) -> Option<()> {
        let wanted = purchase.wanted.quantity;
        let count = match twist {
            Twist::OneFewer => wanted.saturating_sub(1),
            Twist::OneMore => wanted.saturating_add(1),
            _ => wanted,
        };
        let is_there = |number: &i32| twist != Twist::EveryThirdMissing || number.checked_rem(3) != Some(0);
        let units: Vec<Unit> =
            (1..=count).filter(is_there).map(|number| self.unit(purchase, product, twist, number)).collect();
        let sold = i32::try_from(units.len()).ok()?;
        purchase.units = units;
        purchase.undelivered =
            if twist == Twist::EveryThirdMissing { wanted.saturating_sub(sold) } else { 0 };
        let unit = product.unit_cost_micros(face)?;
        let cost = unit.checked_mul(i64::from(sold.min(wanted)))?;
        purchase.cost_micros = if twist == Twist::Dearer { dearer(cost)? } else { cost };
        Some(())
    }

    fn unit(&self, purchase: &Purchase, product: &Product, twist: Twist, number: i32) -> Unit {
        let wanted = &purchase.wanted;
        let number = number.to_string();
        let owner = if twist == Twist::SharedCode { &wanted.sku } else { &wanted.reference };
        let words = |what: &'static str| [what, owner.as_str(), number.as_str()];
        let bare = Unit {
            code: None,
            pin: None,
            serial: None,
            url: None,
            receipt: None,
            expires_at: (twist == Twist::Expired).then(|| purchase.at.plus_seconds(-YEAR_SECS)),
            face_value: if twist == Twist::OtherFace { half(wanted.face_value) } else { wanted.face_value },
            currency: if twist == Twist::OtherCurrency { other(wanted.currency) } else { wanted.currency },
        };
        if product.delivery != DeliveryKind::Code || wanted.recipient.is_some() {
            return Unit { receipt: Some(digest::digits(self.seed, &words("receipt"), 12)), ..bare };
        }
        if twist == Twist::LinkOnly {
            let path = digest::letters(self.seed, &words("link"), 24);
            return Unit { url: Some(format!("https://redeem.sandbox.invalid/{path}")), ..bare };
        }
        Unit {
            code: Some(digest::code(self.seed, &words("code"))),
            pin: Some(digest::digits(self.seed, &words("pin"), 4)),
            serial: Some(digest::digits(self.seed, &words("serial"), 12)),
            ..bare
        }
    }

    /// The purchase of a reference, if look-ups know it already.
    pub(super) fn find(&self, reference: &str) -> Option<Arc<Purchase>> {
        let now = self.clock.now();
        self.books().ledger.find(reference).filter(|purchase| purchase.shown_at <= now).map(Arc::clone)
    }

    /// Whether a recipient can receive a product.
    pub(super) fn can_receive(&self, sku: &str, recipient: &Recipient) -> bool {
        self.products()
            .find(sku)
            .map_or_else(|| is_somebody(recipient), |product| can_receive(product, Some(recipient)))
    }

    /// Every purchase that is in the books.
    pub(super) fn purchases(&self) -> Vec<Arc<Purchase>> {
        self.books().ledger.all().to_vec()
    }

    /// A part of the statement since an instant, and where the next one begins.
    pub(super) fn statement(
        &self,
        since: Timestamp,
        from: Option<usize>,
        page: usize,
    ) -> (Vec<Arc<Purchase>>, Option<usize>) {
        let (now, books) = (self.clock.now(), self.books());
        let all = books.ledger.all();
        let first = || all.iter().position(|purchase| purchase.at >= since).unwrap_or(all.len());
        let start = from.unwrap_or_else(first);
        let is_listed = |purchase: &&Arc<Purchase>| {
            purchase.at >= since && purchase.is_delivered(now) && !purchase.units.is_empty()
        };
        let part = all.iter().skip(start).take(page).filter(is_listed).cloned().collect();
        let next = start.checked_add(page).filter(|next| *next < all.len());
        (part, next)
    }

    pub(super) fn funds_micros(&self, currency: Currency) -> i64 {
        self.books().funds_micros(currency)
    }

    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Purchase {
    /// Whether it is delivered at an instant, and can be seen.
    pub(super) fn is_delivered(&self, now: Timestamp) -> bool {
        self.refusal.is_none() && self.settles_at <= now && self.shown_at <= now
    }
}

impl Books {
    fn spend(&mut self, purchase: &Purchase) {
        if purchase.refusal.is_none() {
            let spent = self.spent_micros.entry(purchase.wanted.currency).or_default();
            *spent = spent.saturating_add(purchase.cost_micros);
        }
    }

    fn funds_micros(&self, currency: Currency) -> i64 {
        FUNDS_MICROS.saturating_sub(self.spent_micros.get(&currency).copied().unwrap_or(0))
    }
}

fn is_reference(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(is_plain)
}

fn is_somebody(recipient: &Recipient) -> bool {
    !recipient.value.is_empty() && !recipient.value.ends_with(NOBODY)
}

/// Whether a recipient is one for the product. What is not listed is sold with and without.
fn can_receive(product: &Product, recipient: Option<&Recipient>) -> bool {
    match (product.recipient, recipient) {
        (Some(kind), Some(named)) => named.kind == kind && is_somebody(named),
        (Some(_), None) => false,
        (None, named) => named.is_none_or(is_somebody),
    }
}

/// A quarter more, rounded up.
fn dearer(micros: i64) -> Option<i64> {
    micros.checked_mul(5)?.checked_add(3)?.checked_div(4)
}

fn half(value: Decimal) -> Decimal {
    Decimal::new(value.mantissa().saturating_mul(5), value.scale().saturating_add(1))
}

fn other(currency: Currency) -> Currency {
    let others = ["EUR", "USD"].into_iter().filter_map(|code| code.parse().ok());
    others.into_iter().find(|other| *other != currency).unwrap_or(currency)
}
