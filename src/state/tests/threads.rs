//! Threads, audiences, likes, shares, mutes and blocks in every history: random steps of a few people, judged by plain maps
//! that know no tables.

use super::properties::config;
use super::*;
use crate::code::Code;
use crate::command::{AccountCommand, Audience, ConversationCommand, RelationCommand};
use crate::limits::{ANCESTORS_MAX, NESTED_REPLIES_MAX, REPLIES_PAGE_MAX};
use crate::query::{FeedCroak, ThreadCroak};
use crate::rows::{CroakSweeps, Key};
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::{BTreeMap, BTreeSet};

const PEOPLE: [&str; 4] = ["ada", "bob", "carl", "dora"];

#[derive(Debug, Clone)]
enum Step {
    /// With a mention, for followers only, and in answer to a croak.
    Post(Option<usize>, bool, Option<Index>),
    Like(Index, bool),
    Share(Index, bool),
    Delete(Index),
    Follow(usize, bool),
    Mute(usize, bool),
    Block(usize, bool),
    /// Deletes the account, and creates another of that name.
    Renew,
    IndexCroaks,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let person = || 0..PEOPLE.len();
    let some = || any::<Index>();
    let step = prop_oneof![
        12 => (proptest::option::of(person()), any::<bool>(), proptest::option::of(some()))
            .prop_map(|(mention, followers, to)| Step::Post(mention, followers, to)),
        6 => (some(), any::<bool>()).prop_map(|(croak, on)| Step::Like(croak, on)),
        6 => (some(), any::<bool>()).prop_map(|(croak, on)| Step::Share(croak, on)),
        3 => some().prop_map(Step::Delete),
        6 => (person(), prop::bool::weighted(0.8)).prop_map(|(who, on)| Step::Follow(who, on)),
        2 => (person(), any::<bool>()).prop_map(|(who, on)| Step::Mute(who, on)),
        2 => (person(), any::<bool>()).prop_map(|(who, on)| Step::Block(who, on)),
        1 => Just(Step::Renew),
        1 => Just(Step::IndexCroaks),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec((person(), step), 0..120)
}

#[derive(Debug, Clone)]
struct Post {
    author: AccountId,
    followers: bool,
    reply_to: Option<LogIndex>,
    mentions: BTreeSet<usize>,
    deleted: bool,
}

/// Two accounts: the one that acts, and the other.
type Pairs = BTreeSet<(AccountId, AccountId)>;

struct Story {
    log: Log,
    people: Vec<(AccountId, TokenHash)>,
    posts: BTreeMap<LogIndex, Post>,
    /// Share → the account and what it shared.
    shares: BTreeMap<LogIndex, (AccountId, LogIndex)>,
    likes: BTreeSet<(AccountId, LogIndex)>,
    follows: Pairs,
    mutes: Pairs,
    blocks: Pairs,
}

/// One entry of a list: the croak, and the share by which it is there.
type Entry = (LogIndex, Option<LogIndex>);

impl Story {
    fn of(steps: &[(usize, Step)]) -> Story {
        let mut story = Story {
            log: Log::small(),
            people: Vec::new(),
            posts: BTreeMap::new(),
            shares: BTreeMap::new(),
            likes: BTreeSet::new(),
            follows: Pairs::new(),
            mutes: Pairs::new(),
            blocks: Pairs::new(),
        };
        for username in PEOPLE {
            let person = story.person(username);
            story.people.push(person);
        }
        for (who, step) in steps {
            story.take(*who, step);
        }
        story
    }

    fn person(&mut self, username: &str) -> (AccountId, TokenHash) {
        let account = self.log.create(username);
        let session = token(&format!("{username} {}", account.0));
        let device = String::new();
        self.log
            .run(Command::LogIn { account, credential_version: 1, token: session, device, app: None })
            .unwrap();
        (account, session)
    }

    fn slot(&self, account: AccountId) -> usize {
        self.people.iter().position(|(known, _)| *known == account).unwrap()
    }

