//! What a vendor is to us.
//!
//! What lives here: the trait that every adapter implements, what it states of itself, what it is asked and what it may answer.
//! What is always true: an answer is a fact or it is none. `Delivered` and `Refused` are facts, and an adapter gives them only
//! where the vendor's documentation or its own record says so; whatever else happens is a doubt, which is asked about later and
//! never guessed. A vendor's plaintext codes travel in `Secret` alone.
//! What is not here: when a vendor is called, and what follows from its answer; what it tells where nothing is bought
//! (`listing.rs`); how it is opened (`adapter.rs`); adapters themselves (`src/vendors`).

use entity::money::Money;
use entity::state::{DeliveryKind, RecipientKind};
use entity::timestamp::Timestamp;
use futures_util::future::BoxFuture;

use super::listing::{BadHint, Hint, HintedPurchase, Listed, Part, StatementLine, Trouble};
use super::wording::plain_words;
use crate::domain::vouchers::{Contents, Cost, Secret};

/// How many requests it takes, in the ordinary course, to ask a vendor for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requests {
    /// To buy.
    pub purchase: i32,
    /// More, to buy for a recipient.
    pub recipient: i32,
    /// To ask what became of a purchase.
    pub look: i32,
}

/// What a vendor's interface can do, by its documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// A purchase can be looked up by our reference.
    pub query_by_reference: bool,
    /// A purchase that is sent again under its reference is not made twice, also when both are under way.
    pub idempotent_create: bool,
    /// It tells all purchases since an instant.
    pub statement: bool,
    /// It tells what it sells.
    pub catalog: bool,
    /// It tells the codes of a purchase again, however old: they need not be kept here.
    pub tells_codes_again: bool,
    /// Its names for products are ours, where both have the same.
    pub shares_skus: bool,
    /// For how many seconds a purchase that was sent may still be unknown to its look-up and come to be all the same.
    pub settle_window_secs: u32,
    /// How many units a purchase may have at most.
    pub largest_batch: i32,
    /// How many requests a second it takes; an account may set less.
    pub requests_per_second: u32,
    /// How many calls at once it takes; an account may set less.
    pub concurrent_requests: u32,
    /// How many requests each of them is.
    pub requests: Requests,
    /// How what it sells reaches its user.
    pub delivers: &'static [DeliveryKind],
}

/// Who receives goods without a code.
#[derive(Debug)]
pub struct Recipient {
    /// What names them.
    pub kind: RecipientKind,
    /// The name.
    pub value: Secret,
}

/// A purchase as it is asked for. Asked again, it is the same to the last member.
#[derive(Debug)]
pub struct PurchaseRequest {
    /// Our reference, unique for ever: `[a-z0-9-]`, at most 40 characters.
    pub our_ref: String,
    /// The vendor's name for the product.
    pub vendor_sku: String,
    /// How many units.
    pub quantity: i32,
    /// The face value of a unit.
    pub face: Money,
    /// What all units together are expected to cost.
    pub expected_cost: Cost,
    /// What they may cost at most, in the same currency, for a vendor that can be told so: what they are sold for. `None` where
    /// the price is bound by a charge: then the loss is ours.
    pub highest_cost: Option<Cost>,
    /// Who receives them, where there is no code.
    pub recipient: Option<Recipient>,
    /// The vendor's own name for the purchase, once it told one.
    pub vendor_ref: Option<String>,
    /// When it was first sent.
    pub created_at: Timestamp,
}

/// What a unit came to.
#[derive(Debug)]
pub enum Goods {
    /// A code, with what the vendor says of it.
    Code {
        /// Code, pin, serial and link.
        contents: Contents,
        /// When it expires; `None` if never, or if the vendor does not say.
        expires_at: Option<Timestamp>,
        /// Its face value as the vendor tells it; `None` if it does not.
        face: Option<Money>,
    },
    /// Credited to the recipient; the vendor's receipt.
    Receipt {
        /// The receipt's number.
        number: String,
        /// The face value that was credited, as the vendor tells it; `None` if it does not.
        face: Option<Money>,
    },
}

/// A purchase that was made.
#[derive(Debug)]
pub struct Delivery {
    /// The vendor's own name for it.
    pub vendor_ref: String,
    /// What was bought, at most as many as were asked for. Where there are fewer, the vendor says that the others will not come.
    pub goods: Vec<Goods>,
    /// What the vendor took for it; `None` if it does not say.
    pub cost: Option<Cost>,
}

/// Why a vendor refused. What it refused cost nothing and did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// It has none left. Another vendor may.
    OutOfStock,
    /// It does not sell this, or not at this face value or quantity.
    NotSold,
    /// The recipient does not exist or cannot receive this; no vendor would say otherwise.
    BadRecipient,
    /// It asks for more than we expected.
    PriceChanged,
    /// Our account there lacks funds.
    NoFunds,
    /// Our credentials there are not accepted.
    NotAuthorized,
    /// We ask too often. Nothing is wrong with the purchase.
    TooMany,
    /// No connection came to be, so that nothing was sent.
    Unreachable,
    /// It refused for a reason of its own.
    Other,
}

impl RefusalKind {
    const ALL: [Self; 9] = [
        Self::OutOfStock,
        Self::NotSold,
        Self::BadRecipient,
        Self::PriceChanged,
        Self::NoFunds,
        Self::NotAuthorized,
        Self::TooMany,
        Self::Unreachable,
        Self::Other,
    ];

