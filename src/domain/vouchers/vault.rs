//! Sealing and opening.
//!
//! What lives here: the vault: master keys checked against their canaries, data keys in memory, what they seal and open, and
//! keyed digests.
//! What is always true: a database whose canary does not open with the given keys is refused, and never written to; a data key
//! seals no more than its reserved uses, and one is active for each purpose.
//! What is not here: the cipher (`sealing.rs`), which codes are sealed, and who may open them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use chacha20poly1305::XChaCha20Poly1305;
use entity::ids::{DataKeyId, VoucherId};
use entity::secret::{Digest, Sealed};
use entity::timestamp::Timestamp;
use sea_orm::EntityTrait;
use zeroize::Zeroizing;

use super::keys::{self, Key, KeyError, KeyFiles, KeyProvider, to_hex};
use super::keys_store;
use super::model::{Purpose, identity, join, may_seal};
use super::retention::is_over;
use super::sealing::{
    Place, canary, canary_binding, cipher, data_key_binding, digest, open, place_binding, seal,
    voucher_binding,
};
use super::secret::{Contents, Opened, Secret};
use crate::clock::{Clock, Ids};
use crate::config::Config;
use crate::ctx::{Ctx, Database, Deps};
use crate::problem::{ErrorCode, Problem};
use crate::store::{Transaction, begin, write};

/// How many uses are reserved at least when a data key is asked for: sealing one text at a time then writes nothing.
const LEAST_RESERVED: i64 = 1_024;

/// A data key, unwrapped.
pub(super) struct DataKey {
    pub(super) id: DataKeyId,
    cipher: XChaCha20Poly1305,
}

/// A data key that this process seals with, and how many uses it has left.
struct Reserved {
    key: Arc<DataKey>,
    seals_until: Timestamp,
    left: i64,
}

/// The keys in memory.
pub struct Vault {
    masters: BTreeMap<i32, XChaCha20Poly1305>,
    current_master: i32,
    index: Key,
    data_keys: ArcSwap<HashMap<DataKeyId, Arc<DataKey>>>,
    sealing: tokio::sync::Mutex<HashMap<Purpose, Reserved>>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Vault(…)")
    }
}

/// Whether a process has its vault: who sells or loads codes needs one.
///
/// # Errors
/// SERVICE_UNAVAILABLE, telling how keys are made.
pub fn require_vault(deps: &Deps) -> Result<(), Problem> {
    let missing = || KeyError::Missing { path: deps.config.keys_dir.join("master-1.key") };
    deps.find_feature::<Vault>().map(drop).ok_or_else(|| unusable(missing().to_string()))
}

/// The vault of a context.
pub fn vault(ctx: &Ctx) -> &Vault {
    ctx.feature::<Vault>()
}

impl Vault {
    /// Opens the vault of a database with the keys in the folder that the settings name; `None` if none are there, for not
    /// every command needs them.
    ///
    /// # Errors
    /// As `load`.
    pub async fn find(
        database: &Database,
        config: &Config,
        clock: &dyn Clock,
        ids: &dyn Ids,
    ) -> Result<Option<Self>, Problem> {
        if !keys::are_there(&config.keys_dir) {
            return Ok(None);
        }
        Self::load(database, &KeyFiles::in_folder(&config.keys_dir), clock, ids).await.map(Some)
    }

    /// Opens the vault of a database with the keys of a provider. On a database without any master key, theirs are put on
    /// record.
    ///
    /// # Errors
    /// SERVICE_UNAVAILABLE if a key is missing, or is not the one that the database's secrets are sealed with.
    pub async fn load(
        database: &Database,
        provider: &dyn KeyProvider,
        clock: &dyn Clock,
        ids: &dyn Ids,
    ) -> Result<Self, Problem> {
        let keys = provider.keys().map_err(|error| unusable(error.to_string()))?;
        let masters: BTreeMap<i32, XChaCha20Poly1305> =
            keys.masters.iter().map(|(version, key)| (*version, cipher(key.bytes()))).collect();
        let known = entity::master_keys::Entity::find().all(&database.reader).await?;
        let known = if known.is_empty() {
            let canaries = masters
                .iter()
                .map(|(version, master)| entity::master_keys::Model {
                    version: *version,
                    canary: seal(master, ids, &canary(&keys.index), &canary_binding(*version)),
                    created_at: clock.now(),
                    retired_at: None,
                })
                .collect();
            put_on_record(database, canaries).await?;
            entity::master_keys::Entity::find().all(&database.writer).await?
        } else {
            known
        };
        let current_master = check_canaries(&masters, &keys.index, &known)?;
        let vault = Self {
            masters,
            current_master,
            index: keys.index,
            data_keys: ArcSwap::default(),
            sealing: tokio::sync::Mutex::default(),
        };
        vault.reload(database).await?;
        Ok(vault)
    }

