//! Hashing and checking passwords: argon2id on threads of their own, at low priority, behind a bounded queue.
//!
//! One at a time below four cores, two from four on. 7 MiB each while it works, nothing while idle. The salt is
//! the request id, 128 random bits made by the asker, so that a retry through another backend makes the same
//! command.

use crate::state::limits::PASSWORD_CHARS_MAX;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use smol::channel::Sender;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread;

const MEMORY_KIB: u32 = 7 * 1024;
const PASSES: u32 = 5;
const LANES: u32 = 1;
/// Jobs that wait; more are refused as busy.
const QUEUE_MAX: usize = 64;
/// How far the threads step back behind those that serve.
const NICENESS: i32 = 10;
/// What a log-in under an unknown name is checked against, so that it takes as long: a hash of nothing in use.
const NOBODY: &str =
    "$argon2id$v=19$m=7168,t=5,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

enum Job {
    Hash { password: String, salt: [u8; 16], answer: Sender<String> },
    Check { password: String, hash: String, answer: Sender<bool> },
}

/// The queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

#[derive(Clone)]
pub struct Passwords {
    queue: SyncSender<Job>,
}

impl Passwords {
    /// # Errors
    /// No thread can be started.
    pub fn start() -> std::io::Result<Passwords> {
        let (queue, jobs) = mpsc::sync_channel(QUEUE_MAX);
        let jobs = Arc::new(Mutex::new(jobs));
        let threads = if thread::available_parallelism().map_or(1, usize::from) < 4 { 1 } else { 2 };
        for number in 0..threads {
            let jobs: Arc<Mutex<mpsc::Receiver<Job>>> = jobs.clone();
            thread::Builder::new().name(format!("password-{number}")).spawn(move || {
                // Refused where the system does not allow it: then they run like the rest.
                let _ = rustix::process::nice(NICENESS);
                loop {
                    let job = jobs.lock().expect("nobody panics while it holds this lock").recv();
                    match job {
                        Ok(job) => work(job),
                        Err(_) => return,
                    }
                }
            })?;
        }
        Ok(Passwords { queue })
    }

    /// The PHC string of a password.
    ///
    /// # Errors
    /// `Busy`: ask again later.
    pub async fn hash(&self, password: String, salt: u128) -> Result<String, Busy> {
        let (answer, hashed) = smol::channel::bounded(1);
        self.queue.try_send(Job::Hash { password, salt: salt.to_be_bytes(), answer }).map_err(|_| Busy)?;
        hashed.recv().await.map_err(|_| Busy)
    }

    /// Whether the password is the one of this PHC string; as slow when there is no such account.
    ///
    /// # Errors
    /// `Busy`: ask again later.
    pub async fn check(&self, password: String, hash: Option<String>) -> Result<bool, Busy> {
        if password.len() > 4 * PASSWORD_CHARS_MAX {
            return Ok(false); // nobody's: not worth a place in memory
        }
        let exists = hash.is_some();
        let (answer, checked) = smol::channel::bounded(1);
        let hash = hash.unwrap_or_else(|| NOBODY.to_string());
        self.queue.try_send(Job::Check { password, hash, answer }).map_err(|_| Busy)?;
        Ok(checked.recv().await.map_err(|_| Busy)? && exists)
    }
}

fn hasher() -> Argon2<'static> {
    let params =
        Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are within argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn work(job: Job) {
    match job {
        // Whoever asked has given up, and asks again: done for nobody, it would only make that one wait too.
        Job::Hash { answer, .. } if answer.is_closed() => {}
        Job::Check { answer, .. } if answer.is_closed() => {}
        Job::Hash { password, salt, answer } => {
            let salt = SaltString::encode_b64(&salt).expect("sixteen bytes are a salt");
            let hash = hasher()
                .hash_password(password.as_bytes(), &salt)
                .expect("a password within our bounds hashes");
            // Whoever asked may be gone.
            let _ = answer.try_send(hash.to_string());
        }
        Job::Check { password, hash, answer } => {
            let fits = PasswordHash::new(&hash)
                .is_ok_and(|hash| hasher().verify_password(password.as_bytes(), &hash).is_ok());
            let _ = answer.try_send(fits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn what_nobody_waits_for_is_not_worked_on() {
        smol::block_on(async {
            let passwords = Passwords::start().unwrap();
            let begin = Instant::now();
            passwords.hash("how long one takes".into(), 7).await.unwrap();
            let one = begin.elapsed();
            for _ in 0..QUEUE_MAX - 1 {
                let given_up = passwords.hash("nobody waits".into(), 7);
                let _ = smol::future::poll_once(given_up).await;
            }
            passwords.hash("somebody does".into(), 7).await.unwrap();
            assert!(begin.elapsed() < one * 20, "{:?} of {one:?} each", begin.elapsed());
        });
    }

    #[test]
    fn a_password_fits_its_hash_and_no_other() {
        smol::block_on(async {
            let passwords = Passwords::start().unwrap();
            let hash = passwords.hash("correct horse".into(), 7).await.unwrap();
            assert!(hash.starts_with("$argon2id$v=19$m=7168,t=5,p=1$"), "{hash}");
            assert_eq!(hash, passwords.hash("correct horse".into(), 7).await.unwrap());
            assert!(passwords.check("correct horse".into(), Some(hash.clone())).await.unwrap());
            assert!(!passwords.check("correct hors".into(), Some(hash)).await.unwrap());
            assert!(!passwords.check("correct horse".into(), None).await.unwrap());
        });
        assert!(PasswordHash::new(NOBODY).is_ok());
    }
}
