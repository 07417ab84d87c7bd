//! Events of a history, and their subscribers: the stream is the same wherever a subscriber resumes.

use super::properties::{History, config, steps};
use super::rooms::{acts, log_of};
use super::*;
use crate::code::{Code, Denied};
use crate::command::{
    AccessCommand, AccountCommand, AppCommand, AppLogIn, Audience, ConversationCommand, MessageCommand,
    OperatorCommand, RelationCommand, ReportSubject, Verdict,
};
use crate::events::{CountedCroak, Event, EventKind};
use crate::facts::event;
use crate::interest::{Interest, Topic};
use crate::limits::COUNTED_CROAKS_MAX;
use crate::scopes::Scopes;
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::BTreeSet;

/// Every event of a log, and the interest of each open session after every index.
struct Told {
    events: Vec<Event>,
    interests: Vec<Vec<Interest>>,
}

fn tell(log: &Log, sessions: &BTreeSet<TokenHash>) -> Told {
    let mut model = Model::within(SMALL, 3);
    let mut told = Told { events: Vec::new(), interests: vec![Vec::new()] };
    for (index, proposal) in (1..).zip(&log.proposals) {
        let applied = model.decide(index, proposal);
        told.events.extend(event(index, &proposal.request.command, &applied.outcome, &applied.changes));
        model.commit(index, &applied.changes);
        let load = |session: &TokenHash| {
            Interest::load(&model, &Topic::feed(*session)).expect("the model can be read")
        };
        told.interests.push(sessions.iter().filter_map(load).collect());
    }
    told
}

fn streamed(mut interest: Interest, events: &[Event]) -> Vec<Event> {
    let mut stream = Vec::new();
    for event in events {
        stream.extend(interest.received(event));
        interest.advance(&event.what);
    }
    stream
}

fn sessions(log: &Log) -> BTreeSet<TokenHash> {
    let token = |proposal: &Proposal| match proposal.request.command {
        Command::LogIn { token, .. } => Some(token),
        _ => None,
    };
    log.proposals.iter().filter_map(token).collect()
}

#[test]
fn refused_and_repeated_requests_produce_no_event() {
    let mut log = Log::small();
    let ada = log.person("ada");
    let bob = log.person("bob");
    log.befriend("ada", "bob").unwrap();
    log.befriend("ada", "bob").unwrap_err();
    let croak = log.croak("bob", "hello");
    let again = log.proposals[croak as usize - 1].request.clone();
    log.propose(again).unwrap();
    log.run(Command::RemoveFriend { session: token("ada"), username: "bob".into() }).unwrap();
    log.delete("bob");
    log.steps(&Command::Sweep { account: bob });
    log.run(Command::LogOut { session: token("ada") }).unwrap();
    let what: Vec<_> = tell(&log, &BTreeSet::new()).events.into_iter().map(|event| event.what).collect();
    let expected = [
        EventKind::AccountCreated { account: ada },
        EventKind::SessionOpened { account: ada },
        EventKind::AccountCreated { account: bob },
        EventKind::SessionOpened { account: bob },
        EventKind::FriendAdded { account: ada, friend: bob },
        EventKind::Croaked { author: bob },
        EventKind::FriendRemoved { account: ada, friend: bob },
        EventKind::AccountDeleted { account: bob },
        EventKind::SessionClosed { account: ada },
    ];
    assert_eq!(what, expected);
}

