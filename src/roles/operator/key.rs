//! `ribbit key`: prints the cluster's public key, with which clients authenticate its servers; `key rotate` replaces the cluster's
//! key, and `key status` shows which key each member has.
//!
//! A rotation writes the new key to the cluster file first, then hands it to the members, and waits until the cluster refuses the old
//! one. Each step can be repeated: a second `key rotate` goes on where the first one was interrupted. The members complete a rotation
//! by themselves once one of them has the key ([`crate::node`]).

use crate::common::cluster_file::ClusterFile;
use crate::common::cluster_selection::{ClusterAccess, in_cluster_file, in_data_dir, keys_of, path_to_ask};
use crate::common::discovery::DiscoveryArgs;
use crate::common::failure::{Exit, Failure};
use crate::common::output;
use crate::common::survey::reached;
use crate::common::values;
use crate::common::write_file;
use crate::operator::backup::encryption;
use crate::operator::user::Operator;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Subcommand};
use ribbit_net::frame::Plane;
use ribbit_net::key_ring::{ClusterKey, KeyRing};
use ribbit_net::keys::Keys;
use ribbit_net::oneshot::ask_once;
use ribbit_net::protocol::{Answer, Ask};
use ribbit_net::secret;
use ribbit_net::survey::MemberView;
use ribbit_state::KeyId;
use ribbit_state::command::UnreplicatedAct;
use serde::Serialize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Arguments of `key`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    pub verb: Option<KeyVerb>,
    #[command(flatten)]
    pub file: KeyFileArgs,
}

/// Flags that select the cluster file.
#[derive(Debug, Args)]
pub(crate) struct KeyFileArgs {
    /// Folder of the cluster file [default: ribbit-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Cluster file [default: cluster.ribbit in the data folder]
    #[arg(long, value_name = "FILE")]
    pub cluster_file: Option<PathBuf>,
}

/// Verbs of `key`.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyVerb {
    /// Replace the cluster's key, while it runs
    #[command(after_help = ROTATE_HELP)]
    Rotate(KeyRotateArgs),
    /// Show which key each member has
    #[command(after_help = STATUS_HELP)]
    Status(KeyStatusArgs),
    /// Create a key that decrypts backups
    #[command(after_help = FOR_BACKUPS_HELP)]
    ForBackups(BackupKeyArgs),
}

/// Arguments of `key for-backups`.
#[derive(Debug, Args)]
pub(crate) struct BackupKeyArgs {
    /// File to create for the secret key
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Arguments of `key rotate`.
#[derive(Debug, Args)]
pub(crate) struct KeyRotateArgs {
    /// Time to wait for members that do not have the new key yet
    #[arg(long, value_name = "TIME", default_value = WAIT, value_parser = values::span)]
    pub wait: Duration,
    #[command(flatten)]
    pub file: KeyFileArgs,
}

/// Arguments of `key status`.
#[derive(Debug, Args)]
pub(crate) struct KeyStatusArgs {
    /// Print JSON
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub json: bool,
    #[command(flatten)]
    pub file: KeyFileArgs,
}

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
The public key is not secret. Clients and web processes without a cluster file
use it to authenticate the servers:
  ribbit client web --server board1:8081 --public-key $(ssh board1 ribbit key)

Without it, they trust the key of the first server they connect to and refuse
any other key from then on, except one that this key vouches for.";

/// Text below the flags in `--help`.
const ROTATE_HELP: &str = "\
Examples:
  ribbit key rotate
  ribbit key rotate --cluster-file frogs.ribbit

Run it on the machine whose cluster file you copy to others. It changes that
file, hands the new key to the members, and waits until the old one is refused.
Both are valid until then. Run it again to continue after an interruption.

If a card was stolen, first remove its members: ribbit member remove backend-3";

/// Text below the flags in `--help`.
const STATUS_HELP: &str = "\
Examples:
  ribbit key status
  ribbit key status --json";

/// Text below the flags in `--help`.
const FOR_BACKUPS_HELP: &str = "\
Examples:
  ribbit key for-backups backup.key
  ribbit backup ribbit.backup --recipient age1…
  ribbit restore ribbit.backup --key backup.key

Prints the public key, which encrypts backups (`ribbit backup --recipient`) and is
not secret. The file has the secret key, which decrypts them: keep it on a computer
that is no board, and a copy on paper. The program `age` uses it, too.";

/// Default of `--wait`.
const WAIT: &str = "45s";
/// Pause between two looks at the members.
const LOOK: Duration = Duration::from_millis(500);
/// Time limit of handing the key to one member.
const HAND_MAX: Duration = Duration::from_secs(5);

/// Prints the public key, rotates the key or shows its state, or creates a key for backups.
///
/// # Errors
/// - 1: the cluster file or the file of the new key cannot be written, or the members have another new key.
/// - 3: no member answers.
/// - 5: some members do not have the new key yet.
/// - 78: the cluster file is missing or malformed.
pub(crate) async fn run(arguments: KeyArgs) -> Result<(), Failure> {
    match arguments.verb {
        None => {
            let path = path_to_ask(arguments.file.cluster_file, arguments.file.data_dir);
            if let Some(public) = ClusterFile::read(&path)?.keys().public() {
                output::line(&public.to_string());
            }
            Ok(())
        }
        Some(KeyVerb::Rotate(arguments)) => rotate(&KeyTarget::of(arguments.file)?, arguments.wait).await,
        Some(KeyVerb::Status(arguments)) => status(&KeyTarget::of(arguments.file)?, arguments.json).await,
        Some(KeyVerb::ForBackups(arguments)) => {
            output::line(&encryption::new_key(&arguments.file)?.to_string());
            Ok(())
        }
    }
}

/// A cluster file, and the cluster that it leads to.
struct KeyTarget {
    path: PathBuf,
    file: ClusterFile,
    cluster: ClusterAccess,
}

impl KeyTarget {
    fn of(flags: KeyFileArgs) -> Result<KeyTarget, Failure> {
        let path = path_to_ask(flags.cluster_file.clone(), flags.data_dir.clone());
        let file = ClusterFile::read(&path)?;
        let folder = write_file::folder_of(&path);
        let discovery = DiscoveryArgs::default();
        // A cluster of `up` has its addresses in the folder.
        let cluster = match flags.cluster_file {
            Some(_) => in_cluster_file(&path, flags.data_dir.as_deref(), discovery)?,
            None if file.coordinators.is_empty() => in_data_dir(folder, None, discovery)?,
            None => in_cluster_file(&path, Some(folder), discovery)?,
        };
        // One set of keys for the file and the cluster, so that both follow.
        let cluster = ClusterAccess { keys: keys_of(&file), ..cluster };
        Ok(KeyTarget { path, file, cluster })
    }