    /// The kind of a text that stands in a table.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The text that stands in tables and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OutOfStock => "OUT_OF_STOCK",
            Self::NotSold => "NOT_SOLD",
            Self::BadRecipient => "BAD_RECIPIENT",
            Self::PriceChanged => "PRICE_CHANGED",
            Self::NoFunds => "NO_FUNDS",
            Self::NotAuthorized => "NOT_AUTHORIZED",
            Self::TooMany => "TOO_MANY",
            Self::Unreachable => "UNREACHABLE",
            Self::Other => "OTHER",
        }
    }

    /// Whether the same purchase may succeed at the same vendor a little later.
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::NoFunds | Self::NotAuthorized | Self::TooMany | Self::Unreachable)
    }

    /// What is wrong with a vendor that refuses so.
    pub const fn blame(self) -> Blame {
        match self {
            Self::NotAuthorized | Self::Unreachable => Blame::Vendor,
            // What costs less may still be had.
            Self::NoFunds => Blame::Product,
            _ => Blame::Nobody,
        }
    }
}

/// A definite refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendorRefusal {
    /// Which.
    pub kind: RefusalKind,
    /// In the vendor's words, cut to 200 characters, or in ours; never with codes or keys in it.
    pub message: String,
    /// After how many seconds it may be asked again, if it says so.
    pub retry_after_secs: Option<u64>,
}

/// What a failure says of how a vendor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// It fails, whatever it is asked for: it cannot be reached, or does not accept us.
    Vendor,
    /// It fails at this product, as far as is known.
    Product,
    /// It takes too much for this product: what else it sells may be priced as it says.
    Price,
    /// Nothing: the trouble is ours, or none.
    Nobody,
}

/// Why it is not known what became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// What was seen instead of a fact, for people; never with codes or keys in it.
    pub message: String,
    /// The HTTP status, if there was one.
    pub http_status: Option<u16>,
    /// The vendor's own name for the purchase, if it told one all the same.
    pub vendor_ref: Option<String>,
    /// That the vendor was asked too often, if that is why: it says nothing of how the vendor is.
    pub too_many: Option<TooMany>,
    /// What it says of how the vendor is.
    pub blame: Blame,
}

impl Doubt {
    /// A doubt of which nothing is known but what was seen.
    pub fn saying(message: impl Into<String>) -> Self {
        let message = plain_words(&message.into());
        Self { message, http_status: None, vendor_ref: None, too_many: None, blame: Blame::Product }
    }

    /// A doubt that the vendor has no part in.
    pub fn of_our_making(message: impl Into<String>) -> Self {
        Self { blame: Blame::Nobody, ..Self::saying(message) }
    }
}

/// The vendor was asked too often, and wants to be left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany {
    /// For how many seconds; `None` if it does not say.
    pub retry_after_secs: Option<u64>,
}

/// What became of a purchase that was sent.
#[derive(Debug)]
pub enum Outcome {
    /// A fact: it was made.
    Delivered(Delivery),
    /// A fact: it was not made, and will not be.
    Refused(VendorRefusal),
    /// No fact. It is asked about by reference.
    Unknown(Doubt),
}

/// What a vendor says of a purchase when it is asked by reference.
#[derive(Debug)]
pub enum Sighting {
    /// A fact: it was made.
    Delivered(Delivery),
    /// A fact: it was received, and not made.
    Refused(VendorRefusal),
    /// It was received, and is under way.
    Pending {
        /// The vendor's own name for it, if it told one.
        vendor_ref: Option<String>,
    },
    /// The vendor knows no such purchase; within its settle window that proves nothing.
    NotFound,
    /// No fact: the question itself failed.
    Unclear(Doubt),
}

/// A vendor. One value a vendor account and process; it keeps tokens and connections, and no facts.
pub trait Vendor: Send + Sync + 'static {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Buys. Called only when the purchase is on record; called again for the same one only where `idempotent_create` is true, or
    /// where the vendor was asked until its settle window had passed and never knew it. Whether a recipient can receive is asked
    /// before anything is bought, where the vendor can tell.
    fn purchase<'a>(&'a self, request: &'a PurchaseRequest) -> BoxFuture<'a, Outcome>;

    /// What became of a purchase, by our reference. Called only where `query_by_reference` is true, or, for its codes alone,
    /// where `tells_codes_again` is.
    fn find<'a>(&'a self, request: &'a PurchaseRequest) -> BoxFuture<'a, Sighting>;

    /// The purchases that were made at or after an instant, oldest first; `from` is the `next` of the part before.
    fn statement(
        &self,
        since: Timestamp,
        from: Option<String>,
    ) -> BoxFuture<'_, Result<Part<StatementLine>, Trouble>> {
        let (_, _) = (since, from);
        Box::pin(std::future::ready(Err(Trouble::Unsupported)))
    }

    /// What it sells, to the last item: what cannot be offered is told with the reason, so that nothing is thought gone that is
    /// only not understood. `from` is the `next` of the part before.
    fn catalog(&self, from: Option<String>) -> BoxFuture<'_, Result<Part<Listed>, Trouble>> {
        let _ = from;
        Box::pin(std::future::ready(Err(Trouble::Unsupported)))
    }

    /// What our account there still has; `None` if it is not told.
    fn balance(&self) -> BoxFuture<'_, Result<Option<Cost>, Trouble>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Which purchase a message is about.
    ///
    /// # Errors
    /// See `BadHint`.
    fn read_hint(&self, hint: &Hint<'_>, now: Timestamp) -> Result<HintedPurchase, BadHint> {
        let (_, _) = (hint, now);
        Err(BadHint::Unsupported)
    }
}
