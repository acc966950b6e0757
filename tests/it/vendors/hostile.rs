//! What a vendor may do to us: the faults that a replica plays for the shared contract.
//! Always true: each says whether the vendor's books have the purchase afterwards. Not here: what an adapter must make of
//! them (`contract.rs`), and how a replica plays them (its own stage).

use octopus_cards::domain::fulfillment::RefusalKind;

/// Something that a replica plays at a call. Where it is played at a question that buys nothing, only the answer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Refuses: none left.
    OutOfStock,
    /// Refuses: does not sell this.
    NotSold,
    /// Refuses: our funds there do not suffice.
    NoFunds,
    /// Answers 401.
    Unauthorized,
    /// Answers 429, to be asked again after 7 seconds.
    TooOften,
    /// Delivers 7 of 10, and says that the others will not come.
    Partial,
    /// Has it under way, for less than an hour.
    Pending,
    /// Buys, and never answers.
    SilentBought,
    /// Does nothing, and never answers.
    SilentLost,
    /// Buys, and answers 500.
    ErrorBought,
    /// Does nothing, and answers 500.
    ErrorLost,
    /// Does nothing, and answers 503.
    Down,
    /// Buys, and closes the connection without an answer.
    ClosedBought,
    /// Does nothing, and closes the connection without an answer.
    ClosedLost,
    /// Buys, and closes the connection in the middle of the answer.
    CutMidway,
    /// Buys, and answers a page of HTML with 200.
    HtmlFine,
    /// Does nothing, and answers a page of HTML with 400.
    HtmlBad,
    /// Buys, and answers half the JSON, as if it were whole.
    Truncated,
    /// Buys, and answers with 100 MB.
    Huge,
    /// Buys, and answers with a little that unpacks to 100 MB.
    GzipBomb,
    /// Buys, and answers byte by byte, for minutes.
    Drip,
    /// Buys, and answers twice in one body.
    Twice,
    /// Buys, and answers about another reference.
    OtherReference,
    /// Buys codes in another currency.
    WrongCurrency,
    /// Buys codes of another face value.
    WrongFace,
    /// Buys one unit more than was asked for.
    More,
    /// Buys one unit less than was asked for, and does not say so.
    Fewer,
}

impl Fault {
    /// What the vendor says no to in words of its own.
    pub const REFUSALS: &[Self] = &[Self::OutOfStock, Self::NotSold, Self::NoFunds];

    /// What must never be taken for a fact.
    pub const HOSTILE: &[Self] = &[
        Self::SilentBought,
        Self::SilentLost,
        Self::ErrorBought,
        Self::ErrorLost,
        Self::Down,
        Self::ClosedBought,
        Self::ClosedLost,
        Self::CutMidway,
        Self::HtmlFine,
        Self::HtmlBad,
        Self::Truncated,
        Self::Huge,
        Self::GzipBomb,
        Self::Drip,
        Self::Twice,
        Self::OtherReference,
        Self::WrongCurrency,
        Self::WrongFace,
        Self::More,
        Self::Fewer,
    ];

    /// What an adapter must take a refusal for.
    pub fn refusal(self) -> Option<RefusalKind> {
        match self {
            Self::OutOfStock => Some(RefusalKind::OutOfStock),
            Self::NotSold => Some(RefusalKind::NotSold),
            Self::NoFunds => Some(RefusalKind::NoFunds),
            _ => None,
        }
    }

    /// Whether the vendor's books have the purchase.
    pub fn buys(self) -> bool {
        match self {
            Self::OutOfStock | Self::NotSold | Self::NoFunds | Self::Unauthorized | Self::TooOften => false,
            Self::SilentLost | Self::ErrorLost | Self::Down | Self::ClosedLost | Self::HtmlBad => false,
            _ => true,
        }
    }

    /// Whether an answer that comes at all would last longer than anybody waits.
    pub fn is_endless(self) -> bool {
        matches!(self, Self::SilentBought | Self::SilentLost | Self::Drip)
    }

    /// Whether the answer alone is wrong, so that the same question asked again has a good one.
    pub fn is_on_the_way(self) -> bool {
        !matches!(
            self,
            Self::OtherReference | Self::WrongCurrency | Self::WrongFace | Self::More | Self::Fewer
        )
    }
}
