//! The chat: enters and leaves the one place that a person has in it, and keeps it.

use super::chat::Due;
use super::session::{Halt, Session};
use crate::client::session::stop::Stop;
use crate::locks::lease::words_for;
use ribbit_net::protocol::{Answer, Ask};
use ribbit_net::secret::{new_token, token_hash};
use ribbit_state::{Code, Denied, LeaseCommand, TokenHash};
use smol::Timer;
use smol::future::or;
use std::time::{Duration, Instant};

/// How long a renewal is asked for, on whichever server. A lease that is over by then is begun again.
const RENEW_MAX: Duration = Duration::from_secs(10);

impl Session {
    /// `/live`: enters the chat, or leaves it.
    pub async fn live(&self, take_over: bool) -> Result<(), Halt> {
        if self.is_live() && !take_over {
            self.leave_chat().await?;
            self.screen.show("you have left the chat").await;
            return Ok(());
        }
        let asked = Instant::now();
        let token = match self.enter(take_over).await {
            Err(Stop::Denied(Denied { code: Code::LockHeld, .. })) => {
                let words =
                    "you are in the chat at another place already (632): `/live --take-over` moves it here";
                return Err(Halt::Refused(words.to_string()));
            }
            entered => entered?,
        };
        self.chat.borrow_mut().entered(token, asked);
        self.desk.set_live(true);
        self.moved.notify(usize::MAX);
        self.feed(false).await?;
        self.screen.show("you are in the chat: what you type is croaked; `/live` leaves it").await;
        Ok(())
    }

    async fn enter(&self, take_over: bool) -> Result<TokenHash, Stop> {
        let (session, token) = (self.token()?, token_hash(&new_token()));
        let words = words_for("chat");
        self.person.write(LeaseCommand::EnterChat { session, token, words, take_over }.into()).await?;
        Ok(token)
    }

    /// Gives the place back, if it is here; answers whether it was.
    pub async fn leave_chat(&self) -> Result<bool, Stop> {
        let (was_here, token) = {
            let chat = self.chat.borrow();
            (chat.is_here(), chat.token())
        };
        self.out_of_chat();
        let Some(token) = token else { return Ok(was_here) };
        match self.person.write(LeaseCommand::Close { token }.into()).await {
            Ok(_) | Err(Stop::Denied(Denied { code: Code::LeaseOver, .. })) => Ok(true),
            Err(stop) => Err(stop),
        }
    }

    fn out_of_chat(&self) {
        self.chat.borrow_mut().left();
        self.desk.set_live(false);
        self.moved.notify(usize::MAX);
    }

    /// Keeps the place while it is here, without end.
    ///
    /// # Errors
    /// 609: the session is over; nobody answers.
    pub async fn keep_place(&self) -> Result<(), Stop> {
        loop {
            let moved = self.moved.listen();
            let due = self.chat.borrow().due();
            let Some((at, due)) = due else {
                moved.await;
                continue;
            };
            let timely = async {
                Timer::at(at).await;
                true
            };
            let left = async {
                moved.await;
                false
            };
            if !or(timely, left).await {
                continue;
            }
            match due {
                Due::Renew { token } => {
                    // What was left needs no answer.
                    let moved = self.moved.listen();
                    let left = async {
                        moved.await;
                        Ok(false)
                    };
                    if or(self.renew(token), left).await? {
                        self.lost_place().await;
                    }
                }
                Due::Enter => self.enter_again().await?,
            }
        }
    }

    /// Whether somebody took the place.
    async fn renew(&self, token: TokenHash) -> Result<bool, Stop> {
        let asked = Instant::now();
        let answer = self.person.client().ask(Ask::Renew { token }, RENEW_MAX).await;
        let mut chat = self.chat.borrow_mut();
        match answer {
            Ok(Answer::Renewed { lease_ms }) => {
                chat.renewed(token, asked, Some(Duration::from_millis(lease_ms.into())));
            }
            Ok(Answer::Refused(_)) => return Ok(chat.over(token, Instant::now())),
            Ok(_) => chat.renewed(token, asked, None),
            Err(why) if Stop::unread(why).finds_nobody() => return Err(Stop::unread(why)),
            Err(_) => chat.renewed(token, Instant::now(), None),
        }
        Ok(false)
    }

    /// The place lapsed: it is taken again, unless somebody else has it now.
    async fn enter_again(&self) -> Result<(), Stop> {
        let asked = Instant::now();
        match self.enter(false).await {
            Ok(token) if self.is_live() => self.chat.borrow_mut().entered(token, asked),
            // It was left meanwhile.
            Ok(token) => {
                self.person.write(LeaseCommand::Close { token }.into()).await?;
            }
            Err(Stop::Denied(Denied { code: Code::LockHeld, .. })) if self.is_live() => {
                self.lost_place().await;
            }
            Err(stop) if stop.lacks_session() || stop.finds_nobody() => return Err(stop),
            Err(_) => self.chat.borrow_mut().not_entered(Instant::now()),
        }
        Ok(())
    }

    async fn lost_place(&self) {
        self.out_of_chat();
        let words =
            "your chat has moved to another place: you have left it here, and what you type is not croaked";
        self.screen.note(words).await;
    }
}
