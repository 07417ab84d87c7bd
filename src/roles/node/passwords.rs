//! Hashing and checking passwords: argon2id on threads of their own, at low priority, behind a bounded queue.
//!
//! One at a time below four cores, two from four on. Each thread has 7 MiB while it has work, and gives them back when it
//! has had none for a minute. The salt is the request id, 128 random bits made by the asker, so that a retry through
//! another backend makes the same command.
//!
//! A hash says what it was made with, so [`TODAY`] may rise: a log-in finds that a hash is weaker, and makes it anew
//! (`credentials`).

use super::number_for_tests;
use crate::roles::failure::{Exit, Failure};
use crate::state::limits::PASSWORD_CHARS_MAX;
use argon2::password_hash::{Output, ParamsString, PasswordHash, Salt, SaltString};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use smol::channel::{self, Receiver, Sender};
use smol::future::FutureExt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// What a hash costs to make, and so to guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    pub memory_kib: u32,
    pub passes: u32,
}

/// What passwords are hashed with: the one place. Only ever made stronger.
pub const TODAY: Cost = Cost { memory_kib: 7 * 1024, passes: 5 };
const LANES: u32 = 1;
/// Jobs that wait; more are refused as busy.
pub const QUEUE_MAX: usize = 64;
/// How far the threads step back behind those that serve.
const NICENESS: i32 = 10;
/// A thread without work for this long gives its memory back.
pub const IDLE_MAX: Duration = Duration::from_secs(60);
/// What a thread asks for when it needs memory. Only [`TODAY`]'s part of it is ever touched, so only that is taken; but
/// what is larger than 32 MiB glibc keeps apart from everything else and gives back as a whole. Less would end up
/// beside what others hold, and stay: a process kept seven times as much.
const ROOM_BYTES: usize = 33 << 20;

enum Job {
    Hash { password: String, salt: [u8; 16], answer: Sender<String> },
    Check { password: String, hash: String, answer: Sender<bool> },
}

/// The queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

/// Hashes with fewer passes, as if [`TODAY`] had not been raised yet; and gives memory back sooner.
const TEST_PASSES: &str = "RIBBIT_TEST_PASSWORD_PASSES";
const TEST_IDLE_MS: &str = "RIBBIT_TEST_PASSWORD_IDLE_MS";

/// As a member does.
///
/// # Errors
/// 1: no thread can be started.
pub fn start() -> Result<Passwords, Failure> {
    let passes = number_for_tests(TEST_PASSES)?.and_then(|passes| u32::try_from(passes).ok());
    let cost = Cost { passes: passes.unwrap_or(TODAY.passes), ..TODAY };
    let idle_max = number_for_tests(TEST_IDLE_MS)?.map_or(IDLE_MAX, Duration::from_millis);
    Passwords::start(cost, idle_max)
        .map_err(|error| Failure::new(Exit::Refused, format!("no thread for passwords: {error}")))
}

#[derive(Clone)]
pub struct Passwords {
    queue: Sender<Job>,
    cost: Cost,
    /// What a log-in under an unknown name is checked against, so that it takes as long: a hash of nothing in use.
    nobody: Arc<str>,
}

impl Passwords {
    /// Threads that hash at this cost, and keep their memory this long when there is nothing to do.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(cost: Cost, idle_max: Duration) -> std::io::Result<Passwords> {
        let (queue, jobs) = channel::bounded(QUEUE_MAX);
        let threads = if thread::available_parallelism().map_or(1, usize::from) < 4 { 1 } else { 2 };
        for number in 0..threads {
            let jobs: Receiver<Job> = jobs.clone();
            thread::Builder::new().name(format!("password-{number}")).spawn(move || {
                // Refused where the system does not allow it: then they run like the rest.
                let _ = rustix::process::nice(NICENESS);
                let mut hashing = Hashing::new(cost);
                while let Some(job) = hashing.next(&jobs, idle_max) {
                    hashing.work(job);
                }
            })?;
        }
        let nobody = phc(cost, [0; 16], &[0; Params::DEFAULT_OUTPUT_LEN]).into();
        Ok(Passwords { queue, cost, nobody })
    }

    /// The PHC string of a password.
    ///
    /// # Errors
    /// `Busy`: ask again later.
    pub async fn hash(&self, password: String, salt: u128) -> Result<String, Busy> {
        let (answer, hashed) = channel::bounded(1);
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
        let (answer, checked) = channel::bounded(1);
        let hash = hash.unwrap_or_else(|| self.nobody.to_string());
        self.queue.try_send(Job::Check { password, hash, answer }).map_err(|_| Busy)?;
        Ok(checked.recv().await.map_err(|_| Busy)? && exists)
    }

    /// Whether this hash cost less than one that is made now, and in nothing more.
    pub fn is_weaker(&self, hash: &str) -> bool {
        PasswordHash::new(hash).ok().and_then(|hash| cost_of(&hash)).is_some_and(|cost| {
            let Cost { memory_kib, passes } = self.cost;
            cost != self.cost && cost.memory_kib <= memory_kib && cost.passes <= passes
        })
    }
}

