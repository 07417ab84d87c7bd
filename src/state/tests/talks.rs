//! Properties of direct messages in every history: random sending, reading and deleting of accounts. An oracle judges them
//! by the messages that were sent and the positions up to which they were read.

use super::properties::config;
use super::*;
use crate::code::{Code, Denied};
use crate::command::MessageCommand;
use crate::query::DeliveryStatus;
use crate::query::TalkPartner;
use crate::rows::{Key, Mailboxes, Messages, Sweeps, TalkMarks, TalkOf, TalksByAge, Waiting, decode};
use crate::rows::{Mailbox, TalkState};
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::{BTreeMap, BTreeSet};

const PEOPLE: [&str; 4] = ["ada", "bob", "carl", "dora"];

#[derive(Debug, Clone)]
enum Step {
    Send(usize, usize),
    /// Displayed, and read, up to any message.
    Mark(usize, usize, Index, Index),
    Delete(usize),
    /// Creates the account again under the same name: a different account.
    Create(usize),
    Sweep(Index),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let person = || 0..PEOPLE.len();
    let step = prop_oneof![
        12 => (person(), person()).prop_map(|(from, to)| Step::Send(from, to)),
        6 => (person(), person(), any::<Index>(), any::<Index>())
            .prop_map(|(who, with, shown, read)| Step::Mark(who, with, shown, read)),
        1 => person().prop_map(Step::Delete),
        1 => person().prop_map(Step::Create),
        3 => any::<Index>().prop_map(Step::Sweep),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 0..120)
}

/// A message that was sent.
#[derive(Debug, Clone)]
struct Told {
    id: LogIndex,
    from: AccountId,
    to: AccountId,
    text: String,
}

struct Story {
    log: Log,
    /// Live accounts and their sessions, by position in `PEOPLE`.
    people: BTreeMap<usize, (AccountId, TokenHash)>,
    /// Every account that ever existed.
    accounts: Vec<AccountId>,
    told: Vec<Told>,
    /// (reader, other) → displayed through, read through; for live readers.
    record: BTreeMap<(AccountId, AccountId), (LogIndex, LogIndex)>,
}

impl Story {
    fn of(steps: &[Step]) -> Story {
        let (people, record) = (BTreeMap::new(), BTreeMap::new());
        let mut story = Story { log: Log::small(), people, accounts: Vec::new(), told: Vec::new(), record };
        (0..PEOPLE.len()).for_each(|who| story.take(&Step::Create(who)));
        steps.iter().for_each(|step| story.take(step));
        story
    }

    fn lives(&self, account: AccountId) -> bool {
        self.people.values().any(|(living, _)| *living == account)
    }

