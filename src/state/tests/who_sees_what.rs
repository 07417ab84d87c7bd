//! Table of visibility: every relation of a reader to an author against every path by which the reader could meet the author or
//! a croak of theirs. A path that is added gets a column here.

use super::*;
use crate::code::Code;
use crate::command::{
    AccountChanges, AccountCommand, Audience, ConversationCommand, MessageCommand, RelationCommand,
};
use crate::events::{CountedCroak, Event, EventKind};
use crate::interest::{Interest, Topic};
use crate::query::{FollowSide, ReactionKind, TalkPartner};

/// Relation between the reader and the author.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Strangers,
    ReaderFollows,
    /// The reader follows the author and has muted them.
    ReaderMutes,
    /// The reader has muted the author without following them.
    ReaderMutesStranger,
    AuthorMutesReader,
    /// They followed each other before.
    ReaderBlocks,
    AuthorBlocks,
    AuthorDeleted,
}
use Relation::*;

/// The paths on which the reader meets the author of a croak.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Met {
    feed: bool,
    /// The croaks on the author's profile.
    profile: bool,
    /// The croak that is pinned to it.
    pinned: bool,
    /// Text and links on it.
    bio: bool,
    croak: bool,
    /// The croak's thread, and the lists of those who like or shared it.
    thread: bool,
    /// The croaks of everyone.
    everyone: bool,
    /// A share by an account that the reader follows.
    shared: bool,
    /// A like is accepted.
    like: bool,
    /// A share is accepted.
    share: bool,
    /// The croak in the notices, and the count.
    notice: bool,
    /// The event of a new croak on the live stream.
    live: bool,
    people: bool,
    followers: bool,
    unread: bool,
    /// A reply is accepted.
    reply: bool,
    follow: bool,
    message: bool,
    /// A talk can be opened.
    talk: bool,
    /// A feed reader without a session finds the croak among the author's.
    public: bool,
}

const NOTHING: Met = Met {
    feed: false,
    profile: false,
    pinned: false,
    bio: false,
    croak: false,
    thread: false,
    everyone: false,
    shared: false,
    like: false,
    share: false,
    notice: false,
    live: false,
    people: false,
    followers: false,
    unread: false,
    reply: false,
    follow: false,
    message: false,
    talk: false,
    public: false,
};
/// Paths on which strangers meet: the author does not follow the reader, and the reader may begin everything.
const STRANGERS: Met = Met {
    profile: true,
    pinned: true,
    bio: true,
    croak: true,
    thread: true,
    everyone: true,
    shared: true,
    like: true,
    share: true,
    notice: true,
    people: true,
    reply: true,
    follow: true,
    message: true,
    talk: true,
    public: true,
    ..NOTHING
};

const TABLE: [(Relation, Met); 8] = [
    (Strangers, STRANGERS),
    // The feed has the croak itself, so it has no share of it.
    (ReaderFollows, Met { feed: true, live: true, unread: true, shared: false, ..STRANGERS }),
    (ReaderMutes, Met { notice: false, everyone: false, shared: false, ..STRANGERS }),
    (ReaderMutesStranger, Met { notice: false, everyone: false, shared: false, ..STRANGERS }),
    (AuthorMutesReader, STRANGERS),
    // It is public for every reader, because a reader without a session is blocked by no account.
    (ReaderBlocks, Met { public: true, ..NOTHING }),
    (AuthorBlocks, Met { public: true, ..NOTHING }),
    (AuthorDeleted, NOTHING),
];

/// Difference for a croak for followers that does not mention the reader: a reader who does not follow sees nothing of it.
fn for_followers(relation: Relation, met: Met) -> Met {
    let met = Met { public: false, ..met };
    match relation {
        // A share is refused, so there is none to see.
        ReaderFollows | ReaderMutes => {
            Met { everyone: false, shared: false, share: false, notice: false, ..met }
        }
        Strangers | ReaderMutesStranger | AuthorMutesReader | ReaderBlocks | AuthorBlocks | AuthorDeleted => {
            Met {
                profile: false,
                pinned: false,
                croak: false,
                thread: false,
                everyone: false,
                shared: false,
                like: false,
                share: false,
                notice: false,
                reply: false,
                ..met
            }
        }
    }
}

fn block(log: &mut Log, me: &str, other: &str) {
    let (session, username) = (token(me), other.into());
    log.run(RelationCommand::Block { session, username, blocked: true }.into()).unwrap();
}

fn mute(log: &mut Log, me: &str, other: &str) {
    let (session, username) = (token(me), other.into());
    log.run(RelationCommand::Mute { session, username, muted: true }.into()).unwrap();
}