    /// Takes in the data keys that other processes have made since, and lets go of those that were destroyed.
    ///
    /// # Errors
    /// SERVICE_UNAVAILABLE when the database is away; INTERNAL_SERVER_ERROR for a key that does not unwrap.
    pub async fn reload(&self, database: &Database) -> Result<(), Problem> {
        let rows = entity::data_keys::Entity::find().all(&database.reader).await?;
        let known = self.data_keys.load_full();
        let mut fresh = HashMap::new();
        let is_new =
            |row: &&entity::data_keys::Model| row.destroyed_at.is_none() && !known.contains_key(&row.id);
        for row in rows.iter().filter(is_new) {
            fresh.insert(row.id, Arc::new(self.unwrap(row)?));
        }
        // Added to whatever is known by now: another reload may have read later, and stored earlier.
        self.data_keys.rcu(|known| {
            let mut all = HashMap::clone(known);
            all.extend(fresh.iter().map(|(id, key)| (*id, Arc::clone(key))));
            for row in rows.iter().filter(|row| row.destroyed_at.is_some()) {
                all.remove(&row.id);
            }
            all
        });
        // What another process has retired seals nothing here either.
        let retired: Vec<DataKeyId> =
            rows.iter().filter(|row| row.retired_at.is_some()).map(|row| row.id).collect();
        self.sealing.lock().await.retain(|_, reserved| !retired.contains(&reserved.key.id));
        Ok(())
    }

