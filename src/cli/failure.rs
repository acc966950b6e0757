//! How a command fails.
//!
//! What lives here: the kinds of failure, the exit code of each, and how a failure is told to a person or a program.
//! What is always true: one table of exit codes holds for every command, and `octopus --help` prints it; with `--json` a failure
//! is one JSON object on the standard error.
//! What is not here: what a command prints when it is done; that is on the standard output.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use crate::app::OpenError;
use crate::config::ConfigError;
use crate::domain::catalog::ImportRefusal;
use crate::problem::{ErrorCode, Failure, Problem, Refusal};

/// The table of exit codes, as `octopus --help` prints it.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed: a check found something, or the installation is not ready for the command
  2  usage: an argument, a setting or a file is not what it should be; nothing was done
  3  refused: a rule said no, such as for an unknown partner or bad lines; nothing was changed
  4  the database or the machine did not do its part; it may be worth trying again

With --json a failure is an object on the standard error: code, message, and for a file's lines bad.";

/// Bad lines that a person is shown at most; the rest is counted. A program gets all.
const SHOWN: usize = 50;

/// A line of a file that cannot be taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadLine {
    /// The file, where a command reads several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<&'static str>,
    /// The line, from 1, the heading included.
    pub line: u64,
    /// Why.
    pub reason: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.file {
            Some(file) => write!(out, "{file}:{}: {}", self.line, self.reason),
            None => write!(out, "line {}: {}", self.line, self.reason),
        }
    }
}

/// Why a command failed; each kind has an exit code of its own.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The input is wrong (exit code 2).
    #[error("{0}")]
    Usage(String),
    /// The settings are wrong (exit code 2).
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A rule said no (exit code 3).
    #[error("{code}: {message}")]
    Refused {
        /// The code of the contract.
        code: ErrorCode,
        /// What is wrong and how to mend it.
        message: String,
    },
    /// Lines of a file are bad, and nothing of it was taken in (exit code 3).
    #[error("{}: {}", ErrorCode::InvalidInput, listed(.heading, .bad))]
    BadLines {
        /// What became of the file.
        heading: String,
        /// Every bad line.
        bad: Vec<BadLine>,
    },
    /// What was checked, or what the command needs, is not as it should be (exit code 1).
    #[error("{0}")]
    Failed(String),
    /// The database or the machine did not do its part (exit code 4), or a rule below the feature's own said no (exit code 3).
    #[error(transparent)]
    Problem(#[from] Problem),
}

impl CliError {
    /// What the process exits with.
    pub(super) fn exit_code(&self) -> u8 {
        use ErrorCode::{InternalServerError, RateLimited, ServiceUnavailable, Timeout};
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) | Self::Config(_) => 2,
            Self::Refused { .. } | Self::BadLines { .. } => 3,
            Self::Problem(problem) => match problem.code {
                InternalServerError | RateLimited | ServiceUnavailable | Timeout => 4,
                _ => 3,
            },
        }
    }

    /// The failure as programs read it.
    fn as_json(&self) -> Value {
        let code = match self {
            Self::Refused { code, .. } => code.as_str(),
            Self::BadLines { .. } => ErrorCode::InvalidInput.as_str(),
            Self::Problem(problem) => problem.code.as_str(),
            Self::Failed(_) => "FAILED",
            Self::Usage(_) | Self::Config(_) => "USAGE",
        };
        match self {
            Self::Refused { message, .. } => json!({ "code": code, "message": message }),
            Self::BadLines { heading, bad } => json!({ "code": code, "message": heading, "bad": bad }),
            Self::Problem(problem) => {
                let text = problem.to_string();
                let message = text.strip_prefix(&format!("{code}: ")).unwrap_or(&text);
                json!({ "code": code, "message": message })
            }
            other => json!({ "code": code, "message": other.to_string() }),
        }
    }

    /// Tells the failure on the standard error.
    #[expect(clippy::print_stderr, reason = "the command line speaks to its user")]
    pub(super) fn report(&self, json: bool) {
        if json { eprintln!("{}", self.as_json()) } else { eprintln!("octopus: {self}") }
    }
}

/// The end of a command that went on whatever failed: nothing, the one failure, or all of them in one.
pub(super) fn all_together(failures: Vec<CliError>) -> Result<(), CliError> {
    let told: Vec<String> = failures.iter().map(ToString::to_string).collect();
    match failures.into_iter().next() {
        None => Ok(()),
        Some(only) if told.len() == 1 => Err(only),
        Some(_) => Err(CliError::Failed(told.join("; "))),
    }
}

impl<R: Refusal> From<Failure<R>> for CliError {
    fn from(failure: Failure<R>) -> Self {
        match failure {
            Failure::Refused(refusal) => Self::Refused { code: refusal.code(), message: refusal.message() },
            Failure::Problem(problem) => Self::Problem(problem),
        }
    }
}

impl From<ImportRefusal> for CliError {
    fn from(refusal: ImportRefusal) -> Self {
        match refusal {
            ImportRefusal::BadRows(rows) => {
                let bad = rows.into_iter().map(|row| BadLine {
                    file: Some(row.file),
                    line: row.line,
                    reason: row.reason,
                });
                Self::BadLines { heading: "nothing was imported".to_owned(), bad: bad.collect() }
            }
            ImportRefusal::BadHeading(_) | ImportRefusal::Unreadable { .. } => {
                Self::Usage(refusal.to_string())
            }
        }
    }
}

impl From<OpenError> for CliError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Problem(problem) => Self::Problem(problem),
            unready => Self::Failed(unready.to_string()),
        }
    }
}

impl From<sea_orm::DbErr> for CliError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Problem(error.into())
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        Self::Problem(Problem::unavailable(error))
    }
}

/// A heading and a line for each bad line.
pub(super) fn listed<T: ToString>(heading: &str, bad: &[T]) -> String {
    let mut lines = vec![format!("{heading}:")];
    lines.extend(bad.iter().take(SHOWN).map(ToString::to_string));
    if bad.len() > SHOWN {
        lines.push(format!("… and {} more", bad.len() - SHOWN));
    }
    lines.join("\n")
}
