//! Runs the golden scripts in src/state/testscripts. Each command is followed by what it did.
//!
//! `UPDATE_GOLDENFILES=1 cargo test --lib scripts` rewrites the scripts to the current behaviour; review the diff. Every
//! write prints its log index, its outcome and the rows it changes, except the record of its request, which every new
//! write has. The bounds are small: see `SMALL`.

use super::row_words::{change_words, node_words, row_words};
use super::*;
use super::{app_words, audit_words, conversation_words, message_words, registration_words, room_words};
use crate::account_role::AccountRole;
use crate::code::Denied;
use crate::command::{Guard, TreeCommand};
use crate::command::{LeaseCommand, LeaseEnd};
use crate::command::{MemberChange, MemberName, NewMember, OperatorCommand, Role};
use crate::ids::{HistoryId, KeyId};
use crate::lookup::account_named;
use crate::path::TreePath;
use crate::query::Person;
use crate::rows::{Change, Owner, Requests, TABLES, books};
use goldenscript::{ArgumentConsumer, Runner};
use std::error::Error;
use std::fmt::Write as _;

pub(super) type Words = Result<String, Box<dyn Error>>;

#[test]
fn scripts() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testscripts");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        println!("{}", path.display());
        goldenscript::run(&mut Script { log: Log::small(), wall_ms: 0 }, path).unwrap();
    }
}

struct Script {
    log: Log,
    /// Wall clock of the leader.
    wall_ms: u64,
}

impl Runner for Script {
    fn run(&mut self, command: &goldenscript::Command) -> Words {
        let mut args = command.consume_args();
        let output = match command.name.as_str() {
            "day" => {
                self.wall_ms = first(&mut args)?.parse::<u64>()? * 24 * 3600 * 1000;
                String::new()
            }
            "wall" => {
                self.wall_ms = first(&mut args)?.parse()?;
                String::new()
            }
            "age" => {
                self.log.age_ms = first(&mut args)?.parse()?;
                String::new()
            }
            "idle" => {
                for _ in 0..first(&mut args)?.parse()? {
                    self.log.idle();
                }
                self.dedup_window()?
            }
            "retry" => self.retry(&mut args)?,
            "reopen" => {
                self.log.model.reopen();
                String::new()
            }
            "window" => self.dedup_window()?,
            "ls" => self.list(&mut args)?,
            "me" | "feed" | "front" | "friends" | "talks" | "talk" | "message" | "waiting"
            | "followed-by" | "followers-of" | "croaks" | "profiles" | "persons" | "liked" | "follows"
            | "followed-since" | "unread" | "show" | "profile" | "people" | "followers" | "chatting"
            | "account" | "sessions" | "settings" | "accounts" | "notices" | "muted" | "blocked"
            | "reports" | "myrooms" | "openrooms" | "room" | "roompeople" | "roomsaid" => {
                self.query(&command.name, &mut args)?
            }
            "thread" | "everyone" | "search" | "likers" | "sharers" | "linkof" | "announcements"
            | "myannouncements" | "addresses" | "addressed" | "public" | "app" | "ownapp" | "caller"
            | "audit" | "roomnames" | "joinrequests" | "allinvitations" | "invitation" | "invitations"
            | "joincodes" | "allrooms" | "figures" => self.query(&command.name, &mut args)?,
            "rows" => self.rows(&mut args)?,
            name => {
                let parsed = self.command(name, &mut args)?;
                // `by=SESSION`: an account makes the change, not the cluster key.
                let by = args.lookup("by").map(|arg| token(&arg.value));
                let parsed = match (by, parsed) {
                    (Some(session), Command::Operator(change)) => Command::Govern { session, change },
                    (_, parsed) => parsed,
                };
                let mut request = self.log.request(parsed);
                request.origin = audit_words::origin(&mut args);
                if let Some(id) = args.lookup_parse("request")? {
                    request.id = RequestId(id);
                }
                request.submitted_at = args.lookup_parse("born")?.unwrap_or(request.submitted_at);
                self.write(request)?
            }
        };
        args.reject_rest()?;
        Ok(output)
    }
}

