//! Identity in the contract.
//!
//! What lives here: signing in and out, the viewer, API credentials, and the administrator's half, which is closed.
//! What is always true: a resolver parses, calls, wraps; a secret leaves only in the answer that makes it.
//! What is not here: who may do what; the domain decides.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::{admins, api_credentials, partners};

use super::enums::{Scope, SecondFactorMethod};
use super::loaders::load;
use super::request_loaders::Loaders;
use super::types::{ConnectionParts, Count, CurrencyCode, DateTime, connection, request};
use super::user_errors::UserError;
use crate::ctx::Ctx;
use crate::domain::identity::{self, CreateCredential, IdentityRefusal, Login, Secret, Tokens, parse_scopes};
use crate::problem::{Failure, Problem};
use crate::store::PageRequest;

/// Who is calling.
pub struct Viewer(Arc<identity::Viewer>);

/// Who is calling.
#[Object]
impl Viewer {
    /// The partner on whose behalf the call is made; null for an admin.
    async fn partner(&self) -> Option<Partner> {
        self.0.partner.clone().map(Partner)
    }

    /// The API credential that signed in; null for an admin.
    async fn credential(&self) -> Option<ApiCredential> {
        self.0.credential.clone().map(ApiCredential)
    }

    /// The admin; null for a partner.
    async fn admin(&self) -> Option<AdminAccount> {
        self.0.admin.clone().map(AdminAccount)
    }

    /// What the caller may do.
    async fn scopes(&self) -> Vec<Scope> {
        self.0.scopes.iter().copied().map(Scope::from).collect()
    }

    /// When this session ends unless it is refreshed.
    async fn session_expires_at(&self) -> DateTime {
        DateTime(self.0.session_expires_at)
    }
}

/// A business that buys.
pub struct Partner(pub(super) partners::Model);

/// A business that buys.
#[Object]
impl Partner {
    /// The id, beginning with prt_.
    pub(super) async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The partner's name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The settlement currency used where none is named.
    async fn default_currency(&self) -> CurrencyCode {
        CurrencyCode(self.0.default_currency)
    }

    /// When the account was opened.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

/// A person who runs the system.
pub struct AdminAccount(pub(super) admins::Model);

/// A person who runs the system.
#[Object]
impl AdminAccount {
    /// The id, beginning with adm_.
    pub(super) async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The name used to sign in.
    async fn username(&self) -> &str {
        &self.0.username
    }

    /// When the account was opened.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

/// What only administrators see.
#[derive(SimpleObject)]
pub struct Admin {
    /// The admin who is calling.
    account: AdminAccount,
}

/// A key and a secret with which a partner's program signs in. The secret is never shown again.
pub struct ApiCredential(pub(super) api_credentials::Model);

/// A key and a secret with which a partner's program signs in. The secret is never shown again.
#[Object]
impl ApiCredential {
    /// The id, beginning with crd_.
    pub(super) async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// What it is for, in the partner's words.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The key: the `username` of `login`.
    async fn username(&self) -> &str {
        &self.0.username
    }

