//! The rules of identity, pure.
//!
//! What lives here: refusals, what names and passwords may be, which scopes a credential gets, how often one may try to sign
//! in, and what a refresh token that comes again means.
//! What is always true: nothing here reads a clock or a table.
//! What is not here: who carries the rules out.

use entity::state::Scope;
use entity::timestamp::Timestamp;

use crate::problem::{ErrorCode, Refusal};

/// What every username of a credential begins with, and no admin's name.
pub(super) const CREDENTIAL_PREFIX: &str = "oc_";
/// What every secret of a credential begins with.
pub(super) const SECRET_PREFIX: &str = "ocs_";
/// What every refresh token begins with.
pub(super) const REFRESH_PREFIX: &str = "ocr_";
/// Working credentials that a partner may have.
pub(super) const MOST_CREDENTIALS: u64 = 100;
/// How long after its exchange a refresh token gets the same successor again: a reply that was lost must not end the session.
pub(super) const REPEAT_MICROS: i64 = 10_000_000;

const MINUTE_MICROS: i64 = 60_000_000;
const NAME_CHARACTERS: usize = 100;
const PASSWORD_CHARACTERS: usize = 12;

/// What a credential may do when nothing is said.
pub const DEFAULT_SCOPES: [Scope; 7] = [
    Scope::CatalogRead,
    Scope::ChargesWrite,
    Scope::OrdersRead,
    Scope::OrdersWrite,
    Scope::VouchersReveal,
    Scope::WalletRead,
    Scope::WebhooksWrite,
];

/// Why identity says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityRefusal {
    /// Unknown, wrong, revoked or suspended: sign in with something else.
    InvalidCredentials,
    /// Unknown, expired, revoked or used: sign in.
    InvalidRefreshToken,
    /// Give a name of 1 to 100 printable characters.
    InvalidName,
    /// Ask for at least one scope: none is left of those that the maker may do.
    NoScopes,
    /// Ask for less: the maker may not do this itself.
    ScopeNotGranted(Vec<Scope>),
    /// Revoke a credential first.
    TooManyCredentials,
    /// There is no such credential, partner or admin.
    NotFound,
    /// Choose another name: an admin has this one.
    NameTaken,
    /// Choose another name: a partner has this one.
    PartnerNameTaken,
    /// Choose another name: it must be 3 to 64 lower-case letters, digits or `. _ -`, and not begin like a credential's.
    InvalidAdminName,
    /// Choose a password of at least 12 characters other than the name.
    WeakPassword,
}

impl Refusal for IdentityRefusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidCredentials => ErrorCode::InvalidCredentials,
            Self::InvalidRefreshToken => ErrorCode::InvalidRefreshToken,
            Self::ScopeNotGranted(_) => ErrorCode::ScopeNotGranted,
            Self::NotFound => ErrorCode::NotFound,
            Self::InvalidName
            | Self::NoScopes
            | Self::TooManyCredentials
            | Self::NameTaken
            | Self::PartnerNameTaken
            | Self::InvalidAdminName
            | Self::WeakPassword => ErrorCode::InvalidInput,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::InvalidCredentials => "the username and the password do not belong together".to_owned(),
            Self::InvalidRefreshToken => "the refresh token is not valid: sign in again".to_owned(),
            Self::InvalidName => format!("the name must have 1 to {NAME_CHARACTERS} printable characters"),
            Self::NoScopes => "a credential needs at least one scope: name one that its maker has".to_owned(),
            Self::ScopeNotGranted(scopes) => {
                format!("a credential cannot be given what its maker may not do: {}", join_scopes(scopes))
            }
            Self::TooManyCredentials => {
                format!("a partner has at most {MOST_CREDENTIALS} working credentials: revoke one first")
            }
            Self::NotFound => "there is no such thing".to_owned(),
            Self::NameTaken => "an admin has this name already".to_owned(),
            Self::PartnerNameTaken => {
                "a partner has this name already: choose another, since commands find a partner by its name"
                    .to_owned()
            }
            Self::InvalidAdminName => format!(
                "the name must have 3 to 64 characters of a-z, 0-9, `.`, `_` and `-`, and not begin with \
                 {CREDENTIAL_PREFIX}"
            ),
            Self::WeakPassword => {
                format!(
                    "the password must have at least {PASSWORD_CHARACTERS} characters and not be the name"
                )
            }
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        let field = match self {
            Self::InvalidCredentials | Self::TooManyCredentials => return None,
            Self::InvalidRefreshToken => "refreshToken",
            Self::InvalidName | Self::PartnerNameTaken => "name",
            Self::NoScopes | Self::ScopeNotGranted(_) => "scopes",
            Self::NotFound => "id",
            Self::NameTaken | Self::InvalidAdminName => "username",
            Self::WeakPassword => "password",
        };
        Some(vec![field.to_owned()])
    }
}