    fn waiting(&self, who: AccountId, from: Option<AccountId>) -> usize {
        let waits = |one: &&Told| {
            let read = self.record.get(&(who, one.from)).map_or(0, |(_, read)| *read);
            one.to == who && one.id > read && from.is_none_or(|from| from == one.from)
        };
        self.told.iter().filter(waits).count()
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Create(who) if !self.people.contains_key(who) => {
                let account = self.log.create(PEOPLE[*who]);
                let session = token(&format!("{} {}", PEOPLE[*who], account.0));
                let log_in = Command::LogIn {
                    account,
                    credential_version: 1,
                    token: session,
                    device: String::new(),
                    app: None,
                };
                self.log.run(log_in).unwrap();
                self.people.insert(*who, (account, session));
                self.accounts.push(account);
            }
            Step::Create(_) => {}
            Step::Delete(who) => {
                let Some((account, session)) = self.people.remove(who) else { return };
                self.log.run(Command::DeleteAccount { session, credential_version: 1 }).unwrap();
                self.record.retain(|(whose, _), _| *whose != account);
            }
            Step::Send(from, to) => self.send(*from, *to),
            Step::Mark(who, with, shown, read) => self.mark(*who, *with, shown, read),
            Step::Sweep(which) => {
                let sweeps = table::<Sweeps>(&self.log.model);
                if !sweeps.is_empty() {
                    let account = AccountId::from_bytes(&sweeps[which.index(sweeps.len())].0).unwrap();
                    self.log.run(Command::Sweep { account }).unwrap();
                }
            }
            Step::Reopen => self.log.model.reopen(),
        }
    }

    fn send(&mut self, from: usize, to: usize) {
        let Some(&(me, session)) = self.people.get(&from) else { return };
        let text = format!("message {}", self.log.index());
        let send = MessageCommand::Send { session, username: PEOPLE[to].into(), text: text.clone() };
        let outcome = self.log.run(send.into()).map_err(|denied: Denied| denied.code);
        let expected = match self.people.get(&to) {
            None => Err(Code::NoSuchUser),
            Some((other, _)) if *other == me => Err(Code::Yourself),
            Some((other, _)) => {
                let full = self.waiting(*other, None) >= SMALL.waiting_max as usize
                    || self.waiting(*other, Some(me)) >= SMALL.waiting_per_talk_max as usize;
                let id = self.log.index();
                if !full {
                    self.told.push(Told { id, from: me, to: *other, text });
                }
                if full { Err(Code::MailboxFull) } else { Ok(Reply::Sent { message: id }) }
            }
        };
        assert_eq!(outcome, expected);
    }

    fn mark(&mut self, who: usize, with: usize, shown: &Index, read: &Index) {
        let Some(&(me, session)) = self.people.get(&who) else { return };
        // Any account that ever existed, up to any index so far.
        let with = self.accounts[with % self.accounts.len()];
        let ever = usize::try_from(self.log.index()).unwrap() + 1;
        let (shown, read) = (shown.index(ever) as LogIndex, read.index(ever) as LogIndex);
        let mark = MessageCommand::Mark { session, with, delivered_through: shown, read_through: read };
        let outcome = self.log.run(mark.into());
        let newest = self.told.iter().filter(|one| [(me, with), (with, me)].contains(&(one.from, one.to)));
        match newest.map(|one| one.id).max() {
            None => assert_eq!(outcome.unwrap_err().code, Code::NoSuchUser),
            Some(newest) => {
                outcome.unwrap();
                let before = self.record.entry((me, with)).or_default();
                let read = before.1.max(read.min(newest));
                *before = (before.0.max(shown.min(newest)).max(read), read);
            }
        }
    }

    /// Every talk of the live accounts, read page by page, consists of the messages that were sent.
    fn check_talks(&self, limit: u16) {
        for &(me, session) in self.people.values() {
            let mut waiting = 0;
            for &with in self.accounts.iter().filter(|with| **with != me) {
                let between = |one: &&Told| [(me, with), (with, me)].contains(&(one.from, one.to));
                let told: Vec<&Told> = self.told.iter().filter(between).collect();
                let read = self.read_talk(session, with, limit, told.is_empty() && !self.lives(with));
                let expected: Vec<_> = told
                    .iter()
                    .rev()
                    .map(|one| (one.id, one.from == me, one.text.clone(), self.status(one)))
                    .collect();
                assert_eq!(read, expected);
                waiting += self.waiting(me, Some(with));
            }
            match self.log.model.answer(&Query::Unread { session }) {
                Ok(Page::Unread(unread)) => assert_eq!(unread.messages as usize, waiting),
                other => panic!("{other:?}"),
            }
            self.check_list(me, session, limit);
        }
    }

    /// Returns the delivery status that the sender sees; `None` when the recipient is deleted and their client unknown.
    fn status(&self, one: &Told) -> Option<DeliveryStatus> {
        if !self.lives(one.to) {
            return None;
        }
        let (shown, read) = self.record.get(&(one.to, one.from)).copied().unwrap_or_default();
        Some(match one.id {
            id if id <= read => DeliveryStatus::Read,
            id if id <= shown => DeliveryStatus::Delivered,
            _ => DeliveryStatus::Saved,
        })
    }

    fn read_talk(
        &self,
        session: TokenHash,
        with: AccountId,
        limit: u16,
        unknown: bool,
    ) -> Vec<(LogIndex, bool, String, Option<DeliveryStatus>)> {
        let (mut all, mut before) = (Vec::new(), None);
        loop {
            let query = Query::Talk { session, with: TalkPartner::Account(with), before, limit };
            let talk = match self.log.model.answer(&query) {
                Ok(Page::Talk(talk)) => talk,
                Err(denied) => {
                    assert!(unknown, "{denied:?}");
                    return all;
                }
                other => panic!("{other:?}"),
            };
            assert_eq!(talk.with.is_some(), self.lives(with));
            let lives = |mine: bool| !mine || self.lives(with);
            all.extend(talk.messages.into_iter().map(|message| {
                let status = lives(message.mine).then_some(message.status);
                (message.id, message.mine, message.text, status)
            }));
            before = match talk.older {
                None => return all,
                older => older,
            };
        }
    }

    /// The list of talks contains each talk once, the newest first.
    fn check_list(&self, me: AccountId, session: TokenHash, limit: u16) {
        let mut newest = BTreeMap::new();
        for one in self.told.iter().filter(|one| one.from == me || one.to == me) {
            newest.insert(if one.from == me { one.to } else { one.from }, one.id);
        }
        let mut expected: Vec<_> = newest.into_iter().map(|(with, id)| (id, with)).collect();
        expected.sort_unstable_by(|a, b| b.cmp(a));
        let (mut all, mut before) = (Vec::new(), None);
        loop {
            let Ok(Page::Talks { talks, older, .. }) =
                self.log.model.answer(&Query::Talks { session, before, limit })
            else {
                panic!("talks can be listed")
            };
            all.extend(talks.iter().map(|talk| (talk.newest.id, talk.with_account)));
            before = match older {
                None => break,
                older => older,
            };
        }
        assert_eq!(all, expected);
    }

    /// No row of a deleted account is left after all sweeps, and the counters equal the rows.
    fn check_rows(&self) {
        let model = &self.log.model;
        let whose = |key: &[u8]| AccountId(u64::from_be_bytes(key[..8].try_into().unwrap()));
        let mut rows = table::<TalkOf>(model);
        let talks = rows.len();
        rows.extend(table::<Waiting>(model));
        rows.extend(table::<TalkMarks>(model));
        rows.extend(table::<TalksByAge>(model));
        rows.extend(table::<Mailboxes>(model));
        assert!(rows.iter().all(|(key, _)| self.lives(whose(key))));
        assert_eq!(table::<TalkMarks>(model).len(), table::<TalksByAge>(model).len());
        let kept: BTreeSet<LogIndex> = self
            .told
            .iter()
            .filter(|one| self.lives(one.from) || self.lives(one.to))
            .map(|one| one.id)
            .collect();
        let stored: BTreeSet<_> =
            table::<Messages>(model).iter().map(|(key, _)| LogIndex::from_bytes(key).unwrap()).collect();
        assert_eq!(stored, kept);
        let sides = |one: &Told| usize::from(self.lives(one.from)) + usize::from(self.lives(one.to));
        assert_eq!(talks, self.told.iter().map(sides).sum::<usize>());
        let waiting: u32 =
            table::<TalkMarks>(model).iter().map(|(_, row)| decode::<TalkState>(row).unwrap().waiting).sum();
        let boxes: u32 =
            table::<Mailboxes>(model).iter().map(|(_, row)| decode::<Mailbox>(row).unwrap().waiting).sum();
        assert_eq!(table::<Waiting>(model).len(), waiting as usize);
        assert_eq!(waiting, boxes);
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn talks_are_what_was_told(steps in steps(), limit in 1..4_u16) {
        let mut story = Story::of(&steps);
        story.check_talks(limit);
        for (key, _) in table::<Sweeps>(&story.log.model) {
            let account = AccountId::from_bytes(&key).unwrap();
            story.log.steps(&Command::Sweep { account });
        }
        story.check_talks(limit);
        story.check_rows();
    }
}
