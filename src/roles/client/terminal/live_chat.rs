//! `/live`: enters and leaves the chat, and renews the chat lease. An account has one chat slot at a time.

use super::chat_lease::ChatAction;
use super::client::{CommandError, TerminalClient};
use crate::client::session::request_error::RequestError;
use crate::locks::lease::description;
use ribbit_net::protocol::{Answer, Ask};
use ribbit_net::secret::{new_token, token_hash};
use ribbit_state::{Code, Denied, LeaseCommand, TokenHash};
use smol::Timer;
use smol::future::or;
use std::time::{Duration, Instant};

/// Time limit of one renewal, over all servers. A lease that expires meanwhile is opened again.
const RENEW_MAX: Duration = Duration::from_secs(10);

impl TerminalClient {
    /// Turns live chat on or off. `take_over` turns it on even when another terminal of the account is live.
    pub(crate) async fn toggle_live(&self, take_over: bool) -> Result<(), CommandError> {
        if self.is_live() && !take_over {
            self.leave_chat().await?;
            self.screen.show("live chat is off").await;
            return Ok(());
        }
        let sent_at = Instant::now();
        let token = match self.enter(take_over).await {
            Err(RequestError::Denied(Denied { code: Code::LockHeld, .. })) => {
                let words = "you are live in another terminal (632); `/live --take-over` moves the chat here";
                return Err(CommandError::Refused(words.to_string()));
            }
            entered => entered?,
        };
        self.close_room().await?;
        self.chat.borrow_mut().entered(token, sent_at);
        self.input_line.set_live(true);
        self.live_changed.notify(usize::MAX);
        self.show_feed(false).await?;
        self.screen.show("live chat is on: everything you type is posted. `/live` turns it off").await;
        Ok(())
    }

    async fn enter(&self, take_over: bool) -> Result<TokenHash, RequestError> {
        let (session, token) = (self.token()?, token_hash(&new_token()));
        let words = description("chat");
        self.user
            .write(LeaseCommand::EnterChat { session, token, description: words, take_over }.into())
            .await?;
        Ok(token)
    }

    /// Leaves the chat and closes the lease. Returns true if live chat was on in this terminal.
    pub(crate) async fn leave_chat(&self) -> Result<bool, RequestError> {
        let (was_here, token) = {
            let chat = self.chat.borrow();
            (chat.is_live(), chat.token())
        };
        self.turn_live_off();
        let Some(token) = token else { return Ok(was_here) };
        match self.user.write(LeaseCommand::Close { token }.into()).await {
            Ok(_) | Err(RequestError::Denied(Denied { code: Code::LeaseOver, .. })) => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn turn_live_off(&self) {
        self.chat.borrow_mut().left();
        self.input_line.set_live(false);
        self.live_changed.notify(usize::MAX);
    }

    /// Renews the chat lease while live chat is on; returns only on an error.
    ///
    /// # Errors
    /// `NotLoggedIn` (609) when the session is over; unreachable when no server answers.
    pub(crate) async fn renew_chat_lease(&self) -> Result<(), RequestError> {
        loop {
            let moved = self.live_changed.listen();
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
                ChatAction::Renew { token } => {
                    // Leaving the chat cancels the renewal.
                    let moved = self.live_changed.listen();
                    let left = async {
                        moved.await;
                        Ok(false)
                    };
                    if or(self.renew(token), left).await? {
                        self.report_take_over().await;
                    }
                }
                ChatAction::Enter => self.enter_again().await?,
            }
        }
    }

    /// Renews the lease. Returns true if another terminal has taken the chat slot.
    async fn renew(&self, token: TokenHash) -> Result<bool, RequestError> {
        let sent_at = Instant::now();
        let answer = self.user.client().ask(Ask::Renew { token }, RENEW_MAX).await;
        let mut chat = self.chat.borrow_mut();
        match answer {
            Ok(Answer::Renewed { lease_ms }) => {
                chat.renewed(token, sent_at, Some(Duration::from_millis(lease_ms.into())));
            }
            Ok(Answer::Refused(_)) => return Ok(chat.over(token, Instant::now())),
            Ok(_) => chat.renewed(token, sent_at, None),
            Err(why) if RequestError::unanswered_read(why).no_server_reachable() => {
                return Err(RequestError::unanswered_read(why));
            }
            Err(_) => chat.renewed(token, Instant::now(), None),
        }
        Ok(false)
    }

    /// Enters the chat again after the lease expired, unless another terminal holds the slot now.
    async fn enter_again(&self) -> Result<(), RequestError> {
        let sent_at = Instant::now();
        match self.enter(false).await {
            Ok(token) if self.is_live() => self.chat.borrow_mut().entered(token, sent_at),
            // Live chat was turned off while the request was on its way.
            Ok(token) => {
                self.user.write(LeaseCommand::Close { token }.into()).await?;
            }
            Err(RequestError::Denied(Denied { code: Code::LockHeld, .. })) if self.is_live() => {
                self.report_take_over().await;
            }
            Err(error) if error.lacks_session() || error.no_server_reachable() => return Err(error),
            Err(_) => self.chat.borrow_mut().not_entered(Instant::now()),
        }
        Ok(())
    }

    async fn report_take_over(&self) {
        self.turn_live_off();
        let words = "live chat moved to another terminal; here, it is off and your lines are not posted";
        self.screen.note(words).await;
    }
}
