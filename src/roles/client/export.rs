//! `export`: everything that is kept of a person, as one JSON file.
//!
//! It is read page by page and written when it is whole: a file that is there is complete. It is as new as its newest
//! part; what happens meanwhile may be in it or not.

use super::{Halt, Visit, say, written};
use crate::roles::failure::{Exit, Failure};
use crate::roles::person::Person;
use crate::roles::person::stop::Stop;
use crate::roles::write_file;
use crate::state::limits::TALK_PAGE_MAX;
use crate::state::query::{FeedCroak, Person as Who, Whom};
use crate::state::talks::TalkMessage;
use crate::ui::person_json::{self, Export};
use std::io::{self, IsTerminal};
use std::path::Path;

/// To standard output, or to a file that only its owner can read.
pub async fn export(visit: &mut Visit, file: Option<&Path>) -> Result<(), Halt> {
    visit.must_be_logged_in()?;
    let mut progress = Progress { shown: io::stderr().is_terminal(), croaks: 0, messages: 0 };
    let export = gathered(&visit.person, &mut progress).await;
    progress.end();
    let export = export?;
    let text = person_json::export(&export);
    let Some(file) = file else { return written(&text) };
    write_file::replace(file, &text).map_err(|error| {
        Failure::new(Exit::Refused, format!("{} cannot be written: {error}", file.display()))
    })?;
    let (croaks, messages) = (export.croaks.len(), export.messages.len());
    say(&format!("{}: {croaks} croaks, {messages} messages", file.display()))
}

/// Says on standard error how far it is.
struct Progress {
    shown: bool,
    croaks: usize,
    messages: usize,
}

impl Progress {
    fn show(&self) {
        if self.shown {
            eprint!("\r{} croaks, {} messages", self.croaks, self.messages);
        }
    }
    fn end(&self) {
        if self.shown {
            eprintln!();
        }
    }
}

async fn gathered(person: &Person, progress: &mut Progress) -> Result<Export, Stop> {
    let account = person.account().await?;
    let croaks = own_croaks(person, &account.person.username, progress).await?;
    let messages = messages(person, progress).await?;
    Ok(Export {
        cluster: person.cluster().to_string(),
        friends: person.friends().await?,
        followers: person.followers().await?.into_iter().map(|known| known.person).collect(),
        sessions: person.sessions().await?,
        account,
        croaks,
        messages,
    })
}

async fn own_croaks(
    person: &Person,
    username: &str,
    progress: &mut Progress,
) -> Result<Vec<FeedCroak>, Stop> {
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let (croaks, older) = person.own_croaks(username, before).await?;
        all.extend(croaks);
        progress.croaks = all.len();
        progress.show();
        match older {
            Some(_) => before = older,
            None => break,
        }
    }
    all.reverse();
    Ok(all)
}

/// Of all talks.
async fn messages(person: &Person, progress: &mut Progress) -> Result<Vec<(Option<Who>, TalkMessage)>, Stop> {
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let (talks, older) = person.talks(before).await?;
        for talk in talks {
            let mut before = None;
            loop {
                let page = person.talk(Whom::Account(talk.with_account), before, TALK_PAGE_MAX).await?;
                all.extend(page.messages.into_iter().map(|message| (page.with.clone(), message)));
                progress.messages = all.len();
                progress.show();
                match page.older {
                    Some(_) => before = page.older,
                    None => break,
                }
            }
        }
        match older {
            Some(_) => before = older,
            None => break,
        }
    }
    all.sort_by_key(|(_, message)| message.id);
    // A talk that moved up while the list was read may have been met twice.
    all.dedup_by_key(|(_, message)| message.id);
    Ok(all)
}
