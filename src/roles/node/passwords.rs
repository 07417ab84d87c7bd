//! Password hashing: argon2id on dedicated low-priority threads behind a bounded queue.
//!
//! There is one thread below four cores, two from four cores on. Each thread uses 7 MiB while it works and releases them
//! after a minute without work. The salt is the request id, 128 random bits chosen by the client, so that a retry through
//! another backend produces the same command.
//!
//! A hash contains its own cost parameters, so [`CURRENT_COST`] may be raised: the next log-in finds that the stored hash is
//! weaker and replaces it (`credentials`).

use super::low_priority;
use crate::common::failure::{Exit, Failure};
use crate::common::test_hooks;
use argon2::password_hash::{Output, ParamsString, PasswordHash, Salt, SaltString};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use ribbit_state::limits::PASSWORD_CHARS_MAX;
use smol::channel::{self, Receiver, Sender};
use smol::future::FutureExt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Argon2id cost parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HashCost {
    pub(crate) memory_kib: u32,
    pub(crate) passes: u32,
}

/// Cost of new password hashes. May only be raised.
pub(crate) const CURRENT_COST: HashCost = HashCost { memory_kib: 7 * 1024, passes: 5 };

/// Degree of parallelism of argon2.
const LANES: u32 = 1;

/// Maximum number of waiting jobs. Further ones are refused as busy.
pub(crate) const QUEUE_MAX: usize = 64;

/// Time without work after which a thread releases its memory.
pub(crate) const IDLE_MAX: Duration = Duration::from_secs(60);

/// Size of a thread's work buffer. Only the part that [`CURRENT_COST`] needs is ever touched, so the kernel provides only that.
/// glibc maps allocations of more than 32 MiB separately and unmaps them as a whole. A smaller buffer would lie among other
/// allocations and stay resident: a process kept seven times as much memory.
const BUFFER_BYTES: usize = 33 << 20;

/// A job for the hashing threads.
enum HashJob {
    Hash { password: String, salt: [u8; 16], answer: Sender<String> },
    Check { password: String, hash: String, answer: Sender<bool> },
}

/// Error: the queue is full, or its threads are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

/// Test hook: number of passes for new hashes, as if [`CURRENT_COST`] had not been raised yet.
const TEST_PASSES: &str = "PASSWORD_PASSES";
/// Test hook: [`IDLE_MAX`] in milliseconds.
const TEST_IDLE_MS: &str = "PASSWORD_IDLE_MS";

/// Starts the hashing threads with the cost of a running member.
///
/// # Errors
/// `Refused` when a thread cannot be started, `Configuration` when a test hook's value is not a number.
pub(crate) fn start() -> Result<PasswordHasher, Failure> {
    let passes = test_hooks::number(TEST_PASSES)?.and_then(|passes| u32::try_from(passes).ok());
    let cost = HashCost { passes: passes.unwrap_or(CURRENT_COST.passes), ..CURRENT_COST };
    let idle_max = test_hooks::number(TEST_IDLE_MS)?.map_or(IDLE_MAX, Duration::from_millis);
    PasswordHasher::start(cost, idle_max)
        .map_err(|error| Failure::new(Exit::Refused, format!("cannot start a thread for passwords: {error}")))
}

/// Handle of the hashing threads.
#[derive(Clone)]
pub(crate) struct PasswordHasher {
    queue: Sender<HashJob>,
    cost: HashCost,
    /// Hash that matches no password, for log-ins under an unknown name: they take as long as others.
    dummy_hash: Arc<str>,
}

impl PasswordHasher {
    /// Starts the threads. `idle_max`: time without work after which a thread releases its memory.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub(crate) fn start(cost: HashCost, idle_max: Duration) -> std::io::Result<PasswordHasher> {
        let (queue, jobs) = channel::bounded(QUEUE_MAX);
        let threads = if thread::available_parallelism().map_or(1, usize::from) < 4 { 1 } else { 2 };
        for number in 0..threads {
            let jobs: Receiver<HashJob> = jobs.clone();
            low_priority::spawn(format!("password-{number}"), move || {
                let mut worker = HashWorker::new(cost);
                while let Some(job) = worker.next(&jobs, idle_max) {
                    worker.work(job);
                }
            })?;
        }
        let dummy_hash = phc(cost, [0; 16], &[0; Params::DEFAULT_OUTPUT_LEN]).into();
        Ok(PasswordHasher { queue, cost, dummy_hash })
    }

    /// Hashes a password and returns the PHC string.
    ///
    /// # Errors
    /// `Busy` when the queue is full.
    pub(crate) async fn hash(&self, password: String, salt: u128) -> Result<String, Busy> {
        let (answer, hashed) = channel::bounded(1);
        self.queue
            .try_send(HashJob::Hash { password, salt: salt.to_be_bytes(), answer })
            .map_err(|_| Busy)?;
        hashed.recv().await.map_err(|_| Busy)
    }

    /// Checks a password against a PHC string. Without a hash (an unknown account) it takes as long and returns false.
    ///
    /// # Errors
    /// `Busy` when the queue is full.
    pub(crate) async fn check(&self, password: String, hash: Option<String>) -> Result<bool, Busy> {
        if password.len() > 4 * PASSWORD_CHARS_MAX {
            return Ok(false); // longer than any password: not worth a place in the queue
        }
        let exists = hash.is_some();
        let (answer, checked) = channel::bounded(1);
        let hash = hash.unwrap_or_else(|| self.dummy_hash.to_string());
        self.queue.try_send(HashJob::Check { password, hash, answer }).map_err(|_| Busy)?;
        Ok(checked.recv().await.map_err(|_| Busy)? && exists)
    }

    /// Returns true if this hash was made at a lower cost than new ones, with no parameter above today's.
    pub(crate) fn is_weaker(&self, hash: &str) -> bool {
        PasswordHash::new(hash).ok().and_then(|hash| cost_of(&hash)).is_some_and(|cost| {
            let HashCost { memory_kib, passes } = self.cost;
            cost != self.cost && cost.memory_kib <= memory_kib && cost.passes <= passes
        })
    }
}