/// A name without the blanks around it: 1 to 100 characters, none of them a control character.
pub(super) fn checked_name(name: &str) -> Result<String, IdentityRefusal> {
    let name = name.trim();
    let fits = (1..=NAME_CHARACTERS).contains(&name.chars().count());
    if fits && !name.chars().any(char::is_control) {
        Ok(name.to_owned())
    } else {
        Err(IdentityRefusal::InvalidName)
    }
}

/// An admin's name.
pub(super) fn checked_admin_name(name: &str) -> Result<(), IdentityRefusal> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    if (3..=64).contains(&name.len()) && name.chars().all(allowed) && !name.starts_with(CREDENTIAL_PREFIX) {
        Ok(())
    } else {
        Err(IdentityRefusal::InvalidAdminName)
    }
}

/// An admin's password.
pub(super) fn checked_password(name: &str, password: &str) -> Result<(), IdentityRefusal> {
    if password.chars().count() >= PASSWORD_CHARACTERS && !password.eq_ignore_ascii_case(name) {
        Ok(())
    } else {
        Err(IdentityRefusal::WeakPassword)
    }
}

/// What a credential may do, sorted: what is asked, if the maker may do it all; the default, cut to what the maker may do, if
/// nothing is asked. Nobody gets a credential that may do nothing.
pub(super) fn granted(maker: &[Scope], asked: Option<Vec<Scope>>) -> Result<Vec<Scope>, IdentityRefusal> {
    let default = || DEFAULT_SCOPES.into_iter().filter(|scope| maker.contains(scope)).collect();
    let mut asked = asked.unwrap_or_else(default);
    asked.sort_unstable();
    asked.dedup();
    let beyond: Vec<Scope> = asked.iter().copied().filter(|scope| !maker.contains(scope)).collect();
    match (asked.is_empty(), beyond.is_empty()) {
        (true, _) => Err(IdentityRefusal::NoScopes),
        (_, false) => Err(IdentityRefusal::ScopeNotGranted(beyond)),
        _ => Ok(asked),
    }
}

/// Scopes as tables and tokens hold them: joined by blanks.
pub(super) fn join_scopes(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
}

/// Scopes of a table's text, sorted. Words that are no scope grant nothing.
pub fn parse_scopes(text: &str) -> Vec<Scope> {
    let mut scopes: Vec<Scope> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    scopes.sort_unstable();
    scopes
}

/// How often something may be tried: the generic cell rate algorithm, which needs one number a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    /// What one attempt costs, in microseconds.
    pub(super) interval_micros: i64,
    /// What may be saved up, in microseconds.
    pub(super) burst_micros: i64,
}

impl Rate {
    /// So many a minute, all at once if one likes.
    pub(super) fn per_minute(attempts: u32) -> Self {
        let attempts = i64::from(attempts.max(1));
        Self { interval_micros: MINUTE_MICROS.div_euclid(attempts), burst_micros: MINUTE_MICROS }
    }

    /// The latest theoretical arrival that still admits an attempt now.
    pub(super) fn latest_admitted(self, now: Timestamp) -> i64 {
        now.micros().saturating_add(self.burst_micros).saturating_sub(self.interval_micros)
    }

    /// The latest theoretical arrival that is believed: what lies further ahead than two bursts was written while the clock was
    /// wrong.
    pub(super) fn latest_believed(self, now: Timestamp) -> i64 {
        now.micros().saturating_add(self.burst_micros.saturating_mul(2))
    }