/// Returns a log in which the two stand in this relation. The relation begins before the croak, or behind it.
fn history(relation: Relation, croak_first: bool, audience: Audience) -> (Log, LogIndex) {
    let mut log = Log::new(Model::new());
    log.person("ada");
    log.person("reader");
    let mut croak = 0;
    let changes = AccountChanges { bio: Some("frogs".into()), ..AccountChanges::default() };
    log.run(AccountCommand::Describe { session: token("ada"), changes }.into()).unwrap();
    log.person("friend");
    log.befriend("reader", "friend").unwrap();
    // The author's croak for everyone mentions the reader; one for followers does not.
    let say = |log: &mut Log| {
        let text = if audience == Audience::Everyone { "hello @reader" } else { "hello, friends" };
        let command = Command::Croak {
            session: token("ada"),
            text: text.into(),
            reply_to: None,
            audience: Some(audience),
        };
        let Ok(Reply::Croaked { croak }) = log.run(command) else { panic!("ada may croak") };
        log.run(AccountCommand::Pin { session: token("ada"), croak, pinned: true }.into()).unwrap();
        // Another person shares it, if they may.
        drop(log.run(ConversationCommand::Share { session: token("friend"), croak }.into()));
        croak
    };
    let meet = |log: &mut Log| match relation {
        Strangers => {}
        ReaderFollows => log.befriend("reader", "ada").map(drop).unwrap(),
        ReaderMutes => {
            log.befriend("reader", "ada").unwrap();
            mute(log, "reader", "ada");
        }
        ReaderMutesStranger => mute(log, "reader", "ada"),
        AuthorMutesReader => mute(log, "ada", "reader"),
        ReaderBlocks | AuthorBlocks => {
            log.befriend("reader", "ada").unwrap();
            log.befriend("ada", "reader").unwrap();
            let (me, other) = if relation == ReaderBlocks { ("reader", "ada") } else { ("ada", "reader") };
            block(log, me, other);
        }
        AuthorDeleted => log.delete("ada"),
    };
    if croak_first || relation == AuthorDeleted {
        croak = say(&mut log);
        // A reader that was there keeps its timeline.
        log.feed("reader", None, 10);
        meet(&mut log);
    } else {
        meet(&mut log);
        log.feed("reader", None, 10);
    }
    if croak == 0 {
        croak = say(&mut log);
    }
    (log, croak)
}

/// Checks that queries which name croaks, accounts and people answer as those for one of them do.
fn meets_alike_when_named(log: &Log, croak: LogIndex, met: Met) {
    let session = token("reader");
    let ask = |query: Query| log.model.answer(&query).expect("the reader is logged in");
    let Page::Croaks(croaks) = ask(Query::Croaks { session, ids: vec![croak] }) else { panic!() };
    assert_eq!(!croaks.is_empty(), met.croak);
    let Page::Profiles { profiles, .. } = ask(Query::Profiles { session, accounts: vec![AccountId(1)] })
    else {
        panic!()
    };
    assert_eq!(profiles.iter().any(|profile| !profile.bio.is_empty()), met.bio);
    let Page::Persons(people) = ask(Query::Persons { session, usernames: vec!["ada".into()] }) else {
        panic!()
    };
    assert_eq!(!people.is_empty(), met.people);
    let friend = || "friend".to_string();
    let followers =
        Query::FollowsOf { session, username: friend(), side: FollowSide::Followers, after: None };
    let Page::Friends { friends, .. } = ask(followers) else { panic!() };
    assert!(friends.iter().all(|person| person.username != "ada") || met.people);
}