    fn blocked(&self, one: AccountId, other: AccountId) -> bool {
        self.blocks.contains(&(one, other)) || self.blocks.contains(&(other, one))
    }

    fn sees(&self, me: AccountId, croak: LogIndex) -> bool {
        let Some(post) = self.posts.get(&croak).filter(|post| !post.deleted) else { return false };
        let mentioned = me.0 < croak && post.mentions.contains(&self.slot(me));
        let follows = self.follows.contains(&(me, post.author));
        !self.blocked(me, post.author) && (!post.followers || post.author == me || follows || mentioned)
    }

    /// Returns one of the croaks and shares that there are or were.
    fn pick(&self, index: &Index) -> LogIndex {
        let all: Vec<LogIndex> = self.posts.keys().chain(self.shares.keys()).copied().collect();
        if all.is_empty() { 1 } else { *index.get(&all) }
    }

    fn take(&mut self, who: usize, step: &Step) {
        let (me, session) = self.people[who];
        let next = self.log.index() + 1;
        let named = |who: &usize| (self.people[*who].0, PEOPLE[*who].to_string());
        let (command, expected): (Command, Result<Reply, Code>) = match step {
            Step::Post(mention, followers, to) => {
                let to = to.as_ref().map(|index| self.pick(index));
                self.post(who, *mention, *followers, to, next)
            }
            Step::Like(index, on) => {
                let croak = self.pick(index);
                match on {
                    true => {
                        let seen = self.sees(me, croak);
                        seen.then(|| self.likes.insert((me, croak)));
                        let expected = if seen { Ok(Reply::Done) } else { Err(Code::NoSuchCroak) };
                        (ConversationCommand::Like { session, croak }.into(), expected)
                    }
                    false => {
                        self.likes.remove(&(me, croak));
                        (ConversationCommand::Unlike { session, croak }.into(), Ok(Reply::Done))
                    }
                }
            }
            Step::Share(index, true) => {
                let croak = self.pick(index);
                (ConversationCommand::Share { session, croak }.into(), self.share(me, croak, next))
            }
            Step::Share(index, false) => {
                let croak = self.pick(index);
                self.shares.retain(|_, share| *share != (me, croak));
                (ConversationCommand::Unshare { session, croak }.into(), Ok(Reply::Done))
            }
            Step::Delete(index) => {
                let croak = self.pick(index);
                (AccountCommand::RemoveCroak { session, croak }.into(), self.delete(me, croak))
            }
            Step::Follow(other, on) => {
                let (other, username) = named(other);
                match on {
                    true => (Command::AddFriend { session, username }, self.follow(me, other)),
                    false => {
                        let removed = self.follows.remove(&(me, other));
                        let expected = if removed { Ok(Reply::Done) } else { Err(Code::NotAFriend) };
                        (Command::RemoveFriend { session, username }, expected)
                    }
                }
            }
            Step::Mute(other, muted) => {
                let (other, username) = named(other);
                let most = (SMALL.mutes_max, Code::TooManyMuted);
                let expected = relate(&mut self.mutes, (me, other), *muted, most);
                (RelationCommand::Mute { session, username, muted: *muted }.into(), expected)
            }
            Step::Block(other, blocked) => {
                let (other, username) = named(other);
                let most = (SMALL.blocks_max, Code::TooManyBlocked);
                let expected = relate(&mut self.blocks, (me, other), *blocked, most);
                if *blocked && expected.is_ok() {
                    self.follows.remove(&(me, other));
                    self.follows.remove(&(other, me));
                }
                (RelationCommand::Block { session, username, blocked: *blocked }.into(), expected)
            }
            Step::Renew => return self.renew(who),
            Step::IndexCroaks => {
                self.log.steps(&Command::IndexCroaks);
                return;
            }
            Step::Reopen => return self.log.model.reopen(),
        };
        let outcome = self.log.run(command.clone()).map_err(|denied| denied.code);
        assert_eq!(outcome, expected, "{command:?} at {}", self.log.index());
        self.sweep_croaks();
    }