    /// Milliseconds until an attempt is admitted, rounded up.
    pub(super) fn retry_after_ms(self, theoretical_arrival: Timestamp, now: Timestamp) -> u64 {
        let wait = theoretical_arrival.micros().saturating_sub(self.latest_admitted(now));
        let millis = wait.saturating_add(999).div_euclid(1_000);
        u64::try_from(millis.clamp(1, 60_000)).unwrap_or(1)
    }
}

/// What it means that a refresh token comes again after it was exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// The reply was lost: the same successor is due.
    Repeat,
    /// Somebody else has the token: the session ends.
    Reuse,
}

/// Judges a token that was exchanged at `used_at` and comes again.
pub(super) fn judge_again(used_at: Timestamp, successor_is_used: bool, now: Timestamp) -> Again {
    let recent = (0..=REPEAT_MICROS).contains(&now.micros_since(used_at));
    if recent && !successor_is_used { Again::Repeat } else { Again::Reuse }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_795_373_640_000_000);

    #[test]
    fn a_credential_gets_no_more_than_its_maker_has() {
        use Scope::{AccountWrite, CatalogRead, OrdersRead};
        assert_eq!(granted(Scope::ALL, None), Ok(DEFAULT_SCOPES.to_vec()));
        assert_eq!(granted(&[CatalogRead, AccountWrite], None), Ok(vec![CatalogRead]));
        assert_eq!(
            granted(Scope::ALL, Some(vec![OrdersRead, CatalogRead, OrdersRead])),
            Ok(vec![CatalogRead, OrdersRead])
        );
        assert_eq!(
            granted(&[AccountWrite], Some(vec![AccountWrite, OrdersRead])),
            Err(IdentityRefusal::ScopeNotGranted(vec![OrdersRead]))
        );
        assert_eq!(granted(Scope::ALL, Some(vec![])), Err(IdentityRefusal::NoScopes));
        assert_eq!(granted(&[AccountWrite], None), Err(IdentityRefusal::NoScopes));
        assert_eq!(parse_scopes(&join_scopes(Scope::ALL)), Scope::ALL);
    }

    #[test]
    fn a_name_is_trimmed_and_bounded() {
        assert_eq!(checked_name("  Shop Ä "), Ok("Shop Ä".to_owned()));
        for name in ["", "   ", "a\u{7}b", &"x".repeat(101)] {
            assert_eq!(checked_name(name), Err(IdentityRefusal::InvalidName), "{name:?}");
        }
    }

    #[test]
    fn an_admin_is_never_mistaken_for_a_credential() {
        assert_eq!(checked_admin_name("ada.l-2"), Ok(()));
        for name in ["oc_ada", "ab", "Ada", "a b c", "ädä", &"a".repeat(65)] {
            assert_eq!(checked_admin_name(name), Err(IdentityRefusal::InvalidAdminName), "{name:?}");
        }
        assert_eq!(checked_password("ada", "twelve chars"), Ok(()));
        assert_eq!(checked_password("administrator", "Administrator"), Err(IdentityRefusal::WeakPassword));
        assert_eq!(checked_password("ada", "elevenchars"), Err(IdentityRefusal::WeakPassword));
    }

    #[test]
    fn thirty_a_minute_are_admitted_at_once_and_then_one_every_two_seconds() {
        let rate = Rate::per_minute(30);
        let (mut arrival, mut admitted) = (NOW.micros(), 0);
        while arrival <= rate.latest_admitted(NOW) {
            arrival += rate.interval_micros;
            admitted += 1;
        }
        assert_eq!(admitted, 30);
        assert_eq!(rate.retry_after_ms(Timestamp::from_micros(arrival), NOW), 2_000);
        let later = NOW.plus_millis(1_999);
        assert_eq!(rate.retry_after_ms(Timestamp::from_micros(arrival), later), 1);
    }

    #[test]
    fn a_token_that_comes_again_is_a_lost_reply_for_ten_seconds_unless_its_successor_was_used() {
        for (later_ms, successor_is_used, expected) in [
            (0, false, Again::Repeat),
            (10_000, false, Again::Repeat),
            (10_001, false, Again::Reuse),
            (0, true, Again::Reuse),
            (-1, false, Again::Reuse),
        ] {
            assert_eq!(
                judge_again(NOW, successor_is_used, NOW.plus_millis(later_ms)),
                expected,
                "{later_ms}"
            );
        }
    }
}
