//! Orders as the people who run the system name them.
//!
//! What lives here: finding orders by id or reference, whosever they are; who may, and what they may write on the record.
//! What is always true: only an operator reads so; a reference that several partners use names one order to none of them.
//! What is not here: partners' reads, which begin at their own orders (`queries.rs`).

use entity::ids::OrderId;
use entity::orders;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::input::is_reference;
use crate::ctx::{Actor, Ctx};
use crate::problem::{ErrorCode, Failure, Problem, Refusal};

/// How many characters the name may have of a person who decides something.
pub const LONGEST_OPERATOR: usize = 100;
/// Orders of one reference that are told at most.
const MOST_NAMESAKES: u64 = 100;

/// Why an order is not found by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedRefusal {
    /// There is none.
    Unknown(String),
    /// Several partners have one.
    Ambiguous(Vec<OrderId>),
}

impl Refusal for NamedRefusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Unknown(_) => ErrorCode::NotFound,
            Self::Ambiguous(_) => ErrorCode::InvalidInput,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Unknown(name) => format!("there is no order {name:?}"),
            Self::Ambiguous(ids) => {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                format!("several partners have an order of this reference: name one of {}", ids.join(", "))
            }
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        Some(vec!["order".to_owned()])
    }
}

/// The orders of an id or a reference.
///
/// # Errors
/// `Unknown`; FORBIDDEN for anyone but an operator; what the database says.
pub async fn find_named(ctx: &Ctx, name: &str) -> Result<Vec<orders::Model>, Failure<NamedRefusal>> {
    require_operator(ctx)?;
    let all = orders::Entity::find().order_by_asc(orders::Column::Id).limit(MOST_NAMESAKES);
    let wanted = match name.parse::<OrderId>() {
        Ok(id) => Some(all.filter(orders::Column::Id.eq(id))),
        Err(_) if is_reference(name) => Some(all.filter(orders::Column::Reference.eq(name))),
        Err(_) => None,
    };
    let found = match wanted {
        Some(wanted) => wanted.all(&ctx.database().reader).await.map_err(Problem::from)?,
        None => Vec::new(),
    };
    if found.is_empty() { Err(Failure::Refused(NamedRefusal::Unknown(name.to_owned()))) } else { Ok(found) }
}

/// The one order of an id or a reference.
///
/// # Errors
/// See `NamedRefusal`; FORBIDDEN for anyone but an operator; what the database says.
pub async fn get_named(ctx: &Ctx, name: &str) -> Result<orders::Model, Failure<NamedRefusal>> {
    let mut found = find_named(ctx, name).await?;
    match (found.pop(), found.is_empty()) {
        (Some(order), true) => Ok(order),
        (last, _) => {
            let ids = found.iter().chain(&last).map(|order| order.id).collect();
            Err(Failure::Refused(NamedRefusal::Ambiguous(ids)))
        }
    }
}

/// What concerns every partner's orders is the operator's alone.
///
/// # Errors
/// FORBIDDEN.
pub fn require_operator(ctx: &Ctx) -> Result<(), Problem> {
    match ctx.actor {
        Actor::System | Actor::Admin(_) => Ok(()),
        Actor::Partner(_) | Actor::Anonymous => Err(Problem::forbidden("an operator")),
    }
}

/// Whether a text that an operator writes is fit for the record.
pub fn is_text(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.chars().count())
        && !text.trim().is_empty()
        && !text.chars().any(char::is_control)
}