    /// What it may do.
    async fn scopes(&self) -> Vec<Scope> {
        parse_scopes(&self.0.scopes).into_iter().map(Scope::from).collect()
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it last signed in; null if never.
    async fn last_used_at(&self) -> Option<DateTime> {
        self.0.last_used_at.map(DateTime)
    }

    /// When it was revoked; null while it works.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.0.revoked_at.map(DateTime)
    }
}

connection! {
    /// A page of API credentials.
    ApiCredentialConnection,
    /// One item of a page of API credentials.
    ApiCredentialEdge,
    ApiCredential
}

/// Who signs in.
#[derive(InputObject)]
pub struct LoginInput {
    /// The key of an API credential, or an admin's name.
    username: String,
    /// The secret, or the admin's password.
    password: String,
}

/// The token to exchange.
#[derive(InputObject)]
pub struct RefreshTokenInput {
    /// The refresh token last given.
    refresh_token: String,
}

/// What a new credential is for and may do.
#[derive(InputObject)]
pub struct CreateApiCredentialInput {
    /// What it is for, 1 to 100 characters.
    name: String,
    /// What it may do, at most what the maker may; everything but ACCOUNT_WRITE if absent.
    scopes: Option<Vec<Scope>>,
}

/// Which credential to revoke.
#[derive(InputObject)]
pub struct RevokeApiCredentialInput {
    /// The credential's id.
    id: ID,
}

/// The answer to `login`.
#[derive(SimpleObject)]
pub struct LoginPayload {
    /// The access token, for `Authorization: Bearer …`; null when refused, or while a second factor is due.
    token: Option<String>,
    /// How long the access token lives, in seconds.
    expires_in: Option<i32>,
    /// The refresh token, for `refreshToken`: it is exchanged once.
    refresh_token: Option<String>,
    /// The second factor that is due; null if none is.
    second_factor: Option<SecondFactor>,
    /// Why it was refused; empty when it worked.
    user_errors: Vec<UserError>,
}

/// A second factor that is due before a token is given.
#[derive(SimpleObject)]
pub struct SecondFactor {
    /// The token that names this sign-in when the factor is presented.
    challenge_token: String,
    /// The kinds of factor that will do.
    methods: Vec<SecondFactorMethod>,
}

/// The answer to `refreshToken`.
#[derive(SimpleObject)]
pub struct RefreshTokenPayload {
    /// The new access token; null when refused.
    token: Option<String>,
    /// How long the access token lives, in seconds.
    expires_in: Option<i32>,
    /// The new refresh token.
    refresh_token: Option<String>,
    /// Why it was refused; empty when it worked.
    user_errors: Vec<UserError>,
}

/// The answer to `logout`.
#[derive(SimpleObject)]
pub struct LogoutPayload {
    /// Whether the session has ended.
    logged_out: bool,
    /// Why it was refused; empty when it worked.
    user_errors: Vec<UserError>,
}

/// The answer to `createApiCredential`.
#[derive(SimpleObject)]
pub struct CreateApiCredentialPayload {
    /// The credential; null when refused.
    credential: Option<ApiCredential>,
    /// Its secret: the `password` of `login`. Shown here and never again.
    password: Option<String>,
    /// Why it was refused; empty when it worked.
    user_errors: Vec<UserError>,
}

/// The answer to `revokeApiCredential`.
#[derive(SimpleObject)]
pub struct RevokeApiCredentialPayload {
    /// The credential as it is now; null when refused.
    credential: Option<ApiCredential>,
    /// Why it was refused; empty when it worked.
    user_errors: Vec<UserError>,
}

/// What came of a command: its value or its refusal, unless it met a problem.
fn outcome<T>(result: Result<T, Failure<IdentityRefusal>>) -> Result<(Option<T>, Vec<UserError>), Problem> {
    match result {
        Ok(value) => Ok((Some(value), Vec::new())),
        Err(Failure::Refused(refusal)) => Ok((None, vec![UserError::general(&refusal)])),
        Err(Failure::Problem(problem)) => Err(problem),
    }
}

fn expires_in(tokens: &Tokens) -> Option<i32> {
    i32::try_from(tokens.expires_in_secs).ok()
}

/// Identity's reads.
#[derive(Debug, Default)]
pub struct IdentityQuery;

#[Object]
impl IdentityQuery {
    /// Who is calling.
    async fn viewer(&self, context: &Context<'_>) -> Option<Result<Viewer, Problem>> {
        load(&Loaders::of(context).viewer, ()).await.transpose().map(|found| found.map(Viewer))
    }

    /// The API credentials of the calling partner, newest first. Needs account:write.
    async fn api_credentials(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start, 1 to 100; 20 when neither `first` nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Begin behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End ahead of this cursor.")] before: Option<String>,
    ) -> Option<Result<ApiCredentialConnection, Problem>> {
        let page = PageRequest::new(first, after.as_deref(), last, before.as_deref());
        Some(match page {
            Ok(page) => list_credentials(request(context), &page).await,
            Err(problem) => Err(problem),
        })
    }

