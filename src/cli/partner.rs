//! `octopus partner`: the accounts of the businesses that buy, and their credentials.

use std::sync::Arc;

use clap::Subcommand;
use entity::currency::Currency;
use entity::ids::CredentialId;
use entity::state::Scope;
use entity::timestamp::Timestamp;
use entity::{api_credentials, partners};
use serde_json::{Value, json};

use super::{CliError, answer};
use crate::ctx::{Ctx, Deps};
use crate::domain::identity::{self, CreateCredential, CreatePartner, NewCredential};

/// What to do with partners.
#[derive(Debug, Subcommand)]
pub enum PartnerCommand {
    /// Open a partner's account
    Create {
        /// Its name, 1 to 100 characters
        #[arg(long)]
        name: String,
        /// The settlement currency used where none is named, such as USD
        #[arg(long, value_parser = parse_currency)]
        currency: Currency,
    },
    /// List the partners, oldest first
    List,
    /// Stop a partner: its sessions end, and it cannot sign in
    Suspend {
        /// Its id (prt_…), or its name
        partner: String,
    },
    /// Let a suspended partner sign in again
    Resume {
        /// Its id (prt_…), or its name
        partner: String,
    },
    /// Make, list or revoke the keys with which a partner's programs sign in
    #[command(subcommand)]
    Credential(CredentialCommand),
}

/// What to do with credentials.
#[derive(Debug, Subcommand)]
pub enum CredentialCommand {
    /// Make a credential; its secret is shown once
    Create {
        /// The partner's id (prt_…), or its name
        partner: String,
        /// What it is for, 1 to 100 characters
        #[arg(long)]
        name: String,
        /// What it may do, such as catalog:read,orders:write [default: everything but account:write]
        #[arg(long, value_delimiter = ',', value_parser = parse_scope)]
        scopes: Option<Vec<Scope>>,
    },
    /// List a partner's credentials, oldest first
    List {
        /// The partner's id (prt_…), or its name
        partner: String,
    },
    /// Revoke a credential and end its sessions
    Revoke {
        /// The credential's id (crd_…)
        #[arg(value_parser = parse_credential)]
        credential: CredentialId,
    },
}

fn parse_credential(text: &str) -> Result<CredentialId, String> {
    text.parse().map_err(|_| "must be the id of a credential (crd_…)".to_owned())
}

fn parse_currency(text: &str) -> Result<Currency, String> {
    text.parse().map_err(|_| "must be an active ISO 4217 code in capitals, such as USD".to_owned())
}

fn parse_scope(text: &str) -> Result<Scope, String> {
    text.parse().map_err(|_| {
        let known: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        format!("must be one of {}", known.join(", "))
    })
}

/// Runs the command.
///
/// # Errors
/// What the domain refuses, or what the database says.
pub async fn run(deps: Arc<Deps>, command: PartnerCommand, json: bool) -> Result<(), CliError> {
    let ctx = Ctx::system(deps);
    match command {
        PartnerCommand::Create { name, currency } => {
            let command = CreatePartner { name, default_currency: currency };
            let partner = identity::create_partner(&ctx, command).await?;
            answer(json, &partner_json(&partner), || partner_line(&partner));
        }
        PartnerCommand::List => {
            let partners = list(&ctx).await?;
            let listed: Vec<Value> = partners.iter().map(partner_json).collect();
            answer(json, &Value::from(listed), || lines(&partners, partner_line));
        }
        PartnerCommand::Suspend { partner } => {
            let partner = identity::find_partner_named(&ctx, &partner).await?.id;
            let partner = identity::suspend_partner(&ctx, partner).await?;
            answer(json, &partner_json(&partner), || partner_line(&partner));
        }
        PartnerCommand::Resume { partner } => {
            let partner = identity::find_partner_named(&ctx, &partner).await?.id;
            let partner = identity::resume_partner(&ctx, partner).await?;
            answer(json, &partner_json(&partner), || partner_line(&partner));
        }
        PartnerCommand::Credential(command) => run_credential(&ctx, command, json).await?,
    }
    Ok(())
}

/// Every partner, page by page: a statement reads so many and no more.
async fn list(ctx: &Ctx) -> Result<Vec<partners::Model>, CliError> {
    let mut all = Vec::new();
    loop {
        let page = identity::list_partners(ctx, all.last().map(|last: &partners::Model| last.id)).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

async fn run_credential(ctx: &Ctx, command: CredentialCommand, json: bool) -> Result<(), CliError> {
    match command {
        CredentialCommand::Create { partner, name, scopes } => {
            let partner = identity::find_partner_named(ctx, &partner).await?.id;
            let command = CreateCredential { name, scopes };
            let made = identity::create_credential_for(ctx, partner, command).await?;
            answer(json, &new_credential_json(&made), || {
                let (username, password) = (&made.credential.username, made.secret.expose());
                format!("username {username}\npassword {password}\nThe password is not shown again.")
            });
        }
        CredentialCommand::List { partner } => {
            let partner = identity::find_partner_named(ctx, &partner).await?.id;
            let credentials = identity::list_credentials_of(ctx, partner).await?;
            let listed: Vec<Value> = credentials.iter().map(credential_json).collect();
            answer(json, &Value::from(listed), || lines(&credentials, credential_line));
        }
        CredentialCommand::Revoke { credential } => {
            let credential = identity::revoke_credential_of(ctx, credential).await?;
            answer(json, &credential_json(&credential), || credential_line(&credential));
        }
    }
    Ok(())
}

fn lines<T>(items: &[T], line: impl Fn(&T) -> String) -> String {
    items.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn partner_json(partner: &partners::Model) -> Value {
    json!({
        "id": partner.id,
        "name": partner.name,
        "status": partner.status,
        "default_currency": partner.default_currency.code(),
        "created_at": partner.created_at,
    })
}

fn partner_line(partner: &partners::Model) -> String {
    let (id, status, currency) = (partner.id, partner.status, partner.default_currency.code());
    format!("{id}  {status:9}  {currency}  {}", partner.name)
}

fn credential_json(credential: &api_credentials::Model) -> Value {
    json!({
        "id": credential.id,
        "partner_id": credential.partner_id,
        "name": credential.name,
        "username": credential.username,
        "scopes": credential.scopes.split(' ').collect::<Vec<_>>(),
        "created_at": credential.created_at,
        "last_used_at": credential.last_used_at,
        "revoked_at": credential.revoked_at,
    })
}

fn new_credential_json(made: &NewCredential) -> Value {
    let mut shown = credential_json(&made.credential);
    shown["password"] = made.secret.expose().into();
    shown
}

fn credential_line(credential: &api_credentials::Model) -> String {
    let state = match credential.revoked_at {
        Some(at) => format!("revoked {at}"),
        None => {
            let last = credential.last_used_at.as_ref().map(Timestamp::to_string);
            format!("last used {}", last.as_deref().unwrap_or("never"))
        }
    };
    format!(
        "{}  {}  {}  {state}  [{}]",
        credential.id, credential.username, credential.name, credential.scopes
    )
}
