//! The states and kinds that tables hold.
//!
//! What lives here: database enums, stored as SCREAMING_CASE text and guarded by a CHECK in the migration.
//! What is always true: the text of a variant never changes, for rows keep it.
//! What is not here: which state may follow which; that is each feature's `model.rs`.

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

macro_rules! states {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
        #[sea_orm(rs_type = "String", db_type = "Text")]
        pub enum $name {
            $($(#[$variant_doc])* #[sea_orm(string_value = $text)] #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every variant, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The text that stands in tables and answers.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = ParseStateError;

            fn from_str(text: &str) -> Result<Self, ParseStateError> {
                match text { $($text => Ok(Self::$variant),)+ _ => Err(ParseStateError) }
            }
        }
    )+};
}

/// Text that names no variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of the known values")]
pub struct ParseStateError;

states! {
    /// Where the installation runs.
    Environment {
        /// Nothing is bootstrapped, nothing is pretended.
        Production = "production",
        /// Bootstrapped with a catalog, rates, codes and credentials.
        Sandbox = "sandbox",
    }
    /// Whether a partner may act.
    PartnerStatus {
        /// It may.
        Active = "ACTIVE",
        /// It may not sign in.
        Suspended = "SUSPENDED",
    }
    /// What a caller may do.
    Scope {
        /// See the catalog, prices and rates.
        CatalogRead = "catalog:read",
        /// Ask for binding prices.
        ChargesWrite = "charges:write",
        /// See orders, without their codes.
        OrdersRead = "orders:read",
        /// Place and cancel orders.
        OrdersWrite = "orders:write",
        /// Read the codes of delivered units.
        VouchersReveal = "vouchers:reveal",
        /// See wallets, entries and statements.
        WalletRead = "wallet:read",
        /// Manage webhook endpoints.
        WebhooksWrite = "webhooks:write",
        /// Manage credentials and the account.
        AccountWrite = "account:write",
    }
    /// Whether a product is sold.
    ProductStatus {
        /// It is sold whenever there is a source.
        Active = "ACTIVE",
        /// It is not sold at present.
        Paused = "PAUSED",
        /// It is not sold any more.
        Retired = "RETIRED",
    }
    /// How a unit reaches its user.
    DeliveryKind {
        /// A code.
        Code = "CODE",
        /// Credited to a player id or a user name.
        Direct = "DIRECT",
        /// Credited to a phone number.
        Topup = "TOPUP",
    }
    /// How the face value of a product is set.
    DenominationKind {
        /// One value.
        Fixed = "FIXED",
        /// Any value from a minimum to a maximum by a step.
        Range = "RANGE",
    }
    /// What names the receiver of a unit without a code.
    RecipientKind {
        /// A phone number in E.164.
        Phone = "PHONE",
        /// A player's id.
        PlayerId = "PLAYER_ID",
        /// A user's name.
        Username = "USERNAME",
    }
    /// What a price rule sets.
    PriceRuleKind {
        /// The share taken off the face value.
        Discount = "DISCOUNT",
        /// What is added to a unit, in its face currency.
        Fee = "FEE",
        /// The margin on the rate where currencies differ.
        Margin = "MARGIN",
    }
    /// What may be wrong with the rate of a currency.
    RateTroubleKind {
        /// The provider tells one that is too far from ours; it is refused until somebody imports a rate.
        Jump = "JUMP",
        /// Ours is so old that prices will soon do without it.
        Aging = "AGING",
    }
    /// What a price rule is about, besides its partner.
    PriceRuleSubject {
        /// One product.
        Product = "PRODUCT",
        /// All products of a brand.
        Brand = "BRAND",
        /// All products of a category.
        Category = "CATEGORY",
        /// All products.
        All = "ALL",
    }
    /// Where an order stands.
    OrderStatus {
        /// Accepted and paid; nothing delivered yet.
        Pending = "PENDING",
        /// Some units are delivered or on their way, and some are open.
        Processing = "PROCESSING",
        /// Every unit is delivered.
        Delivered = "DELIVERED",
        /// Some units are delivered, the others refunded.
        PartiallyDelivered = "PARTIALLY_DELIVERED",
        /// Nothing could be delivered.
        Failed = "FAILED",
        /// Cancelled by the partner before anything was delivered.
        Cancelled = "CANCELLED",
    }
    /// Where a unit stands.
    UnitStatus {
        /// Paid, and waiting for a source.
        Pending = "PENDING",
        /// Asked of a vendor whose answer is not known yet.
        AwaitingVendor = "AWAITING_VENDOR",
        /// Delivered.
        Delivered = "DELIVERED",
        /// Not delivered; its price is back in the wallet.
        Refunded = "REFUNDED",
    }
    /// How a unit was paid for at acceptance.
    UnitFunding {
        /// Delivered at once: paid straight to revenue.
        Sale = "SALE",
        /// Open: its price is held until it is captured or released.
        Hold = "HOLD",
    }
    /// What happens when not every unit can be had.
    FailurePolicy {
        /// Deliver what can be had.
        BestEffort = "BEST_EFFORT",
        /// Deliver all units or none.
        AllOrNothing = "ALL_OR_NOTHING",
    }
    /// Why units of an order were refunded.
    OrderFailureCode {
        /// No source delivered before the deadline.
        DeadlinePassed = "DEADLINE_PASSED",
        /// The partner cancelled.
        Cancelled = "CANCELLED",
        /// Not all units could be had, and the policy asked for all.
        NotAllAvailable = "NOT_ALL_AVAILABLE",
        /// Every source refused.
        SourcesRefused = "SOURCES_REFUSED",
    }
    /// What a ledger transaction is.
    TransactionKind {
        /// Money paid in.
        Credit = "CREDIT",
        /// Units delivered at acceptance.
        Sale = "SALE",
        /// Open units set aside.
        Hold = "HOLD",
        /// Held units delivered.
        Capture = "CAPTURE",
        /// Held units refunded.
        Release = "RELEASE",
        /// Delivered units refunded by goodwill.
        Refund = "REFUND",
        /// A correction by the operator.
        Adjustment = "ADJUSTMENT",
        /// Codes taken into stock.
        StockLoad = "STOCK_LOAD",
        /// What a vendor delivered.
        Purchase = "PURCHASE",
        /// Another code given for one that did not work.
        Replacement = "REPLACEMENT",
    }
    /// What an account in the ledger is for.
    Account {
        /// A wallet's spendable money.
        WalletAvailable = "WALLET_AVAILABLE",
        /// A wallet's money set aside for open units.
        WalletHeld = "WALLET_HELD",
        /// Money that came in from outside.
        Funding = "FUNDING",
        /// Revenue: the goods.
        RevenueSales = "REVENUE_SALES",
        /// Revenue: the margin on exchange rates.
        RevenueFxMargin = "REVENUE_FX_MARGIN",
        /// Revenue: fees.
        RevenueFees = "REVENUE_FEES",
        /// Revenue: what rounding leaves.
        RevenueRounding = "REVENUE_ROUNDING",
        /// What codes in stock cost.
        Inventory = "INVENTORY",
        /// What delivered codes cost.
        CostOfGoods = "COST_OF_GOODS",
        /// What is owed for codes.
        Payable = "PAYABLE",
        /// What was paid for goods that cannot be used, and is claimed back.
        Disputed = "DISPUTED",
    }
    /// What became of a held unit's money.
    SettlementOutcome {
        /// Delivered.
        Captured = "CAPTURED",
        /// Refunded.
        Released = "RELEASED",
    }
    /// Where a code stands.
    VoucherState {
        /// In stock.
        Available = "AVAILABLE",
        /// Set aside for a unit of an order that delivers all or nothing.
        Reserved = "RESERVED",
        /// Delivered to a unit.
        Delivered = "DELIVERED",
        /// Taken out by the operator.
        Voided = "VOIDED",
    }
    /// Why the number of available codes changed.
    StockMoveKind {
        /// Codes were loaded.
        Loaded = "LOADED",
        /// Codes went to an order.
        Allocated = "ALLOCATED",
        /// Codes came back from an order.
        Returned = "RETURNED",
        /// Codes were taken out.
        Voided = "VOIDED",
    }
    /// Whether a vendor is bought from.
    VendorStatus {
        /// It is.
        Active = "ACTIVE",
        /// It is not at present; what was asked of it is still resolved.
        Paused = "PAUSED",
    }
    /// How the codes that a vendor delivers are kept.
    RetentionKind {
        /// Sealed, for as long as anybody may read them.
        Store = "STORE",
        /// Sealed, and destroyed a time after their delivery.
        Ttl = "TTL",
        /// Not at all: the vendor tells them again.
        PassThrough = "PASS_THROUGH",
    }
    /// Whether a product is bought from a vendor.
    OfferStatus {
        /// It is.
        Active = "ACTIVE",
        /// It is not at present: the operator's word.
        Paused = "PAUSED",
        /// The vendor does not list it any more.
        Vanished = "VANISHED",
    }
    /// Where a purchase stands.
    PurchaseState {
        /// On record, and on its way by a worker whose lease lasts.
        Sending = "SENDING",
        /// Sent, and no fact is known: the vendor is asked.
        Unknown = "UNKNOWN",
        /// No fact came in time: a person decides; the vendor is still asked.
        Review = "REVIEW",
        /// A fact: it was made.
        Delivered = "DELIVERED",
        /// It was refused, by its vendor's word or a person's.
        Refused = "REFUSED",
        /// The vendor never knew it, beyond its settle window.
        NotExecuted = "NOT_EXECUTED",
    }
    /// By what a purchase ended.
    PurchaseEnd {
        /// The vendor's answer.
        Answer = "ANSWER",
        /// The vendor's word when it was asked.
        Look = "LOOK",
        /// A person's decision.
        Decision = "DECISION",
        /// The vendor's statement.
        Statement = "STATEMENT",
    }
    /// What became of a unit's part in a purchase.
    AttemptOutcome {
        /// It was delivered.
        Delivered = "DELIVERED",
        /// It was not, and costs nothing.
        Refused = "REFUSED",
        /// The vendor never knew the purchase.
        NotExecuted = "NOT_EXECUTED",
        /// It came to something that cannot be delivered; the unit goes on elsewhere, what it cost is disputed.
        Anomaly = "ANOMALY",
        /// It was delivered when the unit did not want it any more, and became stock.
        Surplus = "SURPLUS",
    }
    /// How a line of a vendor's statement stands to our purchases.
    StatementVerdict {
        /// It is the purchase that we have.
        Matched = "MATCHED",
        /// The vendor took other than we had posted.
        CostDiffers = "COST_DIFFERS",
        /// The vendor says that it delivered another number of units.
        QuantityDiffers = "QUANTITY_DIFFERS",
        /// We have no such purchase, or have it under another line.
        UnknownHere = "UNKNOWN_HERE",
        /// We have the purchase, and not as delivered.
        NotDeliveredHere = "NOT_DELIVERED_HERE",
        /// We have the purchase as delivered, and the vendor does not list it.
        NotListedThere = "NOT_LISTED_THERE",
    }
    /// What was done about a purchase.
    PurchaseCallKind {
        /// It was sent.
        Send = "SEND",
        /// The vendor was asked about it.
        Look = "LOOK",
        /// A person decided.
        Decision = "DECISION",
        /// The vendor's statement told of it.
        Statement = "STATEMENT",
    }
}
