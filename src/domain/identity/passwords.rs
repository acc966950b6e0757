//! Hashing passwords.
//!
//! What lives here: Argon2id on threads of its own, behind a bounded queue.
//! What is always true: no worker of the server's runtime ever hashes; at most two hashes are computed at once, so that a
//! flood of sign-ins can take neither the processor nor the memory (19 MiB each); what finds the queue full is shed.
//! What is not here: whose hash it is, and what follows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::oneshot;

use super::secrets::Secret;
use crate::problem::Problem;

const THREADS: usize = 2;
/// Two threads empty a full queue in about a second.
const QUEUE: usize = 64;
const RETRY_AFTER_MS: u64 = 1_000;

/// Stands in where there is no account: made with the parameters that new hashes get, and of no password at all.
static NOBODY: LazyLock<PasswordHash> = LazyLock::new(|| {
    let proof = "its parts have constant, valid lengths";
    PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::default().into()),
        params: ParamsString::try_from(&Params::default()).expect(proof),
        salt: Some(Salt::new(&[0; 16]).expect(proof)),
        hash: Some(Output::new(&[0; Params::DEFAULT_OUTPUT_LEN]).expect(proof)),
    }
});

enum Job {
    Check { password: Secret, hash: Option<String>, answer: oneshot::Sender<bool> },
    Hash { password: Secret, salt: [u8; 16], answer: oneshot::Sender<Result<String, String>> },
}

/// The threads.
#[derive(Debug)]
pub(super) struct Passwords {
    queue: SyncSender<Job>,
    checks: Arc<AtomicU64>,
}

impl Passwords {
    /// Starts the threads; they end when this is dropped.
    pub(super) fn start() -> Self {
        let (queue, jobs) = sync_channel(QUEUE);
        let (jobs, checks) = (Arc::new(Mutex::new(jobs)), Arc::new(AtomicU64::new(0)));
        for _ in 0..THREADS {
            let (jobs, checks) = (Arc::clone(&jobs), Arc::clone(&checks));
            std::thread::spawn(move || work(&jobs, &checks));
        }
        Self { queue, checks }
    }

    /// Whether a password is the one that was hashed. Without a hash it is compared with nobody's, which takes as long.
    ///
    /// # Errors
    /// RATE_LIMITED if too many wait.
    pub(super) async fn check(&self, password: Secret, hash: Option<String>) -> Result<bool, Problem> {
        let (answer, answered) = oneshot::channel();
        self.send(Job::Check { password, hash, answer })?;
        answered.await.map_err(Problem::internal)
    }

    /// The hash of a password, in PHC form.
    ///
    /// # Errors
    /// RATE_LIMITED if too many wait.
    pub(super) async fn hash(&self, password: Secret, salt: [u8; 16]) -> Result<String, Problem> {
        let (answer, answered) = oneshot::channel();
        self.send(Job::Hash { password, salt, answer })?;
        answered.await.map_err(Problem::internal)?.map_err(Problem::internal)
    }

    pub(super) fn checks(&self) -> u64 {
        self.checks.load(Ordering::SeqCst)
    }

    fn send(&self, job: Job) -> Result<(), Problem> {
        self.queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Problem::rate_limited(RETRY_AFTER_MS),
            TrySendError::Disconnected(_) => Problem::internal("the threads that hash have ended"),
        })
    }
}

fn work(jobs: &Mutex<Receiver<Job>>, checks: &AtomicU64) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        // Whoever asked may have gone: then nobody takes the answer.
        match job {
            Err(_) => return,
            Ok(Job::Check { password, hash, answer }) => {
                checks.fetch_add(1, Ordering::SeqCst);
                answer.send(matches(&password, hash.as_deref())).ok();
            }
            Ok(Job::Hash { password, salt, answer }) => {
                let hashed: Result<PasswordHash, _> =
                    Argon2::default().hash_password_with_salt(password.expose().as_bytes(), &salt);
                answer.send(hashed.map(|hash| hash.to_string()).map_err(|error| error.to_string())).ok();
            }
        }
    }
}

fn matches(password: &Secret, hash: Option<&str>) -> bool {
    let hash = hash.and_then(|hash| PasswordHash::new(hash).ok());
    let verified =
        Argon2::default().verify_password(password.expose().as_bytes(), hash.as_ref().unwrap_or(&NOBODY));
    hash.is_some() && verified.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_has_the_parameters_of_nobodys_and_knows_its_password_alone() {
        let passwords = Passwords::start();
        let hash = passwords.hash(Secret::new("ocs_right"), [3; 16]).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(NOBODY.to_string().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(passwords.check(Secret::new("ocs_right"), Some(hash.clone())).await.unwrap());
        assert!(!passwords.check(Secret::new("ocs_wrong"), Some(hash)).await.unwrap());
        assert!(!passwords.check(Secret::new("ocs_right"), None).await.unwrap());
        assert_eq!(passwords.checks(), 3);
    }
}