/// What a hash was made with, if it is one that we know how to make.
fn cost_of(hash: &PasswordHash<'_>) -> Option<Cost> {
    let ours = hash.algorithm == ARGON2ID_IDENT
        && hash.version == Some(Version::V0x13.into())
        && hash.hash.is_some_and(|hash| hash.len() == Params::DEFAULT_OUTPUT_LEN);
    let params = ours.then(|| Params::try_from(hash).ok()).flatten()?;
    (params.p_cost() == LANES).then(|| Cost { memory_kib: params.m_cost(), passes: params.t_cost() })
}

fn argon2(cost: Cost) -> Option<Argon2<'static>> {
    let params = Params::new(cost.memory_kib, cost.passes, LANES, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn phc(cost: Cost, salt: [u8; 16], output: &[u8]) -> String {
    let salt = SaltString::encode_b64(&salt).expect("sixteen bytes are a salt");
    let output = Output::new(output).expect("argon2's output is one");
    let argon2 = argon2(cost).expect("what passwords are hashed with is within argon2's bounds");
    let params = ParamsString::try_from(argon2.params()).expect("our parameters have words");
    let version = Some(Version::V0x13.into());
    let (salt, hash) = (Some(salt.as_salt()), Some(output));
    PasswordHash { algorithm: ARGON2ID_IDENT, version, params, salt, hash }.to_string()
}

/// One thread's means.
struct Hashing {
    cost: Cost,
    /// Without any capacity while there is nothing to do.
    room: Vec<Block>,
}

impl Hashing {
    fn new(cost: Cost) -> Hashing {
        Hashing { cost, room: Vec::new() }
    }

    /// The next job. Nothing when nobody is left who could ask.
    fn next(&mut self, jobs: &Receiver<Job>, idle_max: Duration) -> Option<Job> {
        if self.room.capacity() > 0 {
            let idle = async {
                smol::Timer::after(idle_max).await;
                None
            };
            match smol::block_on(async { Some(jobs.recv().await) }.or(idle)) {
                Some(job) => return job.ok(),
                None => self.room = Vec::new(),
            }
        }
        jobs.recv_blocking().ok()
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
        let output = self.output(self.cost, password, &salt).expect("a password within our bounds hashes");
        phc(self.cost, salt, output.as_bytes())
    }

    /// Checks at the cost that the hash was made with.
    fn fits(&mut self, password: &str, hash: &PasswordHash<'_>) -> bool {
        let (Some(cost), Some(salt), Some(expected)) = (cost_of(hash), hash.salt, hash.hash) else {
            return false;
        };
        let mut bytes = [0; Salt::MAX_LENGTH];
        let Ok(salt) = salt.decode_b64(&mut bytes) else { return false };
        // Compared in constant time.
        self.output(cost, password, salt).is_some_and(|output| output == expected)
    }

    fn output(&mut self, cost: Cost, password: &str, salt: &[u8]) -> Option<Output> {
        let argon2 = argon2(cost)?;
        if self.room.capacity() == 0 {
            self.room = Vec::with_capacity(ROOM_BYTES / size_of::<Block>());
        }
        self.room.resize(argon2.params().block_count(), Block::default());
        let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
        argon2.hash_password_into_with_memory(password.as_bytes(), salt, &mut output, &mut self.room).ok()?;
        Output::new(&output).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn started() -> Passwords {
        Passwords::start(TODAY, IDLE_MAX).unwrap()
    }

    #[test]
    fn what_nobody_waits_for_is_not_worked_on() {
        smol::block_on(async {
            let passwords = started();
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
        let mut hashing = Hashing::new(TODAY);
        let salt = SaltString::encode_b64(&[7; 16]).unwrap();
        let theirs = argon2(TODAY).unwrap().hash_password(b"correct horse", &salt).unwrap().to_string();
        // Twice: what the room holds from before makes no difference.
        assert_eq!(hashing.hash("correct horse", [7; 16]), theirs);
        assert_eq!(hashing.hash("correct horse", [7; 16]), theirs);
        let weak = argon2(Cost { memory_kib: 64, passes: 1 }).unwrap();
        let weak = weak.hash_password(b"correct horse", &salt).unwrap();
        assert!(hashing.fits("correct horse", &weak) && !hashing.fits("correct hors", &weak));
    }

    #[test]
    fn a_hash_that_cost_less_is_weaker_and_no_other() {
        let passwords = started();
        let made = |memory_kib, passes| phc(Cost { memory_kib, passes }, [7; 16], &[1; 32]);
        let Cost { memory_kib, passes } = TODAY;
        for weaker in [made(memory_kib - 1, passes), made(memory_kib, passes - 1), made(64, 1)] {
            assert!(passwords.is_weaker(&weaker), "{weaker}");
        }
        let same = made(memory_kib, passes);
        // What a newer version made, or what is stronger in one thing, is left as it is.
        for other in [&same, &made(memory_kib + 1, 1), &made(64, passes + 1), "", "$argon2id$", "hash"] {
            assert!(!passwords.is_weaker(other), "{other}");
        }
        assert!(!passwords.is_weaker(&same.replace("argon2id", "argon2i")), "not ours");
    }

    /// Counted, not timed: a log-in under an unknown name is checked against a hash that costs as much.
    #[test]
    fn nobody_costs_as_much_as_somebody() {
        let passwords = started();
        let nobody = PasswordHash::new(&passwords.nobody).unwrap();
        assert_eq!(cost_of(&nobody), Some(TODAY));
        let mut hashing = Hashing::new(TODAY);
        assert!(!hashing.fits("password", &nobody));
        assert!(
            hashing.room.iter().any(|block| block.as_ref().iter().any(|word| *word != 0)),
            "it was worked on"
        );
    }

    #[test]
    fn a_full_queue_refuses_at_once() {
        let passwords = started();
        let asked: Vec<_> = (0..2 * QUEUE_MAX)
            .map(|_| {
                let mut asked = Box::pin(passwords.hash("password".into(), 7));
                let answer = smol::block_on(smol::future::poll_once(&mut asked));
                (answer, asked)
            })
            .collect();
        let busy = asked.iter().filter(|(answer, _)| *answer == Some(Err(Busy))).count();
        // Some were worked on meanwhile; nobody else found a place.
        assert!(busy > 0, "none of {} was refused", asked.len());
        assert!(asked.iter().all(|(answer, _)| matches!(answer, None | Some(Err(Busy)))));
    }

    #[test]
    fn who_has_nothing_to_do_has_no_memory() {
        let (queue, jobs) = channel::bounded(1);
        let mut hashing = Hashing::new(TODAY);
        hashing.hash("password", [7; 16]);
        assert!(hashing.room.capacity() * size_of::<Block>() > 32 << 20);
        let (answer, _hashed) = channel::bounded(1);
        let later = thread::spawn(move || {
            // Only once the room is empty does the other side wait without a limit: then this is heard.
            thread::sleep(Duration::from_millis(50));
            let _ = queue.send_blocking(Job::Hash { password: "again".into(), salt: [7; 16], answer });
        });
        assert!(hashing.next(&jobs, Duration::from_millis(1)).is_some());
        assert_eq!(hashing.room.capacity(), 0);
        later.join().unwrap();
        assert!(hashing.next(&jobs, IDLE_MAX).is_none(), "nobody is left to ask");
    }

    #[test]
    fn passwords_are_worked_on_at_low_priority() {
        let passwords = started();
        smol::block_on(passwords.hash("password".into(), 7)).unwrap();
        let threads = std::fs::read_dir("/proc/self/task").unwrap();
        let stat = |entry: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(entry.ok()?.path().join("stat")).ok()
        };
        let niceness: Vec<String> = threads
            .filter_map(stat)
            .filter(|stat| stat.contains("(password-0)"))
            .filter_map(|stat| Some(stat.rsplit_once(')')?.1.split_whitespace().nth(16)?.to_string()))
            .collect();
        assert!(
            !niceness.is_empty() && niceness.iter().any(|nice| *nice == NICENESS.to_string()),
            "{niceness:?}"
        );
    }

    #[test]
    fn a_password_fits_its_hash_and_no_other() {
        smol::block_on(async {
            let passwords = started();
            let hash = passwords.hash("correct horse".into(), 7).await.unwrap();
            assert!(hash.starts_with("$argon2id$v=19$m=7168,t=5,p=1$"), "{hash}");
            assert_eq!(hash, passwords.hash("correct horse".into(), 7).await.unwrap());
            assert!(passwords.check("correct horse".into(), Some(hash.clone())).await.unwrap());
            assert!(!passwords.check("correct hors".into(), Some(hash)).await.unwrap());
            assert!(!passwords.check("correct horse".into(), None).await.unwrap());
        });
    }
}
