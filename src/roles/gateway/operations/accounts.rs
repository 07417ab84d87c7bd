//! Accounts: created, opened and deleted, with a password or by name.

use super::{Operations, Refusal, Session, unexpected};
use crate::common::address_rates::AddressRateClass;
use crate::gateway::limits::ACCOUNTS_LISTED_MAX;
use ribbit_net::protocol::{Ask, NewAccount, Password};
use ribbit_net::secret::{new_token, token_hash};
use ribbit_state::query::{AccountSummary, Person};
use ribbit_state::text::{check_email, check_name, check_password, fold_username};
use ribbit_state::{AccessCommand, AccountId, Code, Command, OperatorCommand, Page, Query, Reply, TokenHash};
use std::net::IpAddr;

/// Name of the device in the list of sessions.
const DEVICE: &str = "An older client";

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

    /// Checks a password and opens a session that every gateway finds again by the name of the protocol and the client, see
    /// [`Operations::session_of`].
    pub(crate) async fn log_in_for(
        &self,
        protocol: &str,
        from: IpAddr,
        username: &str,
        password: Password,
    ) -> Result<Session, Refusal> {
        let username = named(username)?;
        let token = self.token_of(protocol, &from.to_string(), &username);
        match self.log_in_as(from, &username, password.clone(), token).await {
            // The password is right, and the token has a session already. A new one replaces it and lives longer.
            Err(Refusal::Denied(Code::CredentialsChanged)) => {
                self.end(token).await?;
                self.log_in_as(from, &username, password, token).await
            }
            logged_in => logged_in,
        }
    }

    async fn log_in_as(
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
            let device = DEVICE.to_string();
            Ask::LogIn { id, submitted_at, username: asked, password, token, device }
        };
        match self.requests.submit(log_in).await? {
            Reply::LoggedIn { .. } => Ok(Session { username, token }),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns the session that [`Operations::log_in_for`] opened for this protocol and address, if it is still open.
    pub(crate) async fn session_of(
        &self,
        protocol: &str,
        from: IpAddr,
        username: &str,
    ) -> Result<Session, Refusal> {
        let username = named(username)?;
        let token = self.token_of(protocol, &from.to_string(), &username);
        self.open_session(token).await
    }

    /// Returns the open session of a token that a client has kept.
    pub(crate) async fn session(&self, token: &[u8; 32]) -> Result<Session, Refusal> {
        self.open_session(token_hash(token)).await
    }

    /// Creates an account without a password, for gateways alone, and opens a session of it.
    pub(crate) async fn create_by_name(
        &self,
        protocol: &str,
        from: IpAddr,
        username: &str,
    ) -> Result<Session, Refusal> {
        let username = fold_username(username)?;
        self.check_rate(from, AddressRateClass::Creation)?;
        self.requests.write(AccessCommand::CreateByName { username: username.clone() }).await?;
        self.enter(protocol, from, &username).await
    }

    /// Opens the session of an account without a password: the same one for all connections and gateways of a protocol.
    ///
    /// Refused with `NoSuchUser` if there is no such account, and with [`Refusal::HasPassword`] if it has a password.
    pub(crate) async fn enter(
        &self,
        protocol: &str,
        from: IpAddr,
        username: &str,
    ) -> Result<Session, Refusal> {
        let username = named(username)?;
        let token = self.token_of(protocol, "", &username);
        match self.open_session(token).await {
            Err(refusal) if refusal.lacks_session() => {}
            known => return known,
        }
        self.check_rate(from, AddressRateClass::LogIn)?;
        let open = AccessCommand::OpenByName { username: username.clone(), session: token };
        match self.requests.write(open).await {
            // Another connection has opened it meanwhile.
            Err(Refusal::Denied(Code::CredentialsChanged)) => self.open_session(token).await,
            Ok(_) => Ok(Session { username, token }),
            Err(refusal) => Err(refusal),
        }
    }

    /// Opens the session of an account without a password as [`Operations::enter`] does, and creates the account if there is
    /// none. Returns true if it was created.
    pub(crate) async fn enter_or_create(
        &self,
        protocol: &str,
        from: IpAddr,
        username: &str,
    ) -> Result<(Session, bool), Refusal> {
        match self.enter(protocol, from, username).await {
            Err(Refusal::Denied(Code::NoSuchUser)) => {}
            entered => return Ok((entered?, false)),
        }
        match self.create_by_name(protocol, from, username).await {
            // Another client has created it meanwhile.
            Err(Refusal::Denied(Code::UsernameTaken)) => {
                Ok((self.enter(protocol, from, username).await?, false))
            }
            created => Ok((created?, true)),
        }
    }

    /// Returns the session of an account without a password, if [`Operations::enter`] has opened it, through any gateway. Refused
    /// with `NotLoggedIn` if it is not open.
    pub(crate) async fn entered(&self, protocol: &str, username: &str) -> Result<Session, Refusal> {
        let username = named(username)?;
        let token = self.token_of(protocol, "", &username);
        match self.open_session(token).await {
            // It may have been opened through another gateway a moment ago.
            Err(refusal) if refusal.lacks_session() => {
                me(self.requests.read_newest(Query::Me { session: token }).await?)?;
                Ok(Session { username, token })
            }
            known => known,
        }
    }

    /// Ends a session.
    pub(crate) async fn log_out(&self, session: &Session) -> Result<(), Refusal> {
        self.end(session.token).await
    }

    /// Deletes the account of a session, with everything in it.
    pub(crate) async fn delete_account(&self, session: &Session) -> Result<(), Refusal> {
        let me = me(self.requests.read(Query::Me { session: session.token }).await?)?;
        // By the operators' command: the owners' one asks for the password, which these protocols do not send.
        match self.requests.write(OperatorCommand::RemoveAccount { account: me.account }).await {
            Ok(_) | Err(Refusal::Denied(Code::NoSuchUser)) => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    /// Returns all accounts in the order of their creation, at most `ACCOUNTS_LISTED_MAX` of them.
    pub(crate) async fn accounts(&self) -> Result<Vec<Person>, Refusal> {
        self.accounts_named("*").await
    }

    /// As [`Operations::accounts`], of those whose user names match a pattern.
    pub(crate) async fn accounts_named(&self, names: &str) -> Result<Vec<Person>, Refusal> {
        let (mut people, mut after) = (Vec::new(), None);
        loop {
            let (page, more) = self.account_page(names.to_string(), after).await?;
            people.extend(page.into_iter().filter(|it| !it.suspended).map(|account| account.person));
            match more.filter(|_| people.len() < ACCOUNTS_LISTED_MAX) {
                Some(name) => after = Some(name),
                None => break,
            }
        }
        // An account's id is the position of its creation in the log.
        people.sort_by_key(|person| person.account);
        Ok(people)
    }

    /// Reads a page of the accounts of these names. The first one contains every account that was created before.
    async fn account_page(
        &self,
        names: String,
        after: Option<String>,
    ) -> Result<(Vec<AccountSummary>, Option<String>), Refusal> {
        let first = after.is_none();
        let query = Query::Accounts { names, after };
        let page = match first {
            true => self.requests.read_newest(query).await?,
            false => self.requests.read(query).await?,
        };
        match page {
            Page::Accounts { accounts, more } => Ok((accounts, more)),
            other => Err(unexpected(&other)),
        }
    }

    async fn open_session(&self, token: TokenHash) -> Result<Session, Refusal> {
        let Person { username, .. } = me(self.requests.read(Query::Me { session: token }).await?)?;
        Ok(Session { username, token })
    }

    async fn end(&self, token: TokenHash) -> Result<(), Refusal> {
        match self.requests.write(Command::LogOut { session: token }).await {
            Ok(_) | Err(Refusal::Denied(Code::NotLoggedIn)) => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    fn token_of(&self, protocol: &str, client: &str, username: &str) -> TokenHash {
        let token = self.keys.gateway_token(&[protocol, client, username]);
        token_hash(&token.expect("the options of a gateway have the cluster key"))
    }
}

/// Returns the folded user name. A name that no account can have is unknown.
fn named(username: &str) -> Result<String, Refusal> {
    fold_username(username).map_err(|_| Refusal::Denied(Code::NoSuchUser))
}

/// Returns the person in an answer to `Query::Me`.
fn me(page: Page) -> Result<Person, Refusal> {
    match page {
        Page::Me(me) => Ok(me),
        other => Err(unexpected(&other)),
    }
}