    /// The administrator's half of the contract; FORBIDDEN without an admin session that a second factor has confirmed.
    async fn admin(&self, context: &Context<'_>) -> Option<Result<Admin, Problem>> {
        let account = identity::get_admin_account(request(context));
        Some(account.map(|account| Admin { account: AdminAccount(account) }))
    }
}

async fn list_credentials(ctx: &Ctx, page: &PageRequest) -> Result<ApiCredentialConnection, Problem> {
    let page = identity::list_credentials(ctx, page).await?;
    let ctx = ctx.clone();
    let count: Count = Box::new(move || {
        let ctx = ctx.clone();
        Box::pin(async move {
            let count = identity::count_credentials(&ctx).await?;
            Ok(i64::try_from(count).unwrap_or(i64::MAX))
        })
    });
    let parts = ConnectionParts::new(page, |credential| credential.id.to_string(), ApiCredential, count);
    Ok(parts.into())
}

/// Identity's changes.
#[derive(Debug, Default)]
pub struct IdentityMutation;

#[Object]
impl IdentityMutation {
    /// Sign in with an API credential (key and secret) or as an admin. Limited to 30 attempts a minute by default, for an account and for an address.
    async fn login(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Who signs in.")] input: LoginInput,
    ) -> Option<Result<LoginPayload, Problem>> {
        let command = Login { username: input.username, password: Secret::new(input.password) };
        let result = outcome(identity::login(request(context), command).await);
        Some(result.map(|(tokens, user_errors)| LoginPayload {
            token: tokens.as_ref().map(|tokens| tokens.access.expose().to_owned()),
            expires_in: tokens.as_ref().and_then(expires_in),
            refresh_token: tokens.as_ref().map(|tokens| tokens.refresh.expose().to_owned()),
            second_factor: None,
            user_errors,
        }))
    }

    /// Exchange a refresh token for a new pair. Each is exchanged once. Sent again within 10 seconds, before its successor was used, it is answered with the same successor, for an answer may be lost; sent again later, or after that, it ends the session. Limited to 30 exchanges a minute by default, for an address.
    async fn refresh_token(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The token to exchange.")] input: RefreshTokenInput,
    ) -> Option<Result<RefreshTokenPayload, Problem>> {
        let token = Secret::new(input.refresh_token);
        let result = outcome(identity::refresh(request(context), token).await);
        Some(result.map(|(tokens, user_errors)| RefreshTokenPayload {
            token: tokens.as_ref().map(|tokens| tokens.access.expose().to_owned()),
            expires_in: tokens.as_ref().and_then(expires_in),
            refresh_token: tokens.as_ref().map(|tokens| tokens.refresh.expose().to_owned()),
            user_errors,
        }))
    }

    /// End this session, and no other.
    async fn logout(&self, context: &Context<'_>) -> Option<Result<LogoutPayload, Problem>> {
        let result = outcome(identity::logout(request(context)).await);
        Some(result.map(|(ended, user_errors)| LogoutPayload { logged_out: ended.is_some(), user_errors }))
    }

    /// Make another API credential. Its secret is in this answer and never again. Needs account:write.
    async fn create_api_credential(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What the credential is for and may do.")] input: CreateApiCredentialInput,
    ) -> Option<Result<CreateApiCredentialPayload, Problem>> {
        let scopes = input.scopes.map(|scopes| scopes.into_iter().map(Into::into).collect());
        let command = CreateCredential { name: input.name, scopes };
        let result = outcome(identity::create_credential(request(context), command).await);
        Some(result.map(|(made, user_errors)| {
            let (credential, secret) = made.map(|made| (made.credential, made.secret)).unzip();
            CreateApiCredentialPayload {
                credential: credential.map(ApiCredential),
                password: secret.map(|secret| secret.expose().to_owned()),
                user_errors,
            }
        }))
    }

    /// Revoke an API credential and end its sessions. Needs account:write.
    async fn revoke_api_credential(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which credential.")] input: RevokeApiCredentialInput,
    ) -> Option<Result<RevokeApiCredentialPayload, Problem>> {
        let result = outcome(identity::revoke_credential(request(context), &input.id).await);
        Some(result.map(|(credential, user_errors)| RevokeApiCredentialPayload {
            credential: credential.map(ApiCredential),
            user_errors,
        }))
    }
}
