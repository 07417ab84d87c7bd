//! `/live`: enters and leaves the chat, and renews the chat lease. An account has one chat slot at a time.

use super::chat::Due;
use super::session::{Halt, Session};
use crate::client::session::request_error::RequestError;
use crate::locks::lease::words_for;
use ribbit_net::protocol::{Answer, Ask};
use ribbit_net::secret::{new_token, token_hash};
use ribbit_state::{Code, Denied, LeaseCommand, TokenHash};
use smol::Timer;
use smol::future::or;
use std::time::{Duration, Instant};

/// Time limit of one renewal, over all servers. A lease that expires meanwhile is opened again.
const RENEW_MAX: Duration = Duration::from_secs(10);

impl Session {
    /// Turns live chat on or off. `take_over` turns it on even when another terminal of the account is live.
    pub async fn live(&self, take_over: bool) -> Result<(), Halt> {
        if self.is_live() && !take_over {
            self.leave_chat().await?;
            self.screen.show("live chat is off").await;
            return Ok(());
        }
        let asked = Instant::now();
        let token = match self.enter(take_over).await {
            Err(RequestError::Denied(Denied { code: Code::LockHeld, .. })) => {
                let words = "you are live in another terminal (632); `/live --take-over` moves the chat here";
                return Err(Halt::Refused(words.to_string()));
            }
            entered => entered?,
        };
        self.chat.borrow_mut().entered(token, asked);
        self.desk.set_live(true);
        self.moved.notify(usize::MAX);
        self.feed(false).await?;
        self.screen.show("live chat is on: everything you type is posted. `/live` turns it off").await;
        Ok(())
    }

    async fn enter(&self, take_over: bool) -> Result<TokenHash, RequestError> {
        let (session, token) = (self.token()?, token_hash(&new_token()));
        let words = words_for("chat");
        self.person.write(LeaseCommand::EnterChat { session, token, words, take_over }.into()).await?;
        Ok(token)
    }

    /// Leaves the chat and closes the lease. Returns true if live chat was on in this terminal.
    pub async fn leave_chat(&self) -> Result<bool, RequestError> {
        let (was_here, token) = {
            let chat = self.chat.borrow();
            (chat.is_here(), chat.token())
        };
        self.out_of_chat();
        let Some(token) = token else { return Ok(was_here) };
        match self.person.write(LeaseCommand::Close { token }.into()).await {
            Ok(_) | Err(RequestError::Denied(Denied { code: Code::LeaseOver, .. })) => Ok(true),
            Err(stop) => Err(stop),
        }
    }

    fn out_of_chat(&self) {
        self.chat.borrow_mut().left();
        self.desk.set_live(false);
        self.moved.notify(usize::MAX);
    }

    /// Renews the chat lease while live chat is on; returns only on an error.
    ///
    /// # Errors
    /// `NotLoggedIn` (609) when the session is over; unreachable when no server answers.
    pub async fn keep_place(&self) -> Result<(), RequestError> {
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
                    // Leaving the chat cancels the renewal.
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

    /// Renews the lease. Returns true if another terminal has taken the chat slot.
    async fn renew(&self, token: TokenHash) -> Result<bool, RequestError> {
        let asked = Instant::now();
        let answer = self.person.client().ask(Ask::Renew { token }, RENEW_MAX).await;
        let mut chat = self.chat.borrow_mut();
        match answer {
            Ok(Answer::Renewed { lease_ms }) => {
                chat.renewed(token, asked, Some(Duration::from_millis(lease_ms.into())));
            }
            Ok(Answer::Refused(_)) => return Ok(chat.over(token, Instant::now())),
            Ok(_) => chat.renewed(token, asked, None),
            Err(why) if RequestError::unanswered_read(why).no_server_reachable() => {
                return Err(RequestError::unanswered_read(why));
            }
            Err(_) => chat.renewed(token, Instant::now(), None),
        }
        Ok(false)
    }

    /// Enters the chat again after the lease expired, unless another terminal holds the slot now.
    async fn enter_again(&self) -> Result<(), RequestError> {
        let asked = Instant::now();
        match self.enter(false).await {
            Ok(token) if self.is_live() => self.chat.borrow_mut().entered(token, asked),
            // Live chat was turned off while the request was on its way.
            Ok(token) => {
                self.person.write(LeaseCommand::Close { token }.into()).await?;
            }
            Err(RequestError::Denied(Denied { code: Code::LockHeld, .. })) if self.is_live() => {
                self.lost_place().await;
            }
            Err(stop) if stop.lacks_session() || stop.no_server_reachable() => return Err(stop),
            Err(_) => self.chat.borrow_mut().not_entered(Instant::now()),
        }
        Ok(())
    }

    async fn lost_place(&self) {
        self.out_of_chat();
        let words = "live chat moved to another terminal; here, it is off and your lines are not posted";
        self.screen.note(words).await;
    }
}
