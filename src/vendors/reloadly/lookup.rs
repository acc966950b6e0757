//! What became of a purchase.
//!
//! What lives here: how purchases are found by our reference, and what a transaction says of one.
//! What is always true: the search takes no heed of letter case, so that what it finds is compared exactly; it is asked without
//! dates, which could only hide something. Reloadly's check of identifiers lets two orders through that arrive together: where
//! more than one transaction of a reference has cost money, a person decides, for to deliver one would forget the other's cost.
//! What came to nothing beside it does not count. Only SUCCESSFUL with all its codes is delivered.
//! What is not here: orders (`order.rs`), and listings of all purchases (`statement.rs`).

use super::Reloadly;
use super::calls::{Question, VERSION_1};
use super::page::Page;
use super::refusals::answered;
use super::transaction::{Standing, Transaction};
use crate::domain::fulfillment::{Contents, Delivery, Doubt, Goods, PurchaseRequest, RefusalKind, Sighting};
use crate::vendors::reply::{Reply, decode, doubt, refusal};

/// The most that a page of the report has.
const PAGE_SIZE: u32 = 50;
/// No reference that is ours has as many namesakes.
const MOST_PAGES: u32 = 20;
/// How many transactions of one reference are named at most.
const NAMED: usize = 5;

impl Reloadly {
    /// What became of the purchase of a reference.
    pub(super) async fn look_up(&self, request: &PurchaseRequest) -> Sighting {
        let found = match self.all_of(request).await {
            Ok(found) => found,
            Err(doubt) => return unclear(doubt, request.vendor_ref.as_deref()),
        };
        let counting: Vec<&Transaction> =
            found.iter().filter(|found| found.standing() != Standing::CameToNothing).collect();
        match (counting.as_slice(), found.first()) {
            ([one], _) => self.settle(one, request).await,
            ([], Some(first)) => self.settle(first, request).await,
            ([], None) => Sighting::NotFound,
            (several, _) => {
                let ids = several.iter().take(NAMED).map(|found| found.transaction_id.0.as_str());
                let ids = ids.collect::<Vec<_>>().join(", ");
                let message = format!("{} transactions carry this reference: {ids}", several.len());
                unclear(Doubt::saying(message), request.vendor_ref.as_deref())
            }
        }
    }

    /// What a transaction says of the purchase that it should be.
    pub(super) async fn settle(&self, transaction: &Transaction, request: &PurchaseRequest) -> Sighting {
        let id = transaction.transaction_id.0.as_str();
        if let Some(difference) = transaction.difference(request) {
            return unclear(Doubt::saying(format!("transaction {id} is for {difference}")), Some(id));
        }
        match transaction.standing() {
            Standing::Made => match self.codes(id).await {
                Ok(codes) => delivered(transaction, codes, request, self),
                Err(doubt) => unclear(doubt, Some(id)),
            },
            Standing::UnderWay => Sighting::Pending { vendor_ref: Some(id.to_owned()) },
            Standing::CameToNothing => {
                let words = format!("transaction {id} failed, and cost nothing");
                Sighting::Refused(refusal(RefusalKind::Other, &words, None))
            }
            Standing::MoneyOut => {
                let words = format!("transaction {id} failed, and its money is not known to be back");
                unclear(Doubt::saying(words), Some(id))
            }
            Standing::Unheard(status) => {
                let words = format!("transaction {id} has a status that is not known: {status}");
                unclear(Doubt::saying(words), Some(id))
            }
        }
    }

    /// Every transaction of a reference: those that the search finds, and the one that was told once.
    async fn all_of(&self, request: &PurchaseRequest) -> Result<Vec<Transaction>, Doubt> {
        let mut found = self.search(&request.our_ref).await?;
        if let Some(told) = &request.vendor_ref
            && !found.iter().any(|found| found.transaction_id.0 == *told)
        {
            found.push(self.transaction(told).await?);
        }
        Ok(found)
    }

    async fn search(&self, our_ref: &str) -> Result<Vec<Transaction>, Doubt> {
        let mut found: Vec<Transaction> = Vec::new();
        for number in 1..=MOST_PAGES {
            let path =
                format!("/reports/transactions?page={number}&size={PAGE_SIZE}&customIdentifier={our_ref}");
            let answer = answered(self.ask(&Question::for_listing(&path)).await)?;
            let page: Page<'_> = decode(&answer)?;
            for row in &page.content {
                let row: Transaction = serde_json::from_str(row.get())
                    .map_err(|_| doubt(&answer, "a transaction is not of the form that was agreed"))?;
                let is_new = found.iter().all(|found| found.transaction_id != row.transaction_id);
                if is_new && row.custom_identifier.as_deref() == Some(our_ref) {
                    found.push(row);
                }
            }
            if page.is_last(number, PAGE_SIZE).map_err(|words| doubt(&answer, words))? {
                return Ok(found);
            }
        }
        Err(Doubt::saying("too many transactions have a reference like this one".to_owned()))
    }

    async fn transaction(&self, id: &str) -> Result<Transaction, Doubt> {
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Doubt::saying("the vendor's name for the purchase is none of its ids".to_owned()));
        }
        let path = format!("/reports/transactions/{id}");
        match self.ask(&Question::about_purchase(&path, VERSION_1)).await {
            Reply::Rejected(answer) if answer.status == 404 => {
                Err(doubt(&answer, format!("transaction {id} was told, and is not known any more")))
            }
            other => decode(&answered(other)?),
        }
    }
}

/// A purchase is delivered once there are as many codes as were asked for; fewer are still to come.
fn delivered(
    transaction: &Transaction,
    codes: Vec<Contents>,
    request: &PurchaseRequest,
    account: &Reloadly,
) -> Sighting {
    let id = &transaction.transaction_id.0;
    let asked = usize::try_from(request.quantity).unwrap_or(0);
    if codes.len() > asked {
        let words = format!("transaction {id} has {} codes, and {asked} were asked for", codes.len());
        return unclear(Doubt::saying(words), Some(id));
    }
    if codes.len() < asked {
        return Sighting::Pending { vendor_ref: Some(id.clone()) };
    }
    let face = transaction.face();
    let goods = codes.into_iter().map(|contents| Goods::Code { contents, expires_at: None, face });
    Sighting::Delivered(Delivery {
        vendor_ref: id.clone(),
        goods: goods.collect(),
        cost: transaction.cost(account.currency),
    })
}

fn unclear(doubt: Doubt, vendor_ref: Option<&str>) -> Sighting {
    Sighting::Unclear(Doubt { vendor_ref: vendor_ref.map(str::to_owned), ..doubt })
}
