//! Hashing and checking passwords: argon2id on threads of their own, at low priority, behind a bounded queue.
//!
//! One at a time below four cores, two from four on. Each thread has 7 MiB from its first password on, and keeps them:
//! asked for anew each time they end up beside the last ones, and a process stays at seven times as much. The salt is
//! the request id, 128 random bits made by the asker, so that a retry through another backend makes the same command.

use crate::state::limits::PASSWORD_CHARS_MAX;
use argon2::password_hash::{Output, ParamsString, PasswordHash, PasswordVerifier, Salt, SaltString};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
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
                let mut hashing = Hashing::new();
                loop {
                    let job = jobs.lock().expect("nobody panics while it holds this lock").recv();
                    match job {
                        Ok(job) => hashing.work(job),
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

/// One thread's means.
struct Hashing {
    argon2: Argon2<'static>,
    /// Empty before the first password.
    room: Vec<Block>,
}

impl Hashing {
    fn new() -> Hashing {
        let params =
            Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are within argon2's bounds");
        Hashing { argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params), room: Vec::new() }
    }

    fn work(&mut self, job: Job) {
        match job {
            // Whoever asked has given up, and asks again: done for nobody, it would only make that one wait too.
            Job::Hash { answer, .. } if answer.is_closed() => {}
            Job::Check { answer, .. } if answer.is_closed() => {}
            Job::Hash { password, salt, answer } => {
                // Whoever asked may be gone.
                let _ = answer.try_send(self.hash(&password, salt));
            }
            Job::Check { password, hash, answer } => {
                let fits = PasswordHash::new(&hash).is_ok_and(|hash| self.fits(&password, &hash));
                let _ = answer.try_send(fits);
            }
        }
    }

    fn hash(&mut self, password: &str, salt: [u8; 16]) -> String {
        let salt = SaltString::encode_b64(&salt).expect("sixteen bytes are a salt");
        let output = self.output(password, salt.as_salt()).expect("a password within our bounds hashes");
        let params = ParamsString::try_from(self.argon2.params()).expect("our parameters have words");
        let version = Some(Version::V0x13.into());
        let (salt, hash) = (Some(salt.as_salt()), Some(output));
        PasswordHash { algorithm: ARGON2ID_IDENT, version, params, salt, hash }.to_string()
    }

    fn fits(&mut self, password: &str, hash: &PasswordHash<'_>) -> bool {
        let (Some(salt), Some(expected)) = (hash.salt, &hash.hash) else { return false };
        if self.makes(hash) {
            return self.output(password, salt).is_some_and(|output| output == *expected);
        }
        // Made with other parameters than ours: it says which.
        self.argon2.verify_password(password.as_bytes(), hash).is_ok()
    }

    /// Whether such a hash is made with our parameters.
    fn makes(&self, hash: &PasswordHash<'_>) -> bool {
        let ours = self.argon2.params();
        hash.algorithm == ARGON2ID_IDENT
            && hash.version == Some(Version::V0x13.into())
            && hash.hash.is_some_and(|hash| hash.len() == Params::DEFAULT_OUTPUT_LEN)
            && Params::try_from(hash).is_ok_and(|it| {
                (it.m_cost(), it.t_cost(), it.p_cost()) == (ours.m_cost(), ours.t_cost(), ours.p_cost())
            })
    }

    fn output(&mut self, password: &str, salt: Salt<'_>) -> Option<Output> {
        let mut bytes = [0; Salt::MAX_LENGTH];
        let salt = salt.decode_b64(&mut bytes).ok()?;
        self.room.resize(self.argon2.params().block_count(), Block::default());
        let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
        let hashed = self.argon2.hash_password_into_with_memory(
            password.as_bytes(),
            salt,
            &mut output,
            &mut self.room,
        );
        hashed.ok()?;
        Output::new(&output).ok()
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
    fn the_hash_is_the_one_that_the_library_makes() {
        use argon2::password_hash::PasswordHasher;
        let mut hashing = Hashing::new();
        let salt = SaltString::encode_b64(&[7; 16]).unwrap();
        let theirs = hashing.argon2.hash_password(b"correct horse", &salt).unwrap().to_string();
        // Twice: what the room holds from before makes no difference.
        assert_eq!(hashing.hash("correct horse", [7; 16]), theirs);
        assert_eq!(hashing.hash("correct horse", [7; 16]), theirs);
        assert!(hashing.makes(&PasswordHash::new(&theirs).unwrap()));
        let other = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
        let other = other.hash_password(b"correct horse", &salt).unwrap();
        assert!(!hashing.makes(&other));
        assert!(hashing.fits("correct horse", &other) && !hashing.fits("correct hors", &other));
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
