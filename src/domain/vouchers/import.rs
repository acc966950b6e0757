//! Codes from a file.
//!
//! What lives here: the command that reads a stock CSV, checks every row and takes the codes in.
//! What is always true: every row is checked before the first is written; a code is sealed as soon as its row is read, and its
//! plaintext wiped; a bad row is named by its line and a reason, never by what it holds.
//! What is not here: the columns (`csv_rows.rs`) and the writing (`load.rs`).

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use csv::{ByteRecord, ReaderBuilder};
use entity::ids::VoucherId;
use entity::secret::Digest;
use sea_orm::EntityTrait;

use super::csv_rows::{self, Header, Shelf};
use super::load::{LoadError, Loaded, NewVoucher, load};
use super::load_store;
use super::model::Purpose;
use super::quoting::Quoting;
use super::vault::{DataKey, Vault, vault};
use crate::ctx::Ctx;
use crate::problem::Problem;

/// How many rows a file may have; one data key seals them all.
const MOST_ROWS: u64 = 1_000_000;
/// How many codes are looked up at once.
const LOOK_UP: usize = 500;

/// What becomes of a file with bad rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadRows {
    /// The whole file is refused.
    RefuseAll,
    /// They are left out.
    Skip,
}

/// A file of codes.
#[derive(Debug, Clone)]
pub struct Import {
    /// The file.
    pub path: PathBuf,
    /// What becomes of it if rows are bad.
    pub bad_rows: BadRows,
}

/// A row that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Its line in the file, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// What an import did.
#[derive(Debug)]
pub struct Imported {
    /// What was taken in; `None` if there was nothing to take.
    pub loaded: Option<Loaded>,
    /// The rows that were left out.
    pub skipped: Vec<BadRow>,
}

/// Why an import ended.
#[derive(Debug)]
pub enum ImportError {
    /// The file cannot be read, or is no CSV.
    Unreadable(io::Error),
    /// The header is not what it should be.
    BadHeader(String),
    /// It has more rows than one import takes; nothing was written.
    TooManyRows,
    /// Rows are bad; nothing was written.
    BadRows(Vec<BadRow>),
    /// Another import took the same codes at the same moment.
    LoadedMeanwhile {
        /// How many codes are in.
        codes: usize,
    },
    /// It could not be done.
    Problem(Problem),
}

impl From<Problem> for ImportError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<LoadError> for ImportError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::LoadedMeanwhile { codes } => Self::LoadedMeanwhile { codes },
            LoadError::Problem(problem) => Self::Problem(problem),
        }
    }
}

impl From<csv::Error> for ImportError {
    fn from(error: csv::Error) -> Self {
        match error.into_kind() {
            csv::ErrorKind::Io(error) => Self::Unreadable(error),
            // Other kinds may quote the file.
            _ => Self::Unreadable(io::Error::other("it is no CSV")),
        }
    }
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many rows of so many are checked.
    Checked(u64, u64),
    /// So many codes of so many are in.
    Loaded(u64, u64),
}

/// Told how far an import is.
pub type Progress = Arc<dyn Fn(Step) + Send + Sync>;

/// A row that is good so far, sealed.
struct Candidate {
    line: u64,
    voucher: NewVoucher,
}

/// Takes the codes of a file into stock.
///
/// # Errors
/// See `ImportError`. After a failure half-way, the same file can be imported again with `BadRows::Skip`: what is in already is
/// refused as a duplicate.
pub async fn import(ctx: &Ctx, import: Import, progress: Progress) -> Result<Imported, ImportError> {
    let total = count_rows(&import.path)?;
    if total > MOST_ROWS {
        return Err(ImportError::TooManyRows);
    }
    let shelf = shelf(ctx, &import.path).await?;
    let uses = i64::try_from(total).unwrap_or(i64::MAX);
    let key = vault(ctx).reserve(ctx, Purpose::Stock, uses).await?;
    let (task, path, told) = (ctx.clone(), import.path.clone(), Arc::clone(&progress));
    let read = tokio::task::spawn_blocking(move || read_all(&task, &path, (&shelf, &key), total, &told));
    let (candidates, mut bad) = read.await.map_err(Problem::internal)??;
    let vouchers = refuse_loaded(ctx, candidates, &mut bad).await?;
    bad.sort_by_key(|row| row.line);
    if !bad.is_empty() && import.bad_rows == BadRows::RefuseAll {
        return Err(ImportError::BadRows(bad));
    }
    if vouchers.is_empty() {
        return Ok(Imported { loaded: None, skipped: bad });
    }
    let codes = u64::try_from(vouchers.len()).unwrap_or(u64::MAX);
    let told = move |done: usize| progress(Step::Loaded(u64::try_from(done).unwrap_or(codes), codes));
    let loaded = load(ctx, vouchers, &told).await?;
    Ok(Imported { loaded: Some(loaded), skipped: bad })
}