impl Script {
    /// Parses a command of a script. Its session is named after the user unless `session=` names another.
    fn command(&self, name: &str, args: &mut ArgumentConsumer) -> Result<Command, Box<dyn Error>> {
        Ok(match name {
            "create" => create_from(args)?,
            "login" => {
                let user = first(args)?;
                let account = match args.lookup_parse("account")? {
                    Some(account) => AccountId(account),
                    None => account_named(&self.log.model, &user)?.ok_or("nobody of that name")?.0,
                };
                Command::LogIn {
                    account,
                    credential_version: args.lookup_parse("version")?.unwrap_or(1),
                    token: args.lookup("session").map_or(token(&user), |arg| token(&arg.value)),
                    device: args.lookup_parse("device")?.unwrap_or_default(),
                    app: app_words::log_in(args)?,
                }
            }
            "logout" => Command::LogOut { session: session(args)? },
            "friend" => Command::AddFriend { session: session(args)?, username: first(args)? },
            "unfriend" => Command::RemoveFriend { session: session(args)?, username: first(args)? },
            "delete" => Command::DeleteAccount {
                session: session(args)?,
                credential_version: args.lookup_parse("version")?.unwrap_or(1),
            },
            "sweep" => Command::Sweep { account: AccountId(first(args)?.parse()?) },
            "index" => Command::IndexCroaks,
            "found" => Command::FoundCluster { history: HistoryId(0xf0), member: new_member(args)? },
            "join" => {
                let region = args.lookup_parse("cluster")?.unwrap_or(1);
                Command::Join { region, member: new_member(args)? }
            }
            "lose" => Command::MarkLost { name: name_from(args)? },
            "drain" => {
                let off = args.lookup_parse("off")?.unwrap_or(false);
                let change = if off { MemberChange::Undrain } else { MemberChange::Drain };
                OperatorCommand::ChangeMember { name: name_from(args)?, change }.into()
            }
            "remove-member" | "lead" => {
                let change = match name {
                    "lead" => MemberChange::Lead,
                    _ => MemberChange::Remove { alive: false },
                };
                OperatorCommand::ChangeMember { name: name_from(args)?, change }.into()
            }
            "forget" => Command::RemoveMember { raft_id: first(args)?.parse()? },
            "describe" => Command::DescribeMember {
                raft_id: first(args)?.parse()?,
                address: first(args)?,
                machine: "board".into(),
                rules_level: args.lookup_parse("level")?.unwrap_or(1),
                key: key(args)?,
            },
            "raise-key" => Command::RaiseKey { key: key(args)? },
            "raise" => OperatorCommand::RaiseRules { level: first(args)?.parse()? }.into(),
            "auto-finish" => OperatorCommand::SetAutoFinish { auto: first(args)?.parse()? }.into(),
            "mkdir" => TreeCommand::MakeFolder {
                path: path(args)?,
                parents: args.lookup_parse("parents")?.unwrap_or(false),
            }
            .into(),
            "touch" => TreeCommand::Touch { path: path(args)?, lease: lease(args) }.into(),
            "write" => {
                let (path, content) = (path(args)?, first(args)?);
                let times = args.lookup_parse("times")?.unwrap_or(1);
                TreeCommand::Write {
                    path,
                    content: content.repeat(times).into_bytes(),
                    append: args.lookup_parse("append")?.unwrap_or(false),
                    lease: lease(args),
                    guard: guard(args)?,
                }
                .into()
            }
            "rm" => {
                let recursive = args.lookup_parse("recursive")?.unwrap_or(false);
                TreeCommand::Remove { path: path(args)?, recursive, guard: guard(args)? }.into()
            }
            "acquire" => {
                let content = args.lookup("content").map_or(Vec::new(), |arg| arg.value.clone().into_bytes());
                let lease = token(&first(args)?);
                TreeCommand::Acquire { path: path(args)?, lease, content }.into()
            }
            "release" => {
                let lease = token(&first(args)?);
                TreeCommand::Release { path: path(args)?, lease }.into()
            }
            _ => match conversation_words::command(name, args)?.or(message_words::command(name, args)?) {
                Some(command) => command,
                None => match room_words::command(name, args)? {
                    Some(command) => command,
                    None => Command::Lease(lease_command(name, args)?),
                },
            },
        })
    }