    /// Replaces the keys in the file.
    fn write(&self, ring: &KeyRing) -> Result<(), Failure> {
        let file = ClusterFile { ring: ring.clone(), ..self.file.clone() };
        file.replace(&self.path).map_err(|error| {
            let shown = self.path.display();
            Failure::new(Exit::Refused, format!("cannot write the cluster file {shown}: {error}"))
        })?;
        self.cluster.keys.adopt(ring.clone());
        Ok(())
    }
}

/// Key of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MemberKey {
    name: String,
    alive: bool,
    key: KeyId,
    /// An older key authenticates members there, too.
    accepts_old: bool,
}

/// Returns the key of each member, as it or the others say.
async fn keys_of_members(cluster: &ClusterAccess) -> Result<Vec<MemberKey>, Failure> {
    let survey = reached(cluster).await?;
    let key_of = |member: MemberView| MemberKey {
        name: member.info.name(),
        alive: member.alive,
        key: member.info.key,
        accepts_old: member.accepts_old_key,
    };
    Ok(survey.members.into_iter().map(key_of).collect())
}

async fn rotate(target: &KeyTarget, wait: Duration) -> Result<(), Failure> {
    let (ring, is_new) = prepare(target).await?;
    hand_out(target, &ring).await?;
    let generation = ring.newest.generation;
    if is_new {
        Operator::record(&target.cluster, UnreplicatedAct::RotateKey { generation }, "rotation").await;
    }
    let begin = Instant::now();
    let mut shown = Vec::new();
    loop {
        let members = keys_of_members(&target.cluster).await?;
        for member in &members {
            if member.key == ring.newest.id() && !shown.contains(&member.name) {
                output::line(&format!("{} has key {generation}", member.name));
                shown.push(member.name.clone());
            }
        }
        let has_all = members.iter().all(|member| member.key == ring.newest.id());
        if has_all && members.iter().all(|member| !member.alive || !member.accepts_old) {
            target.write(&ring.settled())?;
            output::line(&done(target, &ring));
            return Ok(());
        }
        if begin.elapsed() > wait {
            let missing = members.iter().filter(|member| member.key != ring.newest.id());
            let missing: Vec<&str> = missing.map(|member| member.name.as_str()).collect();
            let text = format!(
                "the rotation to key {generation} is not complete: {} not have it yet, and the old key stays valid until then. \
                 A member that was away takes it over when it is back; `ribbit member remove` removes one that will not be. \
                 Run `ribbit key rotate` again to see the end",
                listed(&missing)
            );
            return Err(Failure::new(Exit::Degraded, text));
        }
        smol::Timer::after(LOOK).await;
    }
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => "the members do".to_string(),
        [one] => format!("{one} does"),
        more => format!("{} do", more.join(", ")),
    }
}