    fn post(
        &mut self,
        who: usize,
        mention: Option<usize>,
        followers: bool,
        to: Option<LogIndex>,
        next: LogIndex,
    ) -> (Command, Result<Reply, Code>) {
        let (me, session) = self.people[who];
        let text = mention.map_or("quak".to_string(), |who| format!("quak @{}", PEOPLE[who]));
        let audience = if followers { Audience::Followers } else { Audience::Everyone };
        let command = Command::Croak { session, text, reply_to: to, audience: Some(audience) };
        let mut post = Post {
            author: me,
            followers,
            reply_to: to,
            mentions: mention.into_iter().collect(),
            deleted: false,
        };
        if let Some(to) = to {
            if !self.sees(me, to) {
                return (command, Err(Code::NoSuchCroak));
            }
            let parent = &self.posts[&to];
            post.followers |= parent.followers;
            if parent.author != me {
                post.mentions.insert(self.slot(parent.author));
            }
        }
        self.posts.insert(next, post);
        (command, Ok(Reply::Croaked { croak: next }))
    }

    fn share(&mut self, me: AccountId, croak: LogIndex, next: LogIndex) -> Result<Reply, Code> {
        if !self.sees(me, croak) {
            return Err(Code::NoSuchCroak);
        }
        let post = &self.posts[&croak];
        if post.author == me || post.followers {
            return Err(Code::NotShareable);
        }
        if let Some((share, _)) = self.shares.iter().find(|(_, share)| **share == (me, croak)) {
            return Ok(Reply::Croaked { croak: *share });
        }
        self.shares.insert(next, (me, croak));
        Ok(Reply::Croaked { croak: next })
    }

    fn delete(&mut self, me: AccountId, croak: LogIndex) -> Result<Reply, Code> {
        if let Some((sharer, _)) = self.shares.get(&croak) {
            if *sharer != me {
                return Err(Code::NotYours);
            }
            self.shares.remove(&croak);
            return Ok(Reply::Done);
        }
        match self.posts.get(&croak).filter(|post| !post.deleted) {
            None => Err(Code::NoSuchCroak),
            Some(post) if post.author != me => Err(Code::NotYours),
            Some(_) => {
                self.forget(croak);
                Ok(Reply::Done)
            }
        }
    }

    /// Deletes a croak with its likes and shares.
    fn forget(&mut self, croak: LogIndex) {
        self.posts.get_mut(&croak).unwrap().deleted = true;
        self.likes.retain(|(_, liked)| *liked != croak);
        self.shares.retain(|_, (_, shared)| *shared != croak);
    }

    fn follow(&mut self, me: AccountId, other: AccountId) -> Result<Reply, Code> {
        let refusals = [
            (me == other, Code::Yourself),
            (self.blocks.contains(&(me, other)), Code::YouBlocked),
            (self.blocks.contains(&(other, me)), Code::BlockedByThem),
            (self.follows.contains(&(me, other)), Code::AlreadyFriend),
        ];
        if let Some((_, code)) = refusals.into_iter().find(|(refused, _)| *refused) {
            return Err(code);
        }
        self.follows.insert((me, other));
        Ok(Reply::Done)
    }

    fn renew(&mut self, who: usize) {
        let (old, session) = self.people[who];
        let delete = Command::DeleteAccount { session, credential_version: 1 };
        self.log.run(delete).unwrap();
        self.log.steps(&Command::Sweep { account: old });
        self.log.steps(&Command::IndexCroaks);
        let mine: Vec<LogIndex> =
            self.posts.iter().filter(|(_, post)| post.author == old).map(|(id, _)| *id).collect();
        for croak in mine {
            self.forget(croak);
        }
        self.shares.retain(|_, (sharer, _)| *sharer != old);
        self.likes.retain(|(liker, _)| *liker != old);
        for pairs in [&mut self.follows, &mut self.mutes, &mut self.blocks] {
            pairs.retain(|(one, other)| *one != old && *other != old);
        }
        self.sweep_croaks();
        self.people[who] = self.person(PEOPLE[who]);
    }

