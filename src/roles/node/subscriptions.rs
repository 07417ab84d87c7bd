//! Subscriptions: what this backend applies, told to who follows it.
//!
//! ```text
//!   Subscribe { cursor, wanted } ─▶ a place? ─▶ our history? ─▶ applied that far? ─▶ session open? ─▶ cursor known?
//!                                                                            │
//!       Live { cursor, events }* ◀── one for each look at the ring that finds something, and a beat ◀─────┘
//!       Lapsed | Refused | Unavailable: the end
//! ```
//!
//! A stream is a function of the log, the session and the cursor alone, so it may be resumed on another backend at
//! exactly the next event. What waits for one reader is one batch; the rest stays in the ring, and who is overtaken
//! by it is told to read again. A reader that takes nothing for `WRITE_STALL` loses its connection.
//!
//! The session is looked up again whenever something happened to it; its age is compared with the cluster's at every
//! look. A stream whose node has lost touch with the group ends after `LIVE_OLD_MAX`: another may know more.

use super::reading::READ_WAIT;
use super::{Member, Node};
use crate::db::DbError;
use crate::net::frame::FrameError;
use crate::net::limits::{LIVE_BEAT, LIVE_GATHER, LIVE_OLD_MAX};
use crate::net::listener::Outlet;
use crate::net::protocol::{Answer, Lapse, Why};
use crate::replica::Unreached;
use crate::replica::live::{Follower, Lapsed};
use crate::state::{Code, Denied, Interest, LogIndex, Role, Token, Wanted};
use smol::future::FutureExt;
use std::time::Instant;

/// Tells what is wanted behind the cursor until one side has enough.
///
/// # Errors
/// The connection is lost, or its reader has stopped reading.
pub async fn serve(
    node: &Node,
    cursor: Token,
    wanted: Wanted,
    outlet: &mut Outlet,
) -> Result<(), FrameError> {
    // People are served by backends; the namespace is everybody's.
    let serves = node.options.role == Role::Backend || matches!(wanted, Wanted::Tree { .. });
    let Some(member) = node.member.get().filter(|_| serves) else {
        return outlet.send(Answer::Unavailable(Why::NotServing)).await;
    };
    let Some(_place) = node.subscribers.try_acquire() else {
        return outlet.send(Answer::Unavailable(Why::Busy)).await;
    };
    let subscription = Subscription { member };
    let end = match subscription.begin(cursor, wanted).await {
        Ok(mut follower) => subscription.follow(&mut follower, outlet).await?,
        Err(answer) => answer,
    };
    outlet.send(end).await
}

struct Subscription<'a> {
    member: &'a Member,
}