#[test]
fn what_people_and_operators_do_produces_events() {
    let mut log = Log::small();
    let [ada, bob] = ["ada", "bob"].map(|name| log.person(name));
    let croak = log.croak("bob", "hello");
    let asked = log.index();
    let (session, username) = (token("ada"), || "bob".to_string());
    log.run(MessageCommand::Send { session, username: username(), text: "hi".into() }.into()).unwrap();
    let (delivered_through, read_through) = (log.index(), log.index());
    log.run(
        MessageCommand::Mark { session: token("bob"), with: ada, delivered_through, read_through }.into(),
    )
    .unwrap();
    log.run(MessageCommand::ReadFeed { session, through: croak }.into()).unwrap();
    for muted in [true, false] {
        log.run(RelationCommand::Mute { session, username: username(), muted }.into()).unwrap();
    }
    log.befriend("ada", "bob").unwrap();
    for blocked in [true, false] {
        let (session, username) = (token("bob"), "ada".into());
        log.run(RelationCommand::Block { session, username, blocked }.into()).unwrap();
    }
    let report = log.index() + 1;
    let subject = ReportSubject::Croak { croak };
    log.run(RelationCommand::Report { session, subject, words: String::new() }.into()).unwrap();
    log.run(OperatorCommand::Announce { text: "rain".into(), for_ms: None }.into()).unwrap();
    log.run(OperatorCommand::DecideReport { report, verdict: Verdict::Remove }.into()).unwrap();
    log.run(OperatorCommand::SetPassword { account: ada, password_hash: "new".into() }.into()).unwrap();
    for suspended in [true, false] {
        log.run(OperatorCommand::Suspend { account: bob, suspended }.into()).unwrap();
    }
    let code = token("code");
    log.run(OperatorCommand::MakeResetLink { account: bob, code }.into()).unwrap();
    log.run(AccessCommand::ResetPassword { code, password_hash: "newer".into() }.into()).unwrap();
    log.run(OperatorCommand::RemoveAccount { account: bob }.into()).unwrap();
    let told = tell(&log, &BTreeSet::new()).events.into_iter().filter(|event| event.index > asked);
    let what: Vec<_> = told.map(|event| event.what).collect();
    let blocked =
        |blocked, follows| EventKind::Blocked { account: bob, other: ada, blocked, followed: false, follows };
    let expected = [
        EventKind::Messaged { from: ada, to: bob },
        EventKind::Marked { account: bob, with: ada },
        EventKind::FeedRead { account: ada },
        EventKind::Muted { account: ada, other: bob, muted: true },
        EventKind::Muted { account: ada, other: bob, muted: false },
        EventKind::FriendAdded { account: ada, friend: bob },
        blocked(true, true),
        blocked(false, false),
        EventKind::Announced,
        EventKind::CroakRemoved { croak },
        EventKind::SessionClosed { account: ada },
        EventKind::SessionClosed { account: bob },
        EventKind::SessionClosed { account: bob },
        EventKind::AccountDeleted { account: bob },
    ];
    assert_eq!(what, expected);
}

#[test]
fn a_notified_person_receives_an_event_that_names_nobody_else() {
    let mut log = Log::small();
    let [ada, bob, carl] = ["ada", "bob", "carl"].map(|name| log.person(name));
    log.befriend("ada", "bob").unwrap();
    log.croak("bob", "@ada and @carl");
    log.run(NoticeCommand::Read { session: token("carl"), through: log.index() }.into()).unwrap();
    let events = tell(&log, &BTreeSet::new()).events;
    let received = |name: &str, event: &Event| {
        let interest = Interest::load(&log.model, &Topic::feed(token(name))).unwrap();
        interest.expect("open").received(event).map(|event| (event.what, event.notified.into_vec()))
    };
    let [.., follow, croak, read] = events.as_slice() else { panic!("{events:?}") };
    let followed = EventKind::FriendAdded { account: ada, friend: bob };
    assert_eq!(received("ada", follow), Some((followed.clone(), vec![])));
    assert_eq!(received("bob", follow), Some((followed, vec![bob])));
    assert_eq!(received("carl", follow), None);
    let croaked = EventKind::Croaked { author: bob };
    assert_eq!(received("ada", croak), Some((croaked.clone(), vec![ada])));
    assert_eq!(received("bob", croak), Some((croaked, vec![])));
    assert_eq!(received("carl", croak), Some((EventKind::Noticed, vec![carl])), "carl does not follow bob");
    assert_eq!(received("carl", read), Some((EventKind::Noticed, vec![carl])), "another page of carl's");
    assert_eq!(received("ada", read), None);
}