    /// `ls PATH [depth=] [after=] [limit=]`: shows a page of the tree.
    fn list(&self, args: &mut ArgumentConsumer) -> Words {
        let query = Query::Tree {
            path: path(args)?,
            depth: args.lookup_parse("depth")?,
            after: args.lookup("after").map(|arg| arg.value.parse().map_err(refusal_words)).transpose()?,
            limit: args.lookup_parse("limit")?.unwrap_or(100),
        };
        Ok(match self.log.model.answer(&query) {
            Ok(page) => page_words(&page)?,
            Err(denied) => refusal_words(denied) + "\n",
        })
    }

    fn write(&mut self, request: Request) -> Words {
        let stamp = Stamp { wall_ms: self.wall_ms, age_ms: self.log.age_ms };
        let proposal = Proposal { stamp, request };
        let index = self.log.index() + 1;
        let applied = self.log.model.decide(index, &proposal);
        self.log.proposals.push(proposal);
        self.log.model.commit(index, &applied.changes);
        let mut output = format!("{index}: {}\n", outcome_words(&applied.outcome));
        if applied.changes.is_empty() {
            writeln!(output, "  nothing written, not even the request")?;
        }
        for change in &applied.changes {
            if !matches!(change, Change::Put { table, .. } if *table == Requests::ID) {
                writeln!(output, "  {}", change_words(change))?;
            }
        }
        Ok(output)
    }

    /// `retry INDEX`: repeats the request of that entry unchanged.
    fn retry(&mut self, args: &mut ArgumentConsumer) -> Words {
        let index: usize = first(args)?.parse()?;
        let request = self.log.proposals.get(index - 1).ok_or("no such entry")?.request.clone();
        self.write(request)
    }

    fn dedup_window(&self) -> Words {
        let through = books(&self.log.model)?.expired_through;
        let count = self.log.model.window_len();
        Ok(format!("at {}: {count} requests remembered, forgotten through {through}\n", self.log.index()))
    }

    fn query(&self, name: &str, args: &mut ArgumentConsumer) -> Words {
        let query = match name {
            "me" => Query::Me { session: session(args)? },
            "feed" => Query::Feed {
                session: session(args)?,
                before: args.lookup_parse("before")?,
                limit: args.lookup_parse("limit")?.unwrap_or(10),
            },
            "front" => Query::Front {
                session: session(args)?,
                before: args.lookup_parse("before")?,
                limit: args.lookup_parse("limit")?.unwrap_or(10),
                known: args.lookup_parse("known")?.zip(args.lookup_parse("to")?),
                unless: None,
            },
            "friends" => {
                Query::Friends { session: session(args)?, after: args.lookup_parse("after")?.map(AccountId) }
            }
            _ => match conversation_words::query(name, args)?.or(room_words::query(name, args)?) {
                Some(query) => query,
                None => message_words::query(name, args)?.ok_or("no such query")?,
            },
        };
        let by = args.lookup("by").map(|arg| token(&arg.value));
        let query = match (by, query) {
            (Some(session), Query::Operator(query)) => Query::Govern { session, query },
            (_, query) => query,
        };
        Ok(match self.log.model.answer(&query) {
            Ok(page) => page_words(&page)?,
            Err(denied) => refusal_words(denied) + "\n",
        })
    }

    /// `rows TABLE`: shows all rows of a table.
    fn rows(&self, args: &mut ArgumentConsumer) -> Words {
        let name = first(args)?;
        let (wanted, _) = TABLES.iter().find(|(_, table)| *table == name).ok_or("no such table")?;
        let mut output = String::new();
        for (table, key, row) in self.log.model.rows().filter(|(table, ..)| table == wanted) {
            writeln!(output, "{}", row_words(table, key, row))?;
        }
        Ok(if output.is_empty() { "none\n".into() } else { output })
    }
}