/// Returns the cost parameters of a hash, or `None` if it is not an argon2id hash of the kind made here.
fn cost_of(hash: &PasswordHash<'_>) -> Option<HashCost> {
    let ours = hash.algorithm == ARGON2ID_IDENT
        && hash.version == Some(Version::V0x13.into())
        && hash.hash.is_some_and(|hash| hash.len() == Params::DEFAULT_OUTPUT_LEN);
    let params = ours.then(|| Params::try_from(hash).ok()).flatten()?;
    (params.p_cost() == LANES).then(|| HashCost { memory_kib: params.m_cost(), passes: params.t_cost() })
}

fn argon2(cost: HashCost) -> Option<Argon2<'static>> {
    let params = Params::new(cost.memory_kib, cost.passes, LANES, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Formats a hash as a PHC string.
fn phc(cost: HashCost, salt: [u8; 16], output: &[u8]) -> String {
    let salt = SaltString::encode_b64(&salt).expect("sixteen bytes are a valid salt");
    let output = Output::new(output).expect("argon2's output is a valid PHC output");
    let argon2 = argon2(cost).expect("the cost is within argon2's bounds");
    let params = ParamsString::try_from(argon2.params()).expect("the parameters can be formatted");
    let version = Some(Version::V0x13.into());
    let (salt, hash) = (Some(salt.as_salt()), Some(output));
    PasswordHash { algorithm: ARGON2ID_IDENT, version, params, salt, hash }.to_string()
}

/// State of one hashing thread.
struct HashWorker {
    cost: HashCost,
    /// Work buffer, without any capacity while the thread is idle.
    buffer: Vec<Block>,
}

impl HashWorker {
    fn new(cost: HashCost) -> HashWorker {
        HashWorker { cost, buffer: Vec::new() }
    }

    /// Waits for the next job. Returns `None` once all handles are dropped.
    fn next(&mut self, jobs: &Receiver<HashJob>, idle_max: Duration) -> Option<HashJob> {
        if self.buffer.capacity() > 0 {
            let idle = async {
                smol::Timer::after(idle_max).await;
                None
            };
            match smol::future::block_on(async { Some(jobs.recv().await) }.or(idle)) {
                Some(job) => return job.ok(),
                None => self.buffer = Vec::new(),
            }
        }
        jobs.recv_blocking().ok()
    }

    fn work(&mut self, job: HashJob) {
        match job {
            // The caller has given up and may retry: hashing now would only delay the retry.
            HashJob::Hash { answer, .. } if answer.is_closed() => {}
            HashJob::Check { answer, .. } if answer.is_closed() => {}
            HashJob::Hash { password, salt, answer } => {
                // The caller may be gone.
                let _ = answer.try_send(self.hash(&password, salt));
            }
            HashJob::Check { password, hash, answer } => {
                let fits = PasswordHash::new(&hash).is_ok_and(|hash| self.fits(&password, &hash));
                let _ = answer.try_send(fits);
            }
        }
    }

    fn hash(&mut self, password: &str, salt: [u8; 16]) -> String {
        let output =
            self.output(self.cost, password, &salt).expect("a password within its bounds can be hashed");
        phc(self.cost, salt, output.as_bytes())
    }

    /// Checks a password at the cost of the given hash.
    fn fits(&mut self, password: &str, hash: &PasswordHash<'_>) -> bool {
        let (Some(cost), Some(salt), Some(expected)) = (cost_of(hash), hash.salt, hash.hash) else {
            return false;
        };
        let mut bytes = [0; Salt::MAX_LENGTH];
        let Ok(salt) = salt.decode_b64(&mut bytes) else { return false };
        // `Output` compares in constant time.
        self.output(cost, password, salt).is_some_and(|output| output == expected)
    }

    fn output(&mut self, cost: HashCost, password: &str, salt: &[u8]) -> Option<Output> {
        let argon2 = argon2(cost)?;
        if self.buffer.capacity() == 0 {
            self.buffer = Vec::with_capacity(BUFFER_BYTES / size_of::<Block>());
        }
        self.buffer.resize(argon2.params().block_count(), Block::default());
        let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
        argon2
            .hash_password_into_with_memory(password.as_bytes(), salt, &mut output, &mut self.buffer)
            .ok()?;
        Output::new(&output).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn started() -> PasswordHasher {
        PasswordHasher::start(CURRENT_COST, IDLE_MAX).unwrap()
    }

    #[test]
    fn jobs_of_callers_that_gave_up_are_skipped() {
        smol::block_on(async {
            let passwords = started();
            let begin = Instant::now();
            passwords.hash("how long one takes".into(), 7).await.unwrap();
            let one = begin.elapsed();
            for _ in 0..QUEUE_MAX - 1 {
                let given_up = passwords.hash("given up".into(), 7);
                let _ = smol::future::poll_once(given_up).await;
            }
            passwords.hash("still waiting".into(), 7).await.unwrap();
            assert!(begin.elapsed() < one * 20, "{:?} of {one:?} each", begin.elapsed());
        });
    }

    #[test]
    fn the_hash_equals_the_one_made_by_the_library() {
        use argon2::password_hash::PasswordHasher;
        let mut worker = HashWorker::new(CURRENT_COST);
        let salt = SaltString::encode_b64(&[7; 16]).unwrap();
        let theirs =
            argon2(CURRENT_COST).unwrap().hash_password(b"correct horse", &salt).unwrap().to_string();
        // Twice: old content of the work buffer makes no difference.
        assert_eq!(worker.hash("correct horse", [7; 16]), theirs);
        assert_eq!(worker.hash("correct horse", [7; 16]), theirs);
        let weak = argon2(HashCost { memory_kib: 64, passes: 1 }).unwrap();
        let weak = weak.hash_password(b"correct horse", &salt).unwrap();
        assert!(worker.fits("correct horse", &weak) && !worker.fits("correct hors", &weak));
    }

    #[test]
    fn only_a_hash_of_lower_cost_is_weaker() {
        let passwords = started();
        let made = |memory_kib, passes| phc(HashCost { memory_kib, passes }, [7; 16], &[1; 32]);
        let HashCost { memory_kib, passes } = CURRENT_COST;
        for weaker in [made(memory_kib - 1, passes), made(memory_kib, passes - 1), made(64, 1)] {
            assert!(passwords.is_weaker(&weaker), "{weaker}");
        }
        let same = made(memory_kib, passes);
        // A hash of a newer version, or one with a stronger parameter, is kept.
        for other in [&same, &made(memory_kib + 1, 1), &made(64, passes + 1), "", "$argon2id$", "hash"] {
            assert!(!passwords.is_weaker(other), "{other}");
        }
        assert!(!passwords.is_weaker(&same.replace("argon2id", "argon2i")), "another algorithm");
    }

    /// Compares costs, not times: a log-in under an unknown name is checked against a hash of the same cost.
    #[test]
    fn an_unknown_name_costs_as_much_as_a_known_one() {
        let passwords = started();
        let dummy_hash = PasswordHash::new(&passwords.dummy_hash).unwrap();
        assert_eq!(cost_of(&dummy_hash), Some(CURRENT_COST));
        let mut worker = HashWorker::new(CURRENT_COST);
        assert!(!worker.fits("password", &dummy_hash));
        assert!(
            worker.buffer.iter().any(|block| block.as_ref().iter().any(|word| *word != 0)),
            "the password was hashed"
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
        // Some were processed meanwhile; all others were refused.
        assert!(busy > 0, "none of {} was refused", asked.len());
        assert!(asked.iter().all(|(answer, _)| matches!(answer, None | Some(Err(Busy)))));
    }

    #[test]
    fn an_idle_thread_releases_its_memory() {
        let (queue, jobs) = channel::bounded(1);
        let mut worker = HashWorker::new(CURRENT_COST);
        worker.hash("password", [7; 16]);
        assert!(worker.buffer.capacity() * size_of::<Block>() > 32 << 20);
        let (answer, _hashed) = channel::bounded(1);
        let later = thread::spawn(move || {
            // Sent after the idle limit, so that the other side has released its buffer and waits without a limit.
            thread::sleep(Duration::from_millis(50));
            let _ = queue.send_blocking(HashJob::Hash { password: "again".into(), salt: [7; 16], answer });
        });
        assert!(worker.next(&jobs, Duration::from_millis(1)).is_some());
        assert_eq!(worker.buffer.capacity(), 0);
        later.join().unwrap();
        assert!(worker.next(&jobs, IDLE_MAX).is_none(), "no handle is left");
    }

    #[test]
    fn hashing_threads_have_low_priority() {
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
            !niceness.is_empty() && niceness.iter().any(|nice| *nice == low_priority::NICENESS.to_string()),
            "{niceness:?}"
        );
    }

    #[test]
    fn a_password_matches_its_own_hash_only() {
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