#[test]
fn counts_are_received_for_the_feed_and_for_croaks_that_were_asked_for() {
    let mut log = Log::small();
    let [ada, bob, carl] = ["ada", "bob", "carl"].map(|name| log.person(name));
    log.befriend("ada", "bob").unwrap();
    let croak = log.croak("bob", "hello");
    let session = token("carl");
    log.run(ConversationCommand::Like { session, croak }.into()).unwrap();
    log.run(ConversationCommand::Share { session, croak }.into()).unwrap();
    let reply = Command::Croak {
        session,
        text: "yes".into(),
        reply_to: Some(croak),
        audience: Some(Audience::Everyone),
    };
    let Ok(Reply::Croaked { croak: answer }) = log.run(reply) else { panic!("carl may reply") };
    log.run(AccountCommand::RemoveCroak { session, croak: answer }.into()).unwrap();
    log.run(ConversationCommand::Unshare { session, croak }.into()).unwrap();
    let events = tell(&log, &BTreeSet::new()).events;
    let all: Vec<_> = events.iter().filter_map(|event| event.counted).collect();
    let counted = CountedCroak { croak, author: bob };
    assert_eq!(all, [counted; 5]);
    let [.., event] = events.as_slice() else { panic!("no events") };
    let received = |log: &Log, name: &str, croaks: Vec<LogIndex>| {
        let topic = Topic::Feed { session: token(name), croaks, everyone: false };
        let interest = Interest::load(&log.model, &topic).unwrap().expect("open");
        interest.received(event).and_then(|event| event.counted)
    };
    assert_eq!(received(&log, "ada", vec![]), Some(counted), "ada follows bob");
    assert_eq!(received(&log, "bob", vec![]), Some(counted), "it is bob's own");
    assert_eq!(received(&log, "carl", vec![]), None);
    assert_eq!(received(&log, "carl", vec![croak, answer, 0]), Some(counted));
    // Too many are refused before they come here.
    let topic = |count: usize| Topic::Feed { session, croaks: vec![croak; count], everyone: false };
    assert_eq!(topic(COUNTED_CROAKS_MAX).check(), Ok(()));
    assert_eq!(topic(COUNTED_CROAKS_MAX + 1).check(), Err(Denied::new(Code::InvalidEntry)));
    // A block ends it in an open stream, too.
    let mut open = Interest::load(&log.model, &topic(1)).unwrap().expect("open");
    let block =
        |other| EventKind::Blocked { account: bob, other, blocked: true, followed: false, follows: false };
    for (other, after) in [(ada, Some(counted)), (carl, None)] {
        open.advance(&block(other));
        assert_eq!(open.received(event).and_then(|event| event.counted), after);
    }
}

#[test]
fn an_interest_ends_with_its_session() {
    let mut log = Log::small();
    let ada = log.person("ada");
    let wanted = Topic::feed(token("ada"));
    let interest = Interest::load(&log.model, &wanted).unwrap().expect("open");
    assert!(interest.is_open(&log.model).unwrap());
    assert!(interest.may_end_session(&EventKind::SessionClosed { account: ada }));
    assert!(!interest.is_expired(crate::limits::SESSION_AGE_MS_MAX - 1));
    assert!(interest.is_expired(crate::limits::SESSION_AGE_MS_MAX));
    log.run(Command::LogOut { session: token("ada") }).unwrap();
    assert!(!interest.is_open(&log.model).unwrap());
    assert_eq!(Interest::load(&log.model, &wanted).unwrap(), None);
}

#[test]
fn an_interest_of_an_app_lasts_as_long_as_its_session() {
    let mut log = Log::small();
    log.person("ada");
    let scopes: Scopes = "read".parse().unwrap();
    let redirects = vec!["toot:back".to_string()];
    let register = AppCommand::Register {
        name: "toot".into(),
        website: String::new(),
        redirects,
        scopes,
        key: token("key"),
    };
    let Ok(Reply::Registered { app }) = log.run(register.into()) else { panic!("registered") };
    let app = Some(AppLogIn { app, key: token("key"), scopes });
    let account = AccountId(1);
    let device = String::new();
    log.run(Command::LogIn { account, credential_version: 1, token: token("toot"), device, app }).unwrap();
    let interest = Interest::load(&log.model, &Topic::feed(token("toot"))).unwrap().expect("open");
    assert!(!interest.is_expired(crate::limits::SESSION_AGE_MS_MAX));
    assert!(!interest.is_expired(crate::limits::APP_SESSION_AGE_MS_MAX - 1));
    assert!(interest.is_expired(crate::limits::APP_SESSION_AGE_MS_MAX));
}