/// Returns the next positional argument.
pub(super) fn first(args: &mut ArgumentConsumer) -> Words {
    Ok(args.next_pos().ok_or("an argument is missing")?.value.clone())
}

fn path(args: &mut ArgumentConsumer) -> Result<TreePath, Box<dyn Error>> {
    Ok(first(args)?.parse().map_err(refusal_words)?)
}

/// Parses `lease=LABEL`.
fn lease(args: &mut ArgumentConsumer) -> Option<TokenHash> {
    args.lookup("lease").map(|arg| token(&arg.value))
}

/// Parses `lock=PATH fence=N`.
fn guard(args: &mut ArgumentConsumer) -> Result<Option<Guard>, Box<dyn Error>> {
    let Some(lock) = args.lookup("lock").map(|arg| arg.value.clone()) else { return Ok(None) };
    let fence = args.lookup_parse("fence")?.ok_or("a fence is missing")?;
    Ok(Some(Guard { lock: lock.parse().map_err(refusal_words)?, fence }))
}

fn lease_command(name: &str, args: &mut ArgumentConsumer) -> Result<LeaseCommand, Box<dyn Error>> {
    Ok(match name {
        "open" => {
            let label = first(args)?;
            let lease_ms = args.lookup_parse("ms")?;
            LeaseCommand::Open { token: token(&label), description: format!("{label}'s"), lease_ms }
        }
        "close" => LeaseCommand::Close { token: token(&first(args)?) },
        "register" => LeaseCommand::Register {
            raft_id: first(args)?.parse()?,
            incarnation: first(args)?.parse()?,
            address: args.lookup("address").map_or("host:1", |arg| &arg.value).into(),
        },
        "end" => {
            let number = args.lookup_parse("member")?;
            let client = args.lookup_parse("client")?.map(Owner::Client);
            LeaseCommand::End {
                owner: number.map(Owner::Member).or(client).ok_or("whose?")?,
                version: args.lookup_parse("version")?.ok_or("a version is missing")?,
                why: LeaseEnd::Missed { silence_ms: 2_000 },
            }
        }
        "appoint" => LeaseCommand::Appoint { raft_id: first(args)?.parse()?, version: first(args)?.parse()? },
        "stepdown" => LeaseCommand::StepDown { raft_id: first(args)?.parse()?, fence: first(args)?.parse()? },
        "chat" => {
            let take_over = args.lookup_parse("take_over")?.unwrap_or(false);
            let (session, label) = (session(args)?, first(args)?);
            LeaseCommand::EnterChat { session, token: token(&label), description: label, take_over }
        }
        "clusters" => LeaseCommand::SetRegions { regions: first(args)?.parse()? },
        "number" => LeaseCommand::NumberClient,
        name => return Err(format!("no such command: {name}").into()),
    })
}

pub(super) fn session(args: &mut ArgumentConsumer) -> Result<TokenHash, Box<dyn Error>> {
    let user = first(args)?;
    Ok(args.lookup("session").map_or(token(&user), |arg| token(&arg.value)))
}

fn create_from(args: &mut ArgumentConsumer) -> Result<Command, Box<dyn Error>> {
    let username = first(args)?;
    let mut text =
        |key: &str, default: &str| args.lookup(key).map_or(default.into(), |arg| arg.value.clone());
    let name = text("name", "Somebody");
    let email = text("email", "a@b");
    let password_hash = text("hash", "hash");
    let invitation = args.lookup("invitation").map(|arg| token(&arg.value));
    Ok(Command::CreateAccount { username, name, email, password_hash, invitation })
}