    /// Makes sure that the keys of these vouchers are in memory: another process may have made one a moment ago.
    ///
    /// # Errors
    /// As `reload`.
    pub async fn know<'v>(
        &self,
        ctx: &Ctx,
        vouchers: impl IntoIterator<Item = &'v entity::vouchers::Model>,
    ) -> Result<(), Problem> {
        let known = self.data_keys.load_full();
        let is_known = |voucher: &entity::vouchers::Model| {
            is_over(voucher, ctx.now) || voucher.data_key_id.is_none_or(|key| known.contains_key(&key))
        };
        if vouchers.into_iter().all(is_known) {
            return Ok(());
        }
        self.reload(ctx.database()).await
    }

    /// Opens a voucher. Whoever calls it has checked who may see it, and has left the audit's row.
    ///
    /// # Errors
    /// INTERNAL_SERVER_ERROR if its key is not known here (see `know`) or destroyed, if the row is not the one that was sealed, or
    /// if nothing is sealed in it.
    pub fn open_voucher(&self, voucher: &entity::vouchers::Model) -> Result<Opened, Problem> {
        let (Some(key), Some(sealed)) = (voucher.data_key_id, &voucher.sealed) else {
            return Err(Problem::internal(format!("nothing is sealed in {}", voucher.id)));
        };
        let binding = voucher_binding(voucher.id, &voucher.product_id, voucher.face_minor, key);
        let bytes = self.open(key, sealed, &binding)?;
        Opened::from_bytes(&bytes).ok_or_else(|| Problem::internal("a voucher opened to something else"))
    }

    /// Seals a text that stands in one place; told with the key that sealed it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn seal_text(
        &self,
        ctx: &Ctx,
        place: &Place<'_>,
        text: &str,
    ) -> Result<(DataKeyId, Sealed), Problem> {
        let key = self.reserve(ctx, Purpose::Secrets, 1).await?;
        let binding = place_binding(place, key.id);
        Ok((key.id, seal(&key.cipher, ctx.deps.ids.as_ref(), text.as_bytes(), &binding)))
    }

    /// Opens a text that was sealed in this place.
    ///
    /// # Errors
    /// INTERNAL_SERVER_ERROR if it was sealed in another; what the database says.
    pub async fn open_text(
        &self,
        database: &Database,
        place: &Place<'_>,
        (key, sealed): (DataKeyId, &Sealed),
    ) -> Result<Secret, Problem> {
        if !self.data_keys.load().contains_key(&key) {
            self.reload(database).await?;
        }
        let bytes = self.open(key, sealed, &place_binding(place, key))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| Problem::internal("a sealed text is no text"))?;
        Ok(Secret::new(text.to_owned()))
    }

    /// A keyed digest as hex, for what must be compared and not read: fingerprints and throttle keys.
    pub fn keyed_digest(&self, purpose: &str, value: &str) -> String {
        to_hex(&self.digest(&join(&["keyed digest", purpose, value])))
    }

    /// The blind index of a code; `None` if there is neither code nor link.
    pub fn blind_index(&self, brand: &str, contents: &Contents) -> Option<Digest> {
        let identity = identity(brand, contents)?;
        let mut words = join(&["blind index"]);
        words.extend_from_slice(&identity);
        Some(Digest(self.digest(&words).to_vec()))
    }

    /// Seals the contents of a voucher that is about to be written, with a key from `reserve`.
    pub(super) fn seal_voucher(
        key: &DataKey,
        ids: &dyn Ids,
        (voucher, product, face_minor): (VoucherId, &str, i64),
        contents: &Contents,
    ) -> Sealed {
        seal(&key.cipher, ids, &contents.to_bytes(), &voucher_binding(voucher, product, face_minor, key.id))
    }

    /// The data key that seals now, with `uses` of its uses put aside for the caller.
    pub(super) async fn reserve(
        &self,
        ctx: &Ctx,
        purpose: Purpose,
        uses: i64,
    ) -> Result<Arc<DataKey>, Problem> {
        let mut sealing = self.sealing.lock().await;
        if let Some(reserved) = sealing.get_mut(&purpose)
            && reserved.left >= uses
            && may_seal(reserved.seals_until, 0, 0, ctx.now)
        {
            reserved.left -= uses;
            return Ok(Arc::clone(&reserved.key));
        }
        let block = uses.max(LEAST_RESERVED);
        let (task, now) = (Arc::clone(&ctx.deps), ctx.now);
        let row = write::<_, Problem, _>(&ctx.deps, move |transaction| {
            let deps = Arc::clone(&task);
            Box::pin(async move {
                let fresh = deps.feature::<Self>().fresh_data_key(&deps, now, purpose);
                Ok(keys_store::reserve_data_key(transaction, purpose, fresh, block).await?)
            })
        })
        .await?;
        let key = match self.data_keys.load().get(&row.id) {
            Some(key) => Arc::clone(key),
            None => Arc::new(self.unwrap(&row)?),
        };
        self.data_keys.rcu(|known| {
            let mut all = HashMap::clone(known);
            all.insert(key.id, Arc::clone(&key));
            all
        });
        let left = block.saturating_sub(uses);
        let seals_until = purpose.seals_until(row.created_at);
        sealing.insert(purpose, Reserved { key: Arc::clone(&key), seals_until, left });
        Ok(key)
    }

    /// The same within a transaction that is under way, for this use alone: what it makes is undone with it.
    pub(super) async fn reserve_within(
        &self,
        deps: &Deps,
        (transaction, now): (&Transaction, Timestamp),
        purpose: Purpose,
        uses: i64,
    ) -> Result<DataKey, Problem> {
        let fresh = self.fresh_data_key(deps, now, purpose);
        self.unwrap(&keys_store::reserve_data_key(transaction, purpose, fresh, uses).await?)
    }

    /// Takes in one data key as a transaction that is under way sees it.
    pub(super) async fn know_within(&self, transaction: &Transaction, key: DataKeyId) -> Result<(), Problem> {
        if self.data_keys.load().contains_key(&key) {
            return Ok(());
        }
        let row = entity::data_keys::Entity::find_by_id(key).one(transaction).await?;
        let row = row.ok_or_else(|| Problem::internal(format!("there is no data key {key}")))?;
        let unwrapped = Arc::new(self.unwrap(&row)?);
        self.data_keys.rcu(|known| {
            let mut all = HashMap::clone(known);
            all.insert(key, Arc::clone(&unwrapped));
            all
        });
        Ok(())
    }

    fn fresh_data_key(&self, deps: &Deps, now: Timestamp, purpose: Purpose) -> entity::data_keys::Model {
        let id = DataKeyId::from_uuid(deps.ids.uuid(now));
        let mut bytes = Zeroizing::new([0; 32]);
        deps.ids.fill(bytes.as_mut_slice());
        let text = purpose.text();
        let binding = data_key_binding(id, &text, self.current_master);
        let master = &self.masters[&self.current_master];
        entity::data_keys::Model {
            id,
            master_version: self.current_master,
            wrapped: seal(master, deps.ids.as_ref(), bytes.as_slice(), &binding),
            purpose: text,
            uses: 0,
            created_at: now,
            retired_at: None,
            expires_at: purpose.expires_at(now),
            destroyed_at: None,
        }
    }

    fn unwrap(&self, row: &entity::data_keys::Model) -> Result<DataKey, Problem> {
        let broken = || Problem::internal(format!("the data key {} does not unwrap", row.id));
        let master = self.masters.get(&row.master_version).ok_or_else(broken)?;
        let binding = data_key_binding(row.id, &row.purpose, row.master_version);
        let bytes = open(master, &row.wrapped, &binding).ok_or_else(broken)?;
        let bytes = Zeroizing::new(<[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| broken())?);
        Ok(DataKey { id: row.id, cipher: cipher(&bytes) })
    }

    fn open(&self, key: DataKeyId, sealed: &Sealed, binding: &[u8]) -> Result<Zeroizing<Vec<u8>>, Problem> {
        let known = self.data_keys.load();
        let data_key = known
            .get(&key)
            .ok_or_else(|| Problem::internal(format!("the data key {key} is not known here")))?;
        open(&data_key.cipher, sealed, binding).ok_or_else(|| {
            Problem::internal("a sealed text does not open: it is not the one that was sealed")
        })
    }

    fn digest(&self, words: &[u8]) -> [u8; 32] {
        digest(&self.index, words)
    }
}