    /// Removes what is left of deleted croaks, as a leader does.
    fn sweep_croaks(&mut self) {
        loop {
            let rows = table::<CroakSweeps>(&self.log.model);
            let Some((key, _)) = rows.first() else { return };
            let croak = LogIndex::from_bytes(key).unwrap();
            self.log.steps(&ConversationCommand::SweepCroak { croak }.into());
        }
    }

    // What people see.

    /// Returns the replies to a croak that are there, or were and have replies themselves.
    fn replies_to(&self, croak: LogIndex) -> Vec<LogIndex> {
        let answers = self.posts.iter().filter(|(_, post)| post.reply_to == Some(croak));
        let there = answers.filter(|(id, post)| !post.deleted || !self.replies_to(**id).is_empty());
        there.map(|(id, _)| *id).collect()
    }

    fn everyone(&self, me: AccountId) -> Vec<Entry> {
        let shown = |(id, post): &(&LogIndex, &Post)| {
            !post.followers && self.sees(me, **id) && !self.mutes.contains(&(me, post.author))
        };
        self.posts.iter().rev().filter(shown).map(|(id, _)| (*id, None)).collect()
    }

    fn feed(&self, me: AccountId) -> Vec<Entry> {
        let heard = |author: AccountId| {
            author == me || (self.follows.contains(&(me, author)) && !self.mutes.contains(&(me, author)))
        };
        let posts = self.posts.iter().filter(|(id, post)| heard(post.author) && self.sees(me, **id));
        let mut entries: Vec<(LogIndex, Entry)> = posts.map(|(id, _)| (*id, (*id, None))).collect();
        for (share, (sharer, croak)) in &self.shares {
            let author = self.posts[croak].author;
            let first = |(other, (by, of)): (&LogIndex, &(AccountId, LogIndex))| {
                other < share && of == croak && heard(*by)
            };
            let shown = heard(*sharer)
                && self.sees(me, *croak)
                && !heard(author)
                && !self.mutes.contains(&(me, author))
                && !self.shares.iter().any(first);
            if shown {
                entries.push((*share, (*croak, Some(*share))));
            }
        }
        entries.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        entries.into_iter().map(|(_, entry)| entry).collect()
    }

    fn profile(&self, me: AccountId, author: AccountId) -> Vec<Entry> {
        let posts = self.posts.iter().filter(|(id, post)| post.author == author && self.sees(me, **id));
        let shares = self.shares.iter().filter(|(_, (by, croak))| *by == author && self.sees(me, *croak));
        let mut entries: Vec<(LogIndex, Entry)> = posts.map(|(id, _)| (*id, (*id, None))).collect();
        entries.extend(shares.map(|(share, (_, croak))| (*share, (*croak, Some(*share)))));
        entries.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        entries.into_iter().map(|(_, entry)| entry).collect()
    }

    fn check_numbers(&self, me: AccountId, shown: &FeedCroak) {
        let of = |accounts: Vec<AccountId>| (accounts.len() as u32, accounts.contains(&me));
        let likes = self.likes.iter().filter(|(_, croak)| *croak == shown.id).map(|(who, _)| *who).collect();
        let shares =
            self.shares.values().filter(|(_, croak)| *croak == shown.id).map(|(who, _)| *who).collect();
        let replies = self.replies_to(shown.id).len() as u32;
        let numbers = &shown.numbers;
        let seen = ((numbers.likes, numbers.liked), (numbers.shares, numbers.shared), numbers.replies);
        assert_eq!(seen, (of(likes), of(shares), replies), "counts of {}", shown.id);
        assert_eq!(shown.author.account, self.posts[&shown.id].author);
    }