fn new_member(args: &mut ArgumentConsumer) -> Result<NewMember, Box<dyn Error>> {
    let role = match first(args)?.as_str() {
        "backend" => Role::Backend,
        "coordinator" => Role::Coordinator,
        other => return Err(format!("no such role: {other}").into()),
    };
    let id = first(args)?.parse()?;
    let times = args.lookup_parse("times")?.unwrap_or(1);
    let address = args.lookup("address").map_or("host:1", |arg| &arg.value).repeat(times);
    let rules_level = args.lookup_parse("level")?.unwrap_or(1);
    Ok(NewMember { role, id, address, machine: "board".into(), rules_level, key: key(args)? })
}

/// Parses `key=GENERATION.TAG`; the first key without.
fn key(args: &mut ArgumentConsumer) -> Result<KeyId, Box<dyn Error>> {
    let text = args.lookup("key").map_or("1.1", |arg| &arg.value);
    let (generation, tag) = text.split_once('.').ok_or("a key is GENERATION.TAG")?;
    Ok(KeyId { generation: generation.parse()?, tag: tag.parse()? })
}

fn name_from(args: &mut ArgumentConsumer) -> Result<MemberName, Box<dyn Error>> {
    first(args)?.parse().map_err(|()| "no member's name".into())
}

fn refusal_words(denied: Denied) -> String {
    let field = denied.field.map_or(String::new(), |field| format!(" at {}", field.name()));
    format!("{} {:?}{field}", denied.code.number(), denied.code)
}

pub(super) fn outcome_words(outcome: &Outcome) -> String {
    match outcome {
        Ok(Reply::Done) => "200 done".into(),
        Ok(Reply::Created { account }) => format!("200 created account {}", account.0),
        Ok(Reply::LoggedIn { account }) => format!("200 logged in account {}", account.0),
        Ok(Reply::Croaked { croak }) => format!("200 croak {croak}"),
        Ok(Reply::Joined { raft_id, history }) => format!("200 joined as {raft_id}, history {:x}", history.0),
        Ok(Reply::Stepped { more }) => format!("200 stepped, more: {more}"),
        Ok(Reply::Leased { lease }) => format!("200 lease {lease}"),
        Ok(Reply::Fenced { fence }) => format!("200 fence {fence}"),
        Ok(Reply::Client { id }) => format!("200 client {id}"),
        Ok(Reply::Announced { announcement }) => format!("200 announcement {announcement}"),
        Ok(Reply::Registered { app }) => format!("200 app {}", app.0),
        Ok(Reply::Requested) => "200 requested".into(),
        Ok(Reply::Invited { invitation }) => format!("200 invitation {invitation}"),
        Ok(Reply::Sent { message }) => format!("200 message {message}"),
        Err(denied) => refusal_words(*denied),
    }
}

fn page_words(page: &Page) -> Words {
    if let Some(output) = audit_words::page(page) {
        return Ok(output);
    }
    let mut output = String::new();
    match page {
        Page::Position => writeln!(output, "position")?,
        Page::Me(me) => writeln!(output, "{}", person_words(me))?,
        Page::Tree { entries, more } => {
            for entry in entries {
                writeln!(output, "{}{}", entry.path, node_words(&entry.node))?;
            }
            if let Some(more) = more {
                writeln!(output, "more behind {more}")?;
            }
        }
        Page::Leases { .. } | Page::Coordination(_) => writeln!(output, "{page:?}")?,
        Page::Friends { friends, more, .. } => {
            for friend in friends {
                writeln!(output, "{}", person_words(friend))?;
            }
            writeln!(output, "more: {:?}", more.map(|account| account.0))?;
        }
        page => match conversation_words::page(page)? {
            Some(words) => output += &words,
            None => match registration_words::page(page) {
                Some(words) => output += &words,
                None => return room_words::page(page).unwrap_or_else(|| message_words::page(page)),
            },
        },
    }
    Ok(output)
}

/// Returns the role of an account that has one.
pub(super) fn role_words(role: AccountRole) -> String {
    if role == AccountRole::Person { String::new() } else { format!(", {}", role.name()) }
}

pub(super) fn person_words(person: &Person) -> String {
    format!("account {} {} {:?}", person.account.0, person.username, person.name)
}
