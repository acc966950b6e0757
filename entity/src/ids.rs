//! Typed ids.
//!
//! What lives here: one newtype an aggregate, made by one macro, and the two ids that name a part of another row.
//! What is always true: an id prints as its prefix and 26 Crockford base-32 digits, so that text order is time order and
//! an id of one kind never parses as another.
//! What is not here: making ids; that takes the `Ids` source of the caller's context.

use std::fmt;
use std::str::FromStr;

use sea_orm::DeriveValueType;
use uuid::Uuid;

/// Text that is no id of the wanted kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct ParseIdError;

const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// How many base-32 digits a UUID takes.
const LENGTH: usize = 26;

fn write_base32(value: Uuid, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut rest = value.as_u128();
    let mut text = [b'0'; LENGTH];
    for slot in text.iter_mut().rev() {
        let digit = usize::try_from(rest & 31).map_err(|_| fmt::Error)?;
        *slot = DIGITS[digit];
        rest >>= 5;
    }
    out.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
}

fn parse_base32(text: &str) -> Result<Uuid, ParseIdError> {
    if text.len() != LENGTH || text.as_bytes()[0] > b'7' {
        return Err(ParseIdError);
    }
    text.bytes()
        .try_fold(0_u128, |sum, byte| {
            let digit = DIGITS.iter().position(|candidate| *candidate == byte).ok_or(ParseIdError)?;
            Ok((sum << 5) | u128::try_from(digit).map_err(|_| ParseIdError)?)
        })
        .map(Uuid::from_u128)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
        #[sea_orm(value_type = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// What every id of this kind begins with.
            pub const PREFIX: &'static str = $prefix;

            /// The id around a UUID, which should be of version 7 so that ids sort by time.
            pub const fn from_uuid(value: Uuid) -> Self {
                Self(value)
            }

            /// The UUID inside.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        never_auto_incremented!($name);

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(Self::PREFIX)?;
                write_base32(self.0, out)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, out)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse_base32(text.strip_prefix(Self::PREFIX).ok_or(ParseIdError)?).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(input)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(/// A partner: a business that buys.
    PartnerId, "prt_");
id!(/// An API credential of a partner.
    CredentialId, "crd_");
id!(/// A person who runs the system.
    AdminId, "adm_");
id!(/// A sign-in and the refreshes that follow from it.
    SessionId, "ses_");
id!(/// A price rule.
    PriceRuleId, "prl_");
id!(/// A charge: a binding quote.
    ChargeId, "chg_");
id!(/// A wallet.
    WalletId, "wal_");
id!(/// A ledger transaction.
    TransactionId, "ltx_");
id!(/// A voucher: a code in stock or delivered.
    VoucherId, "vch_");
id!(/// A data key that seals secrets.
    DataKeyId, "dek_");
id!(/// An order.
    OrderId, "ord_");
id!(/// An event.
    EventId, "evt_");
id!(/// A row of the audit log.
    AuditId, "aud_");
id!(/// A writer of stock moves: one desk or one import of one process.
    StockWriterId, "stw_");
id!(/// A vendor.
    VendorId, "vnd_");
id!(/// A purchase: what is sent to a vendor.
    PurchaseId, "pur_");
id!(/// A process that works on orders and purchases.
    WorkerId, "wkr_");
id!(/// A request, for logs and error answers.
    RequestId, "req_");

/// A unit: an order's item, named by its order and its index from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitId {
    /// The order that it belongs to.
    pub order: OrderId,
    /// Its place in the order, from 1 to 1,000.
    pub index: i32,
}

/// A posting, named by its ledger transaction and its line from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PostingId {
    /// The transaction that it belongs to.
    pub transaction: TransactionId,
    /// Its line in the transaction, from 1.
    pub line: i32,
}

fn parse_part(text: &str, prefix: &str) -> Result<(Uuid, i32), ParseIdError> {
    let rest = text.strip_prefix(prefix).ok_or(ParseIdError)?;
    let (head, tail) = rest.split_at_checked(LENGTH).ok_or(ParseIdError)?;
    if tail.len() != 4 || !tail.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ParseIdError);
    }
    Ok((parse_base32(head)?, tail.parse().map_err(|_| ParseIdError)?))
}

fn write_part(prefix: &str, whole: Uuid, part: i32, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    out.write_str(prefix)?;
    write_base32(whole, out)?;
    write!(out, "{part:04}")
}

impl UnitId {
    /// What every unit's id begins with.
    pub const PREFIX: &'static str = "unt_";
}

impl fmt::Display for UnitId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_part(Self::PREFIX, self.order.uuid(), self.index, out)
    }
}

impl FromStr for UnitId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let (order, index) = parse_part(text, Self::PREFIX)?;
        Ok(Self { order: OrderId::from_uuid(order), index })
    }
}

impl PostingId {
    /// What every posting's id begins with.
    pub const PREFIX: &'static str = "pst_";
}

impl fmt::Display for PostingId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_part(Self::PREFIX, self.transaction.uuid(), self.line, out)
    }
}

impl FromStr for PostingId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let (transaction, line) = parse_part(text, Self::PREFIX)?;
        Ok(Self { transaction: TransactionId::from_uuid(transaction), line })
    }
}

/// Every prefix that names a kind of object; no sku may begin with one of them.
pub const RESERVED_PREFIXES: &[&str] = &[
    PartnerId::PREFIX,
    CredentialId::PREFIX,
    AdminId::PREFIX,
    SessionId::PREFIX,
    PriceRuleId::PREFIX,
    ChargeId::PREFIX,
    WalletId::PREFIX,
    TransactionId::PREFIX,
    VoucherId::PREFIX,
    DataKeyId::PREFIX,
    OrderId::PREFIX,
    EventId::PREFIX,
    AuditId::PREFIX,
    StockWriterId::PREFIX,
    RequestId::PREFIX,
    UnitId::PREFIX,
    PostingId::PREFIX,
    "brd_",
    "cat_",
    "cty_",
    "cur_",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_the_way_through_text_and_sorts_by_time() {
        let early = OrderId::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001));
        let late = OrderId::from_uuid(Uuid::from_u128(0x0191_0000_0000_7000_8000_0000_0000_0000));
        assert_eq!(early.to_string().parse(), Ok(early));
        assert!(early.to_string() < late.to_string());
        let unit = UnitId { order: late, index: 1000 };
        assert_eq!(unit.to_string().parse(), Ok(unit));
    }

    #[test]
    fn an_id_of_another_kind_or_shape_does_not_parse() {
        let order = OrderId::from_uuid(Uuid::from_u128(7)).to_string();
        assert_eq!(order.parse::<WalletId>(), Err(ParseIdError));
        for text in ["", "ord_", "ord_zzzzzzzzzzzzzzzzzzzzzzzzzz", "ord_0000000000000000000000000U", "ord_é"]
        {
            assert_eq!(text.parse::<OrderId>(), Err(ParseIdError), "{text}");
        }
    }
}