async fn put_on_record(
    database: &Database,
    canaries: Vec<entity::master_keys::Model>,
) -> Result<(), Problem> {
    let database = database.clone();
    // In a task of its own, like every write: a caller that hangs up must not leave half a transaction.
    let task = tokio::spawn(async move {
        let transaction = begin(&database).await?;
        if entity::data_keys::Entity::find().one(&transaction).await?.is_none() {
            keys_store::insert_master_keys(&transaction, canaries).await?;
        }
        transaction.commit().await?;
        Ok::<_, sea_orm::DbErr>(())
    });
    task.await.map_err(Problem::internal)??;
    Ok(())
}

/// Keys that cannot be used end a start or a command, whose user reads why.
fn unusable(reason: impl Into<Cow<'static, str>>) -> Problem {
    Problem::new(ErrorCode::ServiceUnavailable, reason)
}

/// Tells the master key that wraps now.
fn check_canaries(
    masters: &BTreeMap<i32, XChaCha20Poly1305>,
    index: &Key,
    known: &[entity::master_keys::Model],
) -> Result<i32, Problem> {
    for row in known.iter().filter(|row| row.retired_at.is_none()) {
        let version = row.version;
        let master = masters.get(&version).ok_or_else(|| {
            unusable(format!("master key {version} is missing; this database's codes need it"))
        })?;
        let opened = open(master, &row.canary, &canary_binding(version)).ok_or_else(|| {
            unusable(format!("master key {version} is not the one that this database was sealed with"))
        })?;
        if *opened != canary(index) {
            return Err(unusable("the index key is not the one that this database was filled with"));
        }
    }
    let current = known.iter().filter(|row| row.retired_at.is_none()).map(|row| row.version).max();
    current.ok_or_else(|| unusable("this database has no master key on record that is in use"))
}