fn open(path: &Path) -> Result<csv::Reader<Quoting<File>>, ImportError> {
    let file = Quoting::new(File::open(path).map_err(ImportError::Unreadable)?);
    // Flexible, for a row of another width is a bad row and not the end.
    Ok(ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file))
}

fn count_rows(path: &Path) -> Result<u64, ImportError> {
    let mut reader = open(path)?;
    let mut record = ByteRecord::new();
    let mut rows = 0_u64;
    while reader.read_byte_record(&mut record)? {
        rows = rows.saturating_add(1);
    }
    Ok(rows.saturating_sub(1))
}

async fn shelf(ctx: &Ctx, path: &Path) -> Result<Shelf, Problem> {
    let reader = &ctx.database().reader;
    let products = entity::products::Entity::find().all(reader).await?;
    let currencies = entity::currencies::Entity::find().all(reader).await?;
    Ok(Shelf {
        products: products.into_iter().map(|product| (product.id.clone(), product)).collect(),
        currencies: currencies.into_iter().map(|currency| currency.code).collect(),
        lot: path
            .file_stem()
            .map(|stem| stem.to_string_lossy().chars().take(64).collect())
            .unwrap_or_default(),
        now: ctx.now,
    })
}

fn read_all(
    ctx: &Ctx,
    path: &Path,
    (shelf, key): (&Shelf, &DataKey),
    total: u64,
    progress: &Progress,
) -> Result<(Vec<Candidate>, Vec<BadRow>), ImportError> {
    let mut reader = open(path)?;
    let mut record = ByteRecord::new();
    if !reader.read_byte_record(&mut record)? {
        return Err(ImportError::BadHeader("the file is empty".to_owned()));
    }
    let header = Header::read(&record).map_err(ImportError::BadHeader)?;
    let mut seen: HashMap<Digest, u64> = HashMap::new();
    let (mut good, mut bad, mut checked) = (Vec::new(), Vec::new(), 0_u64);
    while checked < total && reader.read_byte_record(&mut record)? {
        checked = checked.saturating_add(1);
        let line = record.position().map_or(0, csv::Position::line);
        match candidate(ctx, (&header, &record), (shelf, key)) {
            Ok(voucher) => match seen.insert(voucher.blind_index.clone(), line) {
                None => good.push(Candidate { line, voucher }),
                Some(first) => {
                    seen.insert(voucher.blind_index, first);
                    bad.push(BadRow { line, reason: format!("the same code as in line {first}") });
                }
            },
            Err(reason) => bad.push(BadRow { line, reason }),
        }
        if checked.is_multiple_of(1_000) || checked == total {
            progress(Step::Checked(checked, total));
        }
    }
    Ok((good, bad))
}

/// Reads, checks and seals one row.
fn candidate(
    ctx: &Ctx,
    (header, record): (&Header, &ByteRecord),
    (shelf, key): (&Shelf, &DataKey),
) -> Result<NewVoucher, String> {
    let row = csv_rows::read(header, record, shelf)?;
    let blind_index =
        vault(ctx).blind_index(&row.brand, &row.contents).ok_or("code and url are both missing")?;
    let id = VoucherId::from_uuid(ctx.uuid());
    let bound_to = (id, row.product.as_str(), row.face_minor);
    let sealed = Vault::seal_voucher(key, ctx.deps.ids.as_ref(), bound_to, &row.contents);
    Ok(NewVoucher {
        id,
        product: row.product,
        face_minor: row.face_minor,
        sealed: Some((key.id, sealed)),
        retention_secs: None,
        blind_index,
        expires_at: row.expires_at,
        cost: row.cost,
        lot: row.lot,
        purchase: None,
    })
}

/// Takes out the codes that the vault has already.
async fn refuse_loaded(
    ctx: &Ctx,
    candidates: Vec<Candidate>,
    bad: &mut Vec<BadRow>,
) -> Result<Vec<NewVoucher>, Problem> {
    let mut fresh = Vec::with_capacity(candidates.len());
    let mut rest = candidates.into_iter();
    loop {
        let some: Vec<Candidate> = rest.by_ref().take(LOOK_UP).collect();
        if some.is_empty() {
            return Ok(fresh);
        }
        let indices: Vec<&Digest> = some.iter().map(|candidate| &candidate.voucher.blind_index).collect();
        let loaded = load_store::find_loaded(&ctx.database().reader, &indices).await?;
        for candidate in some {
            if loaded.contains(&candidate.voucher.blind_index) {
                let reason = "this code was loaded before".to_owned();
                bad.push(BadRow { line: candidate.line, reason });
            } else {
                fresh.push(candidate.voucher);
            }
        }
    }
}