/// Returns the keys of the rotation, and whether it is a new one: otherwise it was interrupted. They are in the cluster file then.
async fn prepare(target: &KeyTarget) -> Result<(KeyRing, bool), Failure> {
    let ring = &target.file.ring;
    let members = keys_of_members(&target.cluster).await?;
    let newest = members.iter().map(|member| member.key).max().unwrap_or_default();
    let own = ring.newest.id();
    if newest.generation > own.generation {
        // Another machine has begun it, or this one before it could write the file.
        let next = fetched(target, newest).await?;
        target.write(&next)?;
        return Ok((next, false));
    }
    if newest != own && newest.generation == own.generation {
        let text = format!(
            "the members have another key {} than {}: copy the cluster file from the machine on which it was made",
            own.generation,
            target.path.display()
        );
        return Err(Failure::new(Exit::Refused, text));
    }
    if ring.accepts_old {
        return Ok((ring.clone(), false));
    }
    let key = ClusterKey { generation: own.generation + 1, secret: secret::new_token() };
    let next = ring.with(&key).expect("it follows the newest key");
    target.write(&next)?;
    Ok((next, true))
}

/// Fetches the newest key from a member that has it.
async fn fetched(target: &KeyTarget, newest: KeyId) -> Result<KeyRing, Failure> {
    let survey = reached(&target.cluster).await?;
    for member in survey.members.iter().filter(|member| member.alive && member.info.key == newest) {
        let (address, keys) = (&member.info.address, &target.cluster.keys);
        if let Ok(Answer::Key(key)) = ask_once(address, Plane::Control, keys, Ask::NewestKey, HAND_MAX).await
            // A rotation from whose middle the file is has ended, because another one has begun.
            && let Some(next) = target.file.ring.settled().with(&key)
        {
            return Ok(next);
        }
    }
    let text = format!(
        "the cluster has key {}, and {} does not open it: copy the cluster file from a machine with that key",
        newest.generation,
        target.path.display()
    );
    Err(Failure::new(Exit::Configuration, text))
}

/// Hands the new key to all members that answer. One is enough: the others fetch it from there.
async fn hand_out(target: &KeyTarget, ring: &KeyRing) -> Result<(), Failure> {
    let survey = reached(&target.cluster).await?;
    let (mut taken, mut why) = (false, "no member takes it".to_string());
    for member in survey.members.iter().filter(|member| member.alive) {
        let ask = Ask::TakeKey(ring.newest.clone());
        match ask_once(&member.info.address, Plane::Control, &target.cluster.keys, ask, HAND_MAX).await {
            Ok(Answer::Key(key)) if key == ring.newest => taken = true,
            Ok(Answer::Refused(denied)) => why = format!("{} refuses it: {denied}", member.info.name()),
            Ok(Answer::Unavailable(reason)) => why = format!("{}: {reason}", member.info.name()),
            Ok(_) => why = format!("{} gave an unexpected answer", member.info.name()),
            Err(error) => why = format!("{}: {error}", member.info.name()),
        }
    }
    match taken {
        true => Ok(()),
        false => {
            let text = format!("the new key could not be handed to the cluster: {why}");
            Err(Failure::new(Exit::Refused, text))
        }
    }
}

fn done(target: &KeyTarget, ring: &KeyRing) -> String {
    let public = Keys::of_ring(target.file.cluster, ring.settled()).public();
    let public = public.map_or_else(String::new, |public| public.to_string());
    let shown = target.path.display();
    format!(
        "The cluster uses key {} and refuses the one before it.\n\
         Copy {shown} to the other machines, over an encrypted connection: balancers and gateways need it at their next start, and so \
         do new members.\n\
         Clients that know the old public key follow by themselves. The new one is {public}",
        ring.newest.generation
    )
}

async fn status(target: &KeyTarget, json: bool) -> Result<(), Failure> {
    let members = keys_of_members(&target.cluster).await?;
    let own = target.file.ring.newest.id();
    if json {
        let members = members.iter().map(MemberKeyJson::of).collect();
        let json = KeyJson { file: own.generation, members };
        output::line(&serde_json::to_string(&json).expect("plain data always serialises"));
        return Ok(());
    }
    for member in &members {
        let MemberKey { name, alive, key, accepts_old } = member;
        let old = if *accepts_old { ", and accepts the one before it" } else { "" };
        let away = if *alive { "" } else { " (does not answer)" };
        let other = if key.generation == own.generation && *key != own {
            ", not that of the cluster file"
        } else {
            ""
        };
        output::line(&format!("{name}: key {}{other}{old}{away}", key.generation));
    }
    output::line(&format!("{}: key {}", target.path.display(), own.generation));
    Ok(())
}

#[derive(Serialize)]
struct KeyJson {
    /// Generation of the cluster file's key.
    file: u32,
    members: Vec<MemberKeyJson>,
}

#[derive(Serialize)]
struct MemberKeyJson {
    name: String,
    answers: bool,
    key: u32,
    accepts_old: bool,
}

impl MemberKeyJson {
    fn of(member: &MemberKey) -> MemberKeyJson {
        let MemberKey { name, alive, key, accepts_old } = member.clone();
        MemberKeyJson { name, answers: alive, key: key.generation, accepts_old }
    }
}
