//! `octopus admin`: the accounts of the people who run the system.

use std::io::BufRead;
use std::sync::Arc;

use clap::Subcommand;
use entity::admins;
use serde_json::{Value, json};

use super::{CliError, answer};
use crate::ctx::{Ctx, Deps};
use crate::domain::identity::{self, CreateAdmin, Secret};

/// What to do with admins.
#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Open an admin's account; a password that it makes is shown once
    Create {
        /// The name to sign in with: 3 to 64 of a-z, 0-9, . _ -
        username: String,
        /// Read the password, of at least 12 characters, from the first line of the standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// List the admins, oldest first
    List,
}

/// Runs the command.
///
/// # Errors
/// What the domain refuses, or what the database says.
pub async fn run(deps: Arc<Deps>, command: AdminCommand, json: bool) -> Result<(), CliError> {
    let ctx = Ctx::system(deps);
    match command {
        AdminCommand::Create { username, password_stdin } => {
            let password = if password_stdin { Some(read_password()?) } else { None };
            let given = password.is_some();
            let made = identity::create_admin(&ctx, CreateAdmin { username, password }).await?;
            let mut shown = admin_json(&made.admin);
            if !given {
                shown["password"] = made.password.expose().into();
            }
            answer(json, &shown, || {
                let line = admin_line(&made.admin);
                if given {
                    return line;
                }
                format!("{line}\npassword {}\nThe password is not shown again.", made.password.expose())
            });
        }
        AdminCommand::List => {
            let admins = identity::list_admins(&ctx).await?;
            let listed: Vec<Value> = admins.iter().map(admin_json).collect();
            answer(json, &Value::from(listed), || {
                admins.iter().map(admin_line).collect::<Vec<_>>().join("\n")
            });
        }
    }
    Ok(())
}

fn read_password() -> Result<Secret, CliError> {
    let mut line = zeroize::Zeroizing::new(String::new());
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(Secret::new(line.trim_end_matches(['\r', '\n'])))
}

fn admin_json(admin: &admins::Model) -> Value {
    json!({ "id": admin.id, "username": admin.username, "created_at": admin.created_at })
}

fn admin_line(admin: &admins::Model) -> String {
    format!("{}  {}  {}", admin.id, admin.username, admin.created_at)
}
