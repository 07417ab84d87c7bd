//! Accounts: created and opened with a password.

use super::{Operations, Refusal, Session, unexpected};
use crate::common::address_rates::AddressRateClass;
use ribbit_net::protocol::{Ask, NewAccount, Password};
use ribbit_net::secret::{new_token, token_hash};
use ribbit_state::query::Person;
use ribbit_state::text::{check_email, check_name, check_password, fold_username};
use ribbit_state::{AccountId, Code, Command, Page, Query, Reply, TokenHash};
use std::net::IpAddr;

impl Operations {
    /// Creates an account with a password. Opens no session.
    pub(crate) async fn create(&self, from: IpAddr, form: NewAccount) -> Result<AccountId, Refusal> {
        check_name(&form.name)?;
        fold_username(&form.username)?;
        check_email(&form.email)?;
        check_password(&form.password.0)?;
        self.check_rate(from, AddressRateClass::Creation)?;
        let made = self.requests.submit(|id, submitted_at| Ask::CreateAccount { id, submitted_at, form });
        match made.await? {
            Reply::Created { account } => Ok(account),
            Reply::Requested => Err(Refusal::Denied(Code::AwaitingApproval)),
            other => Err(unexpected(&other)),
        }
    }

    /// Checks a password and opens a session under a new token. Returns the token, too: a client that keeps it gets the
    /// session again from any gateway ([`Operations::session`]).
    pub(crate) async fn log_in(
        &self,
        from: IpAddr,
        username: &str,
        password: Password,
    ) -> Result<(Session, [u8; 32]), Refusal> {
        let token = new_token();
        Ok((self.log_in_as(from, username, password, token_hash(&token)).await?, token))
    }

    /// As [`Operations::log_in`], under a token that the caller has chosen.
    pub(crate) async fn log_in_as(
        &self,
        from: IpAddr,
        username: &str,
        password: Password,
        token: TokenHash,
    ) -> Result<Session, Refusal> {
        let username = named(username)?;
        self.check_rate(from, AddressRateClass::LogIn)?;
        let asked = username.clone();
        let log_in = |id, submitted_at| {
            let device = self.device.to_string();
            Ask::LogIn { id, submitted_at, username: asked, password, token, device, app: None }
        };
        match self.requests.submit(log_in).await? {
            Reply::LoggedIn { .. } => Ok(Session { username, token }),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns the open session of a token that a client has kept.
    pub(crate) async fn session(&self, token: &[u8; 32]) -> Result<Session, Refusal> {
        self.open_session(token_hash(token)).await
    }

    /// Returns the owner of a session.
    pub(crate) async fn owner(&self, session: &Session) -> Result<Person, Refusal> {
        me(self.requests.read(Query::Me { session: session.token }).await?)
    }

    /// Ends a session.
    pub(crate) async fn log_out(&self, session: &Session) -> Result<(), Refusal> {
        self.end(session.token).await
    }

    /// Returns the open session of a token by its hash.
    pub(crate) async fn open_session(&self, token: TokenHash) -> Result<Session, Refusal> {
        let Person { username, .. } = me(self.requests.read(Query::Me { session: token }).await?)?;
        Ok(Session { username, token })
    }

    /// Ends the session of a token. Succeeds if it has ended.
    pub(crate) async fn end(&self, token: TokenHash) -> Result<(), Refusal> {
        match self.requests.write(Command::LogOut { session: token }).await {
            Ok(_) | Err(Refusal::Denied(Code::NotLoggedIn)) => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }
}

/// Returns the folded user name. A name that no account can have is unknown.
pub(crate) fn named(username: &str) -> Result<String, Refusal> {
    fold_username(username).map_err(|_| Refusal::Denied(Code::NoSuchUser))
}

/// Returns the person in an answer to `Query::Me`.
pub(crate) fn me(page: Page) -> Result<Person, Refusal> {
    match page {
        Page::Me(me) => Ok(me),
        other => Err(unexpected(&other)),
    }
}