    /// Reads all pages of a list, and compares the ids and counts.
    fn check_list(
        &self,
        me: AccountId,
        what: &str,
        expected: &[Entry],
        page: impl Fn(Option<LogIndex>) -> Page,
    ) {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let (croaks, older) = match page(before) {
                Page::Feed { croaks, older, .. }
                | Page::Everyone { croaks, older, .. }
                | Page::Profile { croaks, older, .. } => (croaks, older),
                other => panic!("{other:?}"),
            };
            croaks.iter().for_each(|croak| self.check_numbers(me, croak));
            found.extend(croaks.iter().map(|croak| (croak.id, croak.share.as_ref().map(|share| share.id))));
            match older {
                Some(_) => before = older,
                None => break,
            }
        }
        assert_eq!(found, expected, "{what} of {}", me.0);
    }

    fn check_thread(&self, me: AccountId, session: TokenHash, id: LogIndex) {
        let limit = REPLIES_PAGE_MAX as u16;
        let answer = self.log.model.answer(&Query::Thread { session, id, after: None, limit });
        if !self.sees(me, id) {
            return assert_eq!(answer.map_err(|denied| denied.code), Err(Code::NoSuchCroak), "thread {id}");
        }
        let Ok(Page::Thread(thread)) = answer else { panic!("no thread of {id}") };
        self.check_numbers(me, &thread.croak);
        let seen = |croak: LogIndex| self.sees(me, croak).then_some(croak);
        let shown = |croak: &ThreadCroak| match croak {
            ThreadCroak::Croak(croak) => Some(croak.id),
            ThreadCroak::Gap => None,
        };
        let mut above: Vec<Option<LogIndex>> = Vec::new();
        let mut next = self.posts[&id].reply_to;
        while let Some(parent) = next.filter(|_| above.len() < ANCESTORS_MAX) {
            above.push(seen(parent));
            next = self.posts[&parent].reply_to;
        }
        above.reverse();
        assert_eq!(thread.above.iter().map(shown).collect::<Vec<_>>(), above, "above {id}");
        let mut expected = Vec::new();
        for reply in self.replies_to(id).into_iter().take(REPLIES_PAGE_MAX) {
            let nested = self.replies_to(reply).into_iter().take(NESTED_REPLIES_MAX).filter_map(seen);
            let nested: Vec<LogIndex> = nested.collect();
            if seen(reply).is_some() || !nested.is_empty() {
                expected.push((reply, seen(reply), nested));
            }
        }
        let found = thread.replies.iter().map(|reply| {
            (reply.id, shown(&reply.croak), reply.replies.iter().filter_map(shown).collect::<Vec<_>>())
        });
        assert_eq!(found.collect::<Vec<_>>(), expected, "replies to {id}");
    }

    /// Compares all that each person sees with the maps.
    fn check(&self) {
        for (me, session) in self.people.clone() {
            // Pages of a few, so that there are several.
            let limit = 3;
            let ask = |query: Query| self.log.model.answer(&query).expect("an answer");
            self.check_list(me, "everyone", &self.everyone(me), |before| {
                ask(Query::Everyone { session, before, limit })
            });
            self.check_list(me, "feed", &self.feed(me), |before| ask(Query::Feed { session, before, limit }));
            for (who, (author, _)) in self.people.iter().enumerate() {
                if self.blocked(me, *author) {
                    continue;
                }
                let username = PEOPLE[who].to_string();
                self.check_list(me, "profile", &self.profile(me, *author), |before| {
                    ask(Query::Profile { session, username: username.clone(), before, limit })
                });
            }
            for croak in self.posts.keys() {
                self.check_thread(me, session, *croak);
            }
        }
    }
}

/// Adds a pair or removes it, as muting and blocking do.
fn relate(
    pairs: &mut Pairs,
    pair: (AccountId, AccountId),
    on: bool,
    most: (usize, Code),
) -> Result<Reply, Code> {
    if pair.0 == pair.1 {
        return Err(Code::Yourself);
    }
    if on && !pairs.contains(&pair) && pairs.iter().filter(|(one, _)| *one == pair.0).count() >= most.0 {
        return Err(most.1);
    }
    if on {
        pairs.insert(pair)
    } else {
        pairs.remove(&pair)
    };
    Ok(Reply::Done)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn threads_lists_and_counts_are_those_of_plain_maps(steps in steps()) {
        Story::of(&steps).check();
    }
}
