//! `octopus vendor-sim`: the sandbox vendor as a program of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use entity::decimal::Decimal;
use serde_json::json;

use super::{CliError, answer, serve};
use crate::clock::{Ids as _, SystemClock, SystemIds};
use crate::simulator::{self, BadSimulator, Options, Simulator};

/// Where it listens, unless it is told.
const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 8090);

/// How the sandbox vendor is set up.
#[derive(Debug, Args)]
pub struct VendorSim {
    /// Where to listen; port 0 takes a spare one [default: 127.0.0.1:8090]
    #[arg(long)]
    address: Option<SocketAddr>,

    /// The file of its books, which survive a kill; in memory if absent
    #[arg(long)]
    ledger: Option<PathBuf>,

    /// What codes, ids and faults are drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// The key that callers name; made and printed if absent
    #[arg(long)]
    key: Option<String>,

    /// A catalog such as data/catalog.csv; without one it sells whatever it is asked for
    #[arg(long)]
    catalog: Option<PathBuf>,

    /// How long each answer takes at least, in milliseconds
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,

    /// How many requests a second it takes; any number if absent
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<u32>,

    /// How many requests at once it takes; any number if absent
    #[arg(long)]
    concurrent: Option<usize>,

    /// Which share of ordinary purchases meets a fault, from 0 to 1; seed and reference say which
    #[arg(long, default_value = "0", value_parser = share)]
    fault_rate: Decimal,

    /// What purchases of a quantity meet, such as 13=partial; may be given several times
    #[arg(long, value_name = "QUANTITY=BEHAVIOUR", value_parser = rule)]
    at_quantity: Vec<(i32, String)>,
}

fn share(text: &str) -> Result<Decimal, String> {
    text.parse().map_err(|_| "must be a decimal number from 0 to 1".to_owned())
}

fn rule(text: &str) -> Result<(i32, String), String> {
    let (quantity, name) = text.split_once('=').ok_or("must be a quantity, =, and a behaviour")?;
    let quantity = quantity.parse().map_err(|_| "the quantity must be a number".to_owned())?;
    Ok((quantity, name.to_owned()))
}

impl From<BadSimulator> for CliError {
    fn from(error: BadSimulator) -> Self {
        match error {
            BadSimulator::Ledger { .. } => Self::Failed(error.to_string()),
            wrong => Self::Usage(wrong.to_string()),
        }
    }
}

/// Sells until SIGINT or SIGTERM.
///
/// # Errors
/// An address that is taken, books or a catalog that cannot be used.
pub async fn run(command: VendorSim, json: bool) -> Result<(), CliError> {
    let (key, made) = match command.key {
        Some(key) => (key, None),
        None => {
            let key = new_key();
            (key.clone(), Some(key))
        }
    };
    let options = Options {
        ledger: command.ledger,
        catalog: command.catalog,
        latency_ms: command.latency_ms,
        requests_per_second: command.rate,
        concurrent: command.concurrent,
        fault_rate: command.fault_rate,
        at_quantity: command.at_quantity,
        ..Options::new(key, command.seed)
    };
    let simulator = Simulator::open(options, Arc::new(SystemClock))?;
    let listener = serve::listen(command.address.unwrap_or(LISTEN.into()), "--address").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let stop = serve::stop()?;
    let told = match &made {
        Some(key) => json!({ "url": url, "key": key }),
        None => json!({ "url": url }),
    };
    answer(json, &told, || match &made {
        Some(key) => format!("{url}\nkey {key}"),
        None => url.clone(),
    });
    simulator::serve(listener, simulator, stop).await;
    Ok(())
}

/// A key that nobody can guess.
pub(super) fn new_key() -> String {
    let mut bytes = [0; 16];
    SystemIds::default().fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