fn met(mut log: Log, croak: LogIndex) -> Met {
    let (session, address) = (token("reader"), token("address"));
    log.run(AccountCommand::MakeFeedAddress { session, address, room: None }.into()).unwrap();
    let ask = |query: Query| log.model.answer(&query);
    let ada = |account: AccountId| account == AccountId(1);
    let profile = ask(Query::Profile { session, username: "ada".into(), before: None, limit: 10 });
    let people = ask(Query::People { session, names: "a*".into(), after: None });
    let followers = ask(Query::Followers { session, after: None });
    let Ok(Page::Notices { notices, unread, .. }) = ask(Query::Notices { session, before: None, limit: 10 })
    else {
        panic!("the reader is logged in")
    };
    let Ok(Page::Unread(counts)) = ask(Query::Unread { session }) else { panic!("the reader is logged in") };
    assert_eq!(counts.notices, unread);
    let wanted = Topic::Feed { session, croaks: vec![croak], everyone: false };
    let interest = Interest::load(&log.model, &wanted).unwrap().expect("open");
    let talk = ask(Query::Talk { session, with: TalkPartner::Named("ada".into()), before: None, limit: 1 });
    let Ok(Page::Feed { croaks: in_feed, .. }) = ask(Query::Feed { session, before: None, limit: 10 }) else {
        panic!("the reader is logged in")
    };
    let Ok(Page::Feed { croaks: addressed, .. }) = ask(Query::AddressedFeed { address }) else {
        panic!("the reader has made that address")
    };
    assert_eq!(addressed, in_feed, "a feed address shows what its owner sees");
    let public = ask(Query::PublicCroaks { username: "ada".into() });
    let everyone = ask(Query::Everyone { session, before: None, limit: 10 });
    let mut met = Met {
        feed: in_feed.iter().any(|one| one.id == croak && one.share.is_none()),
        shared: in_feed.iter().any(|one| one.id == croak && one.share.is_some()),
        thread: ask(Query::Thread { session, id: croak, after: None, limit: 9 }).is_ok()
            && ask(Query::Reactions { session, croak, kind: ReactionKind::Share }).is_ok(),
        everyone: matches!(everyone, Ok(Page::Everyone { croaks, .. }) if croaks.iter().any(|one| one.id == croak)),
        profile: matches!(&profile, Ok(Page::Profile { croaks, .. }) if !croaks.is_empty()),
        pinned: matches!(&profile, Ok(Page::Profile { pinned, .. }) if pinned.is_some()),
        bio: matches!(&profile, Ok(Page::Profile { profile, .. }) if !profile.bio.is_empty()),
        croak: ask(Query::Croak { session, id: croak }).is_ok(),
        notice: !notices.is_empty(),
        live: interest.wants(&EventKind::Croaked { author: AccountId(1) }),
        people: matches!(people, Ok(Page::People { people, .. }) if people.iter().any(|one| ada(one.person.account))),
        followers: matches!(followers, Ok(Page::Followers { people, .. }) if !people.is_empty()),
        unread: counts.croaks > 0,
        talk: talk.is_ok(),
        public: matches!(public, Ok(Page::PublicCroaks { croaks, .. }) if croaks.iter().any(|one| one.id == croak)),
        ..Met::default()
    };
    let counted = Some(CountedCroak { croak, author: AccountId(1) });
    let counts = interest.received(&Event { counted, ..Event::new(croak, EventKind::Noticed) });
    assert_eq!(counts.is_some(), met.croak, "counts are for those who see the croak");
    meets_alike_when_named(&log, croak, met);
    let wanted = Topic::Feed { session, croaks: Vec::new(), everyone: true };
    let interest = Interest::load(&log.model, &wanted).unwrap().expect("open");
    let is_for_everyone =
        |page| matches!(page, Ok(Page::Croak(one)) if one.body.audience == Audience::Everyone);
    let arrives = interest.wants(&EventKind::Croaked { author: AccountId(1) })
        && is_for_everyone(ask(Query::Croak { session, id: croak }));
    assert_eq!(arrives, met.everyone, "what is new for everyone arrives where it is listed");
    let (author, account) = (AccountId(2), AccountId(1));
    assert!(!interest.wants(&EventKind::Shared { croak, author, account }), "shares are not listed there");
    let username = || "ada".to_string();
    let reply = Command::Croak {
        session,
        text: "yes".into(),
        reply_to: Some(croak),
        audience: Some(Audience::Everyone),
    };
    met.reply = log.run(reply).is_ok();
    met.like = log.run(ConversationCommand::Like { session, croak }.into()).is_ok();
    let liked = log.model.answer(&Query::Liked { session, before: None, limit: 10 });
    let is_listed = matches!(liked, Ok(Page::Liked { croaks, .. }) if !croaks.is_empty());
    assert_eq!(is_listed, met.like, "what was liked is listed");
    met.share = log.run(ConversationCommand::Share { session, croak }.into()).is_ok();
    met.message =
        log.run(MessageCommand::Send { session, username: username(), text: "hi".into() }.into()).is_ok();
    met.follow = match log.run(Command::AddFriend { session, username: username() }) {
        Ok(_) => true,
        Err(denied) => denied.code == Code::AlreadyFriend,
    };
    met
}

#[test]
fn a_reader_meets_an_author_on_exactly_the_paths_of_their_relation() {
    for (audience, (relation, expected)) in [Audience::Everyone, Audience::Followers]
        .into_iter()
        .flat_map(|audience| TABLE.into_iter().map(move |row| (audience, row)))
    {
        let expected =
            if audience == Audience::Followers { for_followers(relation, expected) } else { expected };
        let (log, croak) = history(relation, false, audience);
        assert_eq!(met(log, croak), expected, "{relation:?}, then the croak for {audience:?}");
        // What was written before a follow is in the feed, but it is not new.
        let expected = Met { unread: false, ..expected };
        let (log, croak) = history(relation, true, audience);
        assert_eq!(met(log, croak), expected, "the croak for {audience:?}, then {relation:?}");
    }
}
