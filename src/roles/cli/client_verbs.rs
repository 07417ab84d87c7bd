//! Second stage of the flags of `ribbit client`.

use super::Refusal;
use super::client_flags::{
    AskingFlags, ClientFlags, ClientServerFlags, ClientVerb, CreateFlags, DmFlags, EndSessionFlags,
    ExportFlags, FeedFlags, InboxFlags, OnlyFlag, PeopleFlags, PersonVerbFlags, PostFlags, ProfileFlags,
    UncroakFlags, UserFlags,
};
use super::server_options::web;
use super::task::Task;
use crate::client::{server, terminal, verbs};
use crate::common::cluster_selection::{ClusterFlags, select, settings_folder};
use crate::common::defaults::data_dir_or_default;
use crate::common::failure::Failure;
use crate::common::options::{
    ClientServerOptions, PeopleFilter, PersonOptions, PersonVerb, TerminalOptions, VerbOptions,
};
use clap::ArgMatches;

/// Returns the task of `ribbit client` and its verbs.
///
/// # Errors
/// As [`select`] and [`web`].
pub fn client(flags: ClientFlags, matches: &ArgMatches) -> Result<Task, Refusal> {
    let ClientFlags { verb, user: username, take_over, cluster } = flags;
    let (verb, asking) = match verb {
        None => {
            let person = person(cluster, matches)?;
            let options = TerminalOptions { person, username, take_over };
            return Ok(Task::command("client", async move { terminal::run(&options).await }));
        }
        Some(ClientVerb::Web(flags)) => {
            let options = web(flags, matches)?;
            return Ok(Task::server("web".to_string(), |stop| crate::web::run(options, stop)));
        }
        Some(ClientVerb::Server(flags)) => {
            let options = client_server(flags, matches)?;
            return Ok(Task::command("client", async move { server::run(&options).await }));
        }
        Some(ClientVerb::Person(verb)) => split(verb),
    };
    let AskingFlags { json, cluster } = asking;
    let options = VerbOptions { person: person(cluster, matches)?, verb, json };
    Ok(Task::command("client", async move { verbs::run(&options).await }))
}

/// Splits the flags of a user's command into the verb and the flags that all of them share.
fn split(verb: PersonVerbFlags) -> (PersonVerb, AskingFlags) {
    match verb {
        PersonVerbFlags::Login(UserFlags { username, asking }) => (PersonVerb::LogIn { username }, asking),
        PersonVerbFlags::Logout(asking) => (PersonVerb::LogOut, asking),
        PersonVerbFlags::Create(CreateFlags { full_name: name, email, user }) => {
            (PersonVerb::Create { username: user.username, name, email }, user.asking)
        }
        PersonVerbFlags::Post(PostFlags { text, asking }) => {
            (PersonVerb::Post { text: joined(&text) }, asking)
        }
        PersonVerbFlags::Feed(FeedFlags { follow, before, limit, asking }) => {
            (PersonVerb::Feed { follow, before, limit: limit as usize }, asking)
        }
        PersonVerbFlags::Dm(DmFlags { username, text: PostFlags { text, asking } }) => {
            (PersonVerb::Message { username, text: joined(&text) }, asking)
        }
        PersonVerbFlags::Inbox(InboxFlags { with, keep, limit, asking }) => {
            (PersonVerb::Inbox { with, keep, limit: limit as usize }, asking)
        }
        PersonVerbFlags::Add(UserFlags { username, asking }) => {
            (PersonVerb::Befriend { username, wanted: true }, asking)
        }
        PersonVerbFlags::Remove(UserFlags { username, asking }) => {
            (PersonVerb::Befriend { username, wanted: false }, asking)
        }
        PersonVerbFlags::People(PeopleFlags { names, only, asking }) => {
            let filter = match only {
                Some(OnlyFlag::Friends) => PeopleFilter::Friends,
                Some(OnlyFlag::Followers) => PeopleFilter::Followers,
                None => PeopleFilter::All,
            };
            (PersonVerb::People { names, filter }, asking)
        }
        PersonVerbFlags::Uncroak(UncroakFlags { croak, asking }) => (PersonVerb::TakeBack { croak }, asking),
        PersonVerbFlags::Profile(ProfileFlags { full_name: name, email, asking }) => {
            (PersonVerb::Describe { name, email }, asking)
        }
        PersonVerbFlags::Passwd(asking) => (PersonVerb::ChangePassword, asking),
        PersonVerbFlags::Sessions(asking) => (PersonVerb::Sessions, asking),
        PersonVerbFlags::EndSession(EndSessionFlags { opened, asking, .. }) => {
            (PersonVerb::EndSession { opened }, asking)
        }
        PersonVerbFlags::Export(ExportFlags { output: file, cluster }) => {
            (PersonVerb::Export { file }, AskingFlags { json: true, cluster })
        }
        PersonVerbFlags::Delete(asking) => (PersonVerb::Delete, asking),
    }
}

/// Joins the words of a text; `None` if the text is on standard input.
fn joined(words: &[String]) -> Option<String> {
    match words {
        [] => None,
        [word] if word == "-" => None,
        words => Some(words.join(" ")),
    }
}

fn person(flags: ClusterFlags, matches: &ArgMatches) -> Result<PersonOptions, Failure> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let folder = settings_folder();
    Ok(PersonOptions { cluster: select(flags, matches)?, folder, no_colour: set("NO_COLOR").is_some() })
}

fn client_server(flags: ClientServerFlags, matches: &ArgMatches) -> Result<ClientServerOptions, Failure> {
    let data_dir = data_dir_or_default(flags.cluster.data_dir.clone());
    let (id, before, json) = (flags.id, flags.before, flags.json);
    Ok(ClientServerOptions { cluster: select(flags.cluster, matches)?, data_dir, id, before, json })
}
