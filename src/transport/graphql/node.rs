//! The objects behind ids.
//!
//! What lives here: the `Node` interface and the fields that find what an id names.
//! What is always true: the id's prefix tells the kind, and no other is asked; a product's id is its sku; what is not the caller's reads as missing;
//! an id asks for the scope that the field of its kind asks for, and of many ids one that fails is null, with its error, by
//! itself.
//! What is not here: the objects.

use async_graphql::{Context, ID, Interface, Object};
use entity::ids::{
    AdminId, ChargeId, CredentialId, EventId, OrderId, PartnerId, PostingId, UnitId, VoucherId, WalletId,
};
use entity::state::Scope;

use super::charges::Charge;
use super::codes::{self, Voucher};
use super::events::{Event, OrderEvent, WalletEvent, event};
use super::identity::{AdminAccount, ApiCredential, Partner};
use super::list::List;
use super::loaders::load;
use super::orders::{Order, Unit};
use super::products::{Brand, CatalogNode, Category, Country, Currency, Product, snapshot};
use super::request_loaders::Loaders;
use super::types::request;
use super::wallet::{Wallet, WalletEntry};
use crate::domain::orders::queries::UnitRange;
use crate::domain::pricing;
use crate::problem::Problem;

/// The most ids that one field takes.
const MOST_IDS: usize = 100;

/// Anything with an id of its own.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The id, unique among all objects."))]
pub enum Node {
    /// A product.
    Product(Product),
    /// A brand.
    Brand(Brand),
    /// A category.
    Category(Category),
    /// A country.
    Country(Country),
    /// A currency.
    Currency(Currency),
    /// A charge.
    Charge(Charge),
    /// An order.
    Order(Order),
    /// A unit of an order.
    Unit(Unit),
    /// A wallet.
    Wallet(Wallet),
    /// An entry of a wallet.
    WalletEntry(WalletEntry),
    /// A code that was delivered for a unit.
    Voucher(Voucher),
    /// Something that happened to an order.
    OrderEvent(OrderEvent),
    /// Something that happened to a wallet.
    WalletEvent(WalletEvent),
    /// The calling partner.
    Partner(Partner),
    /// An API credential.
    ApiCredential(ApiCredential),
    /// The calling admin.
    AdminAccount(AdminAccount),
}

impl From<CatalogNode> for Node {
    fn from(node: CatalogNode) -> Self {
        match node {
            CatalogNode::Product(product) => Self::Product(product),
            CatalogNode::Brand(brand) => Self::Brand(brand),
            CatalogNode::Category(category) => Self::Category(category),
            CatalogNode::Country(country) => Self::Country(country),
            CatalogNode::Currency(currency) => Self::Currency(currency),
        }
    }
}

impl From<Event> for Node {
    fn from(event: Event) -> Self {
        match event {
            Event::Order(event) => Self::OrderEvent(event),
            Event::Wallet(event) => Self::WalletEvent(event),
        }
    }
}

/// What came of one id among many: an object, nothing, or a problem of its own.
type Found = Option<Result<Node, Problem>>;

/// The reads by id.
#[derive(Debug, Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// The object behind an id; null if there is none that this caller may see. A product's id is its sku.
    async fn node(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The id.")] id: ID,
    ) -> Option<Result<Node, Problem>> {
        find(context, &id).await.transpose()
    }

    /// The objects behind up to 100 ids, in their order; null where there is none that this caller may see. An id whose kind needs a scope that the caller lacks has an error of its own, and leaves the others be.
    async fn nodes(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The ids, at most 100.")] ids: Vec<ID>,
    ) -> Option<Result<List<Found>, Problem>> {
        if ids.len() > MOST_IDS {
            return Some(Err(Problem::bad_argument("ids", "`ids` must be at most 100")));
        }
        let found = futures_util::future::join_all(ids.iter().map(|id| find(context, id))).await;
        Some(Ok(found.into_iter().map(Result::transpose).collect()))
    }
}

/// What an id names; a caller without the scope for its kind is told so, like at the field of that kind. What a partner owns is
/// read in batches, so that many ids of one kind cost one statement.
async fn find(context: &Context<'_>, id: &str) -> Result<Option<Node>, Problem> {
    let loaders = Loaders::of(context);
    if let Ok(id) = id.parse::<OrderId>() {
        return Ok(load(&loaders.orders, id).await?.map(|order| Node::Order(order.into())));
    }
    if let Ok(id) = id.parse::<UnitId>() {
        return find_unit(&loaders, id).await;
    }
    if let Ok(id) = id.parse::<VoucherId>() {
        return Ok(codes::find(context, id).await?.map(Node::Voucher));
    }
    if let Ok(id) = id.parse::<ChargeId>() {
        pricing::require_reader(request(context))?;
        return Ok(load(&loaders.charges, id).await?.map(|charge| Node::Charge(Charge(charge))));
    }
    if let Ok(id) = id.parse::<WalletId>() {
        return Ok(load(&loaders.wallets, id).await?.map(|found| Node::Wallet(found.into())));
    }
    if let Ok(id) = id.parse::<PostingId>() {
        return Ok(load(&loaders.entries_by_id, id).await?.map(|entry| Node::WalletEntry(entry.into())));
    }
    if let Ok(id) = id.parse::<EventId>() {
        return load(&loaders.events, id).await?.map(|row| event(row).map(Node::from)).transpose();
    }
    if let Ok(id) = id.parse::<CredentialId>() {
        let found = load(&loaders.credentials, id).await?;
        return Ok(found.map(|credential| Node::ApiCredential(ApiCredential(credential))));
    }
    if let Ok(id) = id.parse::<PartnerId>() {
        let viewer = load(&loaders.viewer, ()).await?;
        let own = viewer.and_then(|viewer| viewer.partner.clone()).filter(|own| own.id == id);
        return Ok(own.map(|own| Node::Partner(Partner(own))));
    }
    if let Ok(id) = id.parse::<AdminId>() {
        let viewer = load(&loaders.viewer, ()).await?;
        let own = viewer.and_then(|viewer| viewer.admin.clone()).filter(|own| own.id == id);
        return Ok(own.map(|own| Node::AdminAccount(AdminAccount(own))));
    }
    request(context).require(Scope::CatalogRead)?;
    Ok(CatalogNode::find(&snapshot(context), id).map(Node::from))
}

async fn find_unit(loaders: &Loaders, id: UnitId) -> Result<Option<Node>, Problem> {
    let range = UnitRange { order_id: id.order, low: id.index, high: id.index };
    let found = load(&loaders.units, range).await?.unwrap_or_default();
    let (Some(unit), Some(order)) = (found.first(), load(&loaders.orders, id.order).await?) else {
        return Ok(None);
    };
    Ok(Some(Node::Unit(Unit::new(unit.clone(), order.currency))))
}