proptest! {
    #![proptest_config(config())]

    /// A subscriber may resume at any index, on a member that is already further. It receives the events that it would
    /// have received live, except the croaks of accounts that were deleted since.
    #[test]
    fn a_stream_is_the_same_wherever_it_is_resumed(steps in steps()) {
        let log = History::of(&steps).log;
        let told = tell(&log, &sessions(&log));
        let end = log.index();
        let deleted = |author: AccountId| {
            told.events.iter().any(|event| event.what == EventKind::AccountDeleted { account: author })
        };
        for last in &told.interests[end as usize] {
            let mut interest = last.clone();
            for at in (0..end).rev() {
                if let Ok(place) = told.events.binary_search_by_key(&(at + 1), |event| event.index) {
                    interest.rewind(&told.events[place].what);
                }
                // The sessions that were open at that index.
                let Some(then) = told.interests[at as usize].iter().find(|it| it.session() == last.session()) else {
                    break;
                };
                let from = told.events.partition_point(|event| event.index <= at);
                let live = streamed(then.clone(), &told.events[from..]);
                let resumed = streamed(interest.clone(), &told.events[from..]);
                let gone = |event: &&Event| matches!(event.what, EventKind::Croaked { author } if deleted(author));
                let kept = |stream: &[Event]| stream.iter().filter(|it| !gone(it)).cloned().collect::<Vec<_>>();
                prop_assert_eq!(kept(&live), kept(&resumed));
            }
        }
    }

    /// The same for rooms, except what was said in a room that was closed since.
    #[test]
    fn a_stream_of_rooms_is_the_same_wherever_it_is_resumed(acts in acts()) {
        let log = log_of(&acts);
        let told = tell(&log, &sessions(&log));
        let end = log.index();
        let closed: BTreeSet<_> = told.events.iter().filter_map(|event| match event.what {
            EventKind::RoomClosed { room } => Some(room),
            _ => None,
        }).collect();
        let kept = |stream: &[Event]| stream.iter().filter(|event| match event.what {
            EventKind::RoomSaid { room, .. }
            | EventKind::RoomMessageRemoved { room, .. }
            | EventKind::RoomJoined { room, .. }
            | EventKind::RoomLeft { room, .. }
            | EventKind::RoomChanged { room }
            | EventKind::RoomClosed { room } => !closed.contains(&room),
            _ => true,
        }).cloned().collect::<Vec<_>>();
        for last in &told.interests[end as usize] {
            let mut interest = last.clone();
            for at in (0..end).rev() {
                if let Ok(place) = told.events.binary_search_by_key(&(at + 1), |event| event.index) {
                    interest.rewind(&told.events[place].what);
                }
                let Some(then) = told.interests[at as usize].iter().find(|it| it.session() == last.session()) else {
                    break;
                };
                let from = told.events.partition_point(|event| event.index <= at);
                let live = streamed(then.clone(), &told.events[from..]);
                prop_assert_eq!(kept(&live), kept(&streamed(interest.clone(), &told.events[from..])));
            }
        }
    }

    /// The croaks that a feed gains from one index to another are those in the stream between them that it does not take back,
    /// as long as the followed accounts stay the same.
    #[test]
    fn a_page_and_the_stream_behind_it_are_the_later_page(steps in steps(), cut in any::<Index>()) {
        let log = History::of(&steps).log;
        let told = tell(&log, &sessions(&log));
        let cut = cut.index(log.proposals.len()) as LogIndex;
        let from = told.events.partition_point(|event| event.index <= cut);
        for last in &told.interests[log.proposals.len()] {
            let then = told.interests[cut as usize].iter().find(|it| it.session() == last.session());
            let Some(then) = then else { continue };
            let stream = streamed(then.clone(), &told.events[from..]);
            let others = |event: &Event| {
                let mut people = then.clone();
                people.advance(&event.what);
                people != *then || matches!(event.what, EventKind::AccountDeleted { .. })
            };
            if stream.iter().any(others) {
                continue;
            }
            let croaked = |event: &Event| matches!(event.what, EventKind::Croaked { .. }).then_some(event.index);
            let gone = |croak: LogIndex| {
                stream.iter().any(|event| event.what == EventKind::CroakRemoved { croak })
            };
            let said: Vec<LogIndex> =
                stream.iter().rev().filter_map(croaked).filter(|croak| !gone(*croak)).collect();
            let query = Query::Feed { session: last.session().expect("of a feed"), before: None, limit: u16::MAX };
            let Ok(Page::Feed { croaks, older: None, .. }) = log.model.answer(&query) else { continue };
            let gained: Vec<LogIndex> = croaks.iter().map(|croak| croak.id).filter(|id| *id > cut).collect();
            prop_assert_eq!(said, gained);
        }
    }
}