impl Subscription<'_> {
    fn token(&self, index: LogIndex) -> Token {
        Token { history: self.member.identity.history, index }
    }

    fn lapsed(&self, why: Lapse, resume_at: LogIndex) -> Answer {
        Answer::Lapsed { resume_at: self.token(resume_at), why }
    }

    /// A follower at the cursor, or what to answer instead.
    async fn begin(&self, cursor: Token, wanted: Wanted) -> Result<Follower, Answer> {
        let replica = &self.member.replica;
        let live = replica.live();
        if cursor.history != self.member.identity.history {
            return Err(self.lapsed(Lapse::OtherHistory, live.through()));
        }
        match replica.reach(cursor.index, Instant::now() + READ_WAIT).await {
            Ok(()) => {}
            Err(Unreached::Late) => return Err(Answer::Unavailable(Why::Behind)),
            Err(Unreached::NeverCommitted) => return Err(self.lapsed(Lapse::OtherHistory, live.through())),
        }
        let (at, view) = replica.reader().view_at().map_err(|error| broken(&error))?;
        let interest = Interest::load(&view, &wanted).map_err(|error| broken(&error))?;
        let Some(interest) = interest else { return Err(Answer::Refused(Denied::new(Code::NotLoggedIn))) };
        // What is applied is published a moment later.
        live.beyond(at.saturating_sub(1)).await;
        Follower::begin(live, interest, at, cursor.index)
            .map_err(|Lapsed { resume_at }| self.lapsed(Lapse::Compacted, resume_at))
    }

    /// Tells what comes, until there is a last word.
    async fn follow(&self, follower: &mut Follower, outlet: &mut Outlet) -> Result<Answer, FrameError> {
        let live = self.member.replica.live();
        let mut in_touch = Instant::now();
        // The first piece leaves at once, even an empty one: it says that there is a stream.
        let mut beat = Instant::now();
        loop {
            let batch = match follower.take(live) {
                Ok(batch) => batch,
                Err(Lapsed { resume_at }) => return Ok(self.lapsed(Lapse::Behind, resume_at)),
            };
            if !batch.events.is_empty() || beat <= Instant::now() {
                let cursor = self.token(batch.cursor);
                outlet.send(Answer::Live { cursor, events: batch.events.to_vec() }).await?;
                beat = Instant::now() + LIVE_BEAT;
            }
            match self.is_over(follower, batch.doubtful) {
                Ok(false) => {}
                Ok(true) => return Ok(Answer::Refused(Denied::new(Code::NotLoggedIn))),
                Err(error) => return Ok(broken(&error)),
            }
            if self.member.replica.status().in_sync {
                in_touch = Instant::now();
            } else if in_touch.elapsed() >= LIVE_OLD_MAX {
                return Ok(Answer::Unavailable(Why::Behind));
            }
            if !batch.more {
                smol::Timer::after(LIVE_GATHER).await;
                live.beyond(batch.cursor).or(until(beat)).await;
            }
        }
    }

    fn is_over(&self, follower: &Follower, doubtful: bool) -> Result<bool, DbError> {
        let reader = self.member.replica.reader();
        Ok(follower.interest().is_over(reader.age_ms())
            || (doubtful && !follower.interest().is_open(&reader.view()?)?))
    }
}

async fn until(moment: Instant) {
    smol::Timer::at(moment).await;
}

fn broken(error: &DbError) -> Answer {
    // The writer meets the same and ends the process; until then this node does not serve.
    log::error!("the store cannot be read: {error}");
    Answer::Unavailable(Why::NotServing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::channel::Channel;
    use crate::net::client::Client;
    use crate::net::frame::{self, Plane};
    use crate::net::keys::Keys;
    use crate::net::limits::{FRAME_BYTES_MAX, SUBSCRIBERS_MAX};
    use crate::net::protocol::{AnswerFrame, Ask, AskFrame};
    use crate::net::secret::stored_token;
    use crate::net::subscription::{News, Subscription as Following};
    use crate::net::{handshake, listener, tasks};
    use crate::replica::limits::LIVE_EVENTS_MAX;
    use crate::roles::node::service::{Service, tests::backend};
    use crate::roles::node::tokens;
    use crate::state::{
        AccountId, Command, Consistency, Happening, HistoryId, Page, Query, Reply, Request, RequestId,
        TokenHash,
    };
    use async_net::TcpListener;
    use std::sync::Arc;
    use std::time::Duration;

    const SESSION: TokenHash = TokenHash([1; 32]);
    const WANTED: Wanted = Wanted::Feed { session: SESSION };

    /// A founded backend of its own, its address, and what was done there.
    struct Pond {
        service: Arc<Service>,
        address: String,
        next: u128,
        _folder: tempfile::TempDir,
    }

    fn keys(service: &Service) -> Keys {
        service.node.options.keys.clone()
    }

    impl Pond {
        async fn new() -> Pond {
            let folder = tempfile::tempdir().unwrap();
            let service = backend(folder.path(), &[1]);
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap().to_string();
            tasks::spawn(listener::serve(
                listener,
                service.clone(),
                service.node.gate.clone(),
                keys(&service),
            ))
            .detach();
            Pond { service, address, next: 1, _folder: folder }
        }

        fn member(&self) -> &Member {
            self.service.node.member.get().unwrap()
        }

        fn client(&self) -> Client {
            Client::new(vec![self.address.clone()], keys(&self.service))
        }

        async fn run(&mut self, command: Command) -> (LogIndex, Reply) {
            self.next += 1;
            let replica = &self.member().replica;
            let request = Request { id: RequestId(self.next), born: replica.reader().applied(), command };
            let Ask::Write(request) = tokens::stored(Ask::Write(request)) else { panic!("a write") };
            let (index, outcome) =
                replica.submit(request, Instant::now() + Duration::from_secs(10)).await.unwrap();
            (index, outcome.unwrap())
        }

        /// Somebody with a session.
        async fn person(&mut self, username: &str, session: TokenHash) -> AccountId {
            let create = Command::CreateAccount {
                username: username.into(),
                name: username.into(),
                email: "a@b".into(),
                password_hash: String::new(),
            };
            let (_, Reply::Created { account }) = self.run(create).await else { panic!("not created") };
            self.run(Command::LogIn { account, credential_version: 1, token: stored_token(session) }).await;
            account
        }

        async fn croak(&mut self, session: TokenHash) -> LogIndex {
            self.run(Command::Croak { session, text: "ribbit".into() }).await.0
        }

        fn now(&self) -> Token {
            Token { history: self.member().identity.history, index: self.member().replica.reader().applied() }
        }

        async fn connect(&self, plane: Plane) -> Channel {
            handshake::connect(&self.address, plane, &keys(&self.service)).await.unwrap()
        }

        /// A stream without a client that looks after it.
        async fn subscribe(&self, cursor: Token, wanted: Wanted) -> Channel {
            let mut stream = self.connect(Plane::Client).await;
            let ask = Ask::Subscribe { cursor, wanted };
            frame::write(&mut stream.writer, &AskFrame { tag: 7, deadline_ms: 0, ask }).await.unwrap();
            stream
        }
    }

    async fn said(stream: &mut Channel) -> Answer {
        let AnswerFrame { tag, answer } =
            frame::within(Duration::from_secs(10), frame::read(&mut stream.reader, FRAME_BYTES_MAX))
                .await
                .unwrap();
        assert_eq!(tag, 7);
        answer
    }

    /// The next news that says something.
    async fn news(following: &mut Following) -> News {
        let next = async {
            loop {
                match following.next().await {
                    News::Nothing => {}
                    news => return news,
                }
            }
        };
        let late = async {
            smol::Timer::after(Duration::from_secs(10)).await;
            panic!("nothing comes");
        };
        next.or(late).await
    }

    async fn croak_of(following: &mut Following) -> (LogIndex, AccountId) {
        match news(following).await {
            News::Event(event) => match event.what {
                Happening::Croaked { author } => (event.index, author),
                what => panic!("{what:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_happened_and_what_happens_comes_in_order_and_the_filter_moves_with_ones_friends() {
        smol::block_on(async {
            let mut pond = Pond::new().await;
            let (bobs, carls) = (TokenHash([2; 32]), TokenHash([3; 32]));
            let ada = pond.person("ada", SESSION).await;
            let bob = pond.person("bob", bobs).await;
            pond.person("carl", carls).await;
            let start = pond.now();
            pond.croak(bobs).await; // not followed yet
            let first = pond.croak(SESSION).await;
            pond.run(Command::AddFriend { session: SESSION, username: "bob".into() }).await;
            let second = pond.croak(bobs).await;
            let mut following = pond.client().subscribe(start, WANTED);
            assert_eq!(croak_of(&mut following).await, (first, ada));
            let added = Happening::FriendAdded { account: ada, friend: bob };
            assert!(matches!(news(&mut following).await, News::Event(event) if event.what == added));
            assert_eq!(croak_of(&mut following).await, (second, bob));
            // Live from here on.
            pond.croak(carls).await;
            let third = pond.croak(bobs).await;
            assert_eq!(croak_of(&mut following).await, (third, bob));
            pond.run(Command::RemoveFriend { session: SESSION, username: "bob".into() }).await;
            let removed = Happening::FriendRemoved { account: ada, friend: bob };
            assert!(matches!(news(&mut following).await, News::Event(event) if event.what == removed));
            pond.croak(bobs).await;
            let last = pond.croak(SESSION).await;
            assert_eq!(croak_of(&mut following).await, (last, ada));
            assert_eq!(following.cursor().index, last);
        });
    }

    #[test]
    fn a_session_that_is_over_ends_its_stream_with_a_word_and_nothing_behind_it() {
        smol::block_on(async {
            let mut pond = Pond::new().await;
            let ada = pond.person("ada", SESSION).await;
            let mut following = pond.client().subscribe(pond.now(), WANTED);
            let croak = pond.croak(SESSION).await;
            assert_eq!(croak_of(&mut following).await, (croak, ada));
            pond.run(Command::LogOut { session: SESSION }).await;
            let closed = Happening::SessionClosed { account: ada };
            assert!(matches!(news(&mut following).await, News::Event(event) if event.what == closed));
            let over = News::Ended(Denied::new(Code::NotLoggedIn));
            assert_eq!(news(&mut following).await, over);
            assert_eq!(news(&mut following).await, over);
            let mut nobodys =
                pond.client().subscribe(pond.now(), Wanted::Feed { session: TokenHash([9; 32]) });
            assert_eq!(news(&mut nobodys).await, over);

            let other = TokenHash([2; 32]);
            pond.person("bob", other).await;
            let mut following = pond.client().subscribe(pond.now(), Wanted::Feed { session: other });
            assert_eq!(following.next().await, News::Nothing);
            pond.run(Command::DeleteAccount { session: other, credential_version: 1 }).await;
            assert!(matches!(news(&mut following).await, News::Event(_)));
            assert_eq!(news(&mut following).await, over);
        });
    }

    #[test]
    fn a_cursor_that_is_too_old_or_of_elsewhere_is_read_again_and_resumed() {
        smol::block_on(async {
            let mut pond = Pond::new().await;
            let ada = pond.person("ada", SESSION).await;
            let early = pond.now();
            let croak = pond.croak(SESSION).await;
            // The ring turns over: these never were in the log, and are nobody's.
            let flood = (1..=LIVE_EVENTS_MAX as u64 + 1)
                .map(|_| (croak, Some(Happening::Croaked { author: AccountId(77) })));
            pond.member().replica.live().publish(None, flood, croak);
            let client = pond.client();
            let elsewhere = Token { history: HistoryId(99), index: 1 };
            for (cursor, expected) in [(early, Lapse::Compacted), (elsewhere, Lapse::OtherHistory)] {
                let mut following = client.subscribe(cursor, WANTED);
                let News::ReadAgain { at_least, why } = news(&mut following).await else { panic!("no word") };
                assert_eq!((why, at_least), (expected, pond.now()));
                let query = Query::Feed { session: SESSION, before: None, limit: 50 };
                let read = Ask::Read { seen: Some(at_least), consistency: Consistency::Session, query };
                let Ok(Answer::Read { token, page: Ok(Page::Feed { croaks, .. }), .. }) =
                    client.ask(read, Duration::from_secs(5)).await
                else {
                    panic!("not read")
                };
                assert!(croaks.iter().any(|shown| shown.id == croak));
                following.resume(token);
                let next = pond.croak(SESSION).await;
                assert_eq!(croak_of(&mut following).await, (next, ada));
            }
        });
    }

    #[test]
    fn a_cursor_ahead_of_this_node_is_waited_for_unless_it_is_of_no_entry_at_all() {
        smol::block_on(async {
            let mut pond = Pond::new().await;
            pond.person("ada", SESSION).await;
            let ahead = Token { index: pond.now().index + 1, ..pond.now() };
            let mut stream = pond.subscribe(ahead, WANTED).await;
            let lapsed = Answer::Lapsed { resume_at: pond.now(), why: Lapse::OtherHistory };
            assert_eq!(said(&mut stream).await, lapsed);
            let mut stream = pond.subscribe(ahead, WANTED).await;
            pond.croak(SESSION).await;
            assert_eq!(said(&mut stream).await, Answer::Live { cursor: ahead, events: Vec::new() });
        });
    }

    #[test]
    fn a_quiet_stream_is_heard_of_and_who_speaks_in_it_loses_it() {
        smol::block_on(async {
            let mut pond = Pond::new().await;
            pond.person("ada", SESSION).await;
            let mut stream = pond.subscribe(pond.now(), WANTED).await;
            let quiet = Answer::Live { cursor: pond.now(), events: Vec::new() };
            let begin = Instant::now();
            for _ in 0..3 {
                assert_eq!(said(&mut stream).await, quiet);
            }
            let heard = begin.elapsed();
            assert!(LIVE_BEAT <= heard && heard < 4 * LIVE_BEAT, "{heard:?}");
            frame::write(&mut stream.writer, &AskFrame { tag: 8, deadline_ms: 0, ask: Ask::NodeStatus })
                .await
                .unwrap();
            let end = frame::read::<AnswerFrame, _>(&mut stream.reader, FRAME_BYTES_MAX).await;
            assert!(matches!(end, Err(FrameError::Closed | FrameError::Io(_))), "{end:?}");
        });
    }

    #[test]
    fn a_stream_has_its_connection_to_itself() {
        smol::block_on(async {
            let mut pond = Pond::new().await;
            pond.person("ada", SESSION).await;
            let ask = Ask::Subscribe { cursor: pond.now(), wanted: WANTED };
            let mut stream = pond.connect(Plane::Client).await;
            let frame = |ask: &Ask| AskFrame { tag: 7, deadline_ms: 1_000, ask: ask.clone() };
            frame::write(&mut stream.writer, &frame(&Ask::NodeStatus)).await.unwrap();
            assert!(matches!(said(&mut stream).await, Answer::NodeStatus(_)));
            frame::write(&mut stream.writer, &frame(&ask)).await.unwrap();
            assert_eq!(said(&mut stream).await, Answer::Refused(Denied::new(Code::InvalidEntry)));
            let mut stream = pond.connect(Plane::Control).await;
            frame::write(&mut stream.writer, &frame(&ask)).await.unwrap();
            assert_eq!(said(&mut stream).await, Answer::Refused(Denied::new(Code::InvalidEntry)));
        });
    }

    #[test]
    fn there_is_room_for_so_many_and_those_who_go_make_place() {
        smol::block_on(async {
            let mut pond = Pond::new().await;
            pond.person("ada", SESSION).await;
            let mut streams = Vec::new();
            for _ in 0..SUBSCRIBERS_MAX {
                let mut stream = pond.subscribe(pond.now(), WANTED).await;
                assert!(matches!(said(&mut stream).await, Answer::Live { .. }));
                streams.push(stream);
            }
            let mut one_more = pond.subscribe(pond.now(), WANTED).await;
            assert_eq!(said(&mut one_more).await, Answer::Unavailable(Why::Busy));
            drop(streams.pop());
            let begin = Instant::now();
            loop {
                let mut stream = pond.subscribe(pond.now(), WANTED).await;
                if matches!(said(&mut stream).await, Answer::Live { .. }) {
                    break;
                }
                assert!(begin.elapsed() < Duration::from_secs(5), "the place is not free again");
            }
        });
    }

    #[test]
    fn a_reader_that_is_too_slow_is_told_so_and_holds_up_nobody() {
        smol::block_on(async {
            let mut pond = Pond::new().await;
            let ada = pond.person("ada", SESSION).await;
            let start = pond.now();
            let mut slow = pond.subscribe(start, WANTED).await;
            assert!(matches!(said(&mut slow).await, Answer::Live { .. }));
            let live = pond.member().replica.live();
            let mut index = start.index;
            let begin = Instant::now();
            // Nobody reads meanwhile: the ring turns over many times.
            while begin.elapsed() < Duration::from_millis(1_500) {
                let events = (index + 1..=index + 1_000)
                    .map(|index| (index, Some(Happening::Croaked { author: ada })));
                live.publish(None, events, index + 1_000);
                index += 1_000;
                smol::Timer::after(Duration::from_millis(5)).await;
            }
            let mut cursor = start.index;
            loop {
                match said(&mut slow).await {
                    Answer::Live { cursor: behind, events } => {
                        // Without a hole up to where it was overtaken.
                        let indexes: Vec<_> = events.iter().map(|event| event.index).collect();
                        assert_eq!(indexes, (cursor + 1..=behind.index).collect::<Vec<_>>());
                        cursor = behind.index;
                    }
                    end => {
                        let Answer::Lapsed { resume_at, why: Lapse::Behind } = end else { panic!("{end:?}") };
                        assert!(resume_at.index > cursor + LIVE_EVENTS_MAX as u64);
                        assert!(resume_at.history == start.history && resume_at.index <= index);
                        break;
                    }
                }
            }
        });
    }
}
