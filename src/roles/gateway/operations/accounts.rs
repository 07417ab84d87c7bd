//! Accounts as a gateway opens them: found again by every gateway, without a password, and listed or deleted as operators do.

use super::GatewayOperations;
use crate::common::address_rates::AddressRateClass;
use crate::gateway::limits::ACCOUNTS_LISTED_MAX;
use crate::operations::accounts::{me, named};
use crate::operations::{Refusal, Session, unexpected};
use ribbit_net::protocol::Password;
use ribbit_net::secret::token_hash;
use ribbit_state::query::{AccountSummary, OperatorQuery, Person};
use ribbit_state::text::fold_username;
use ribbit_state::{AccessCommand, Code, OperatorCommand, Page, Query, TokenHash};
use std::net::IpAddr;

impl GatewayOperations {
    /// Checks a password and opens a session that every gateway finds again by the name of the protocol and the client, see
    /// [`GatewayOperations::session_of`].
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

    /// Returns the session that [`GatewayOperations::log_in_for`] opened for this protocol and address, if it is still open.
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
    /// Refused with `NoSuchUser` if there is no such account, and with [`Refusal::NotByName`] if it has a password.
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

    /// Opens the session of an account without a password as [`GatewayOperations::enter`] does, and creates the account if there is
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

    /// Returns the session of an account without a password, if [`GatewayOperations::enter`] has opened it, through any gateway. Refused
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

    /// As [`GatewayOperations::accounts`], of those whose user names match a pattern.
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
        let query = OperatorQuery::Accounts { names, after }.into();
        let page = match first {
            true => self.requests.read_newest(query).await?,
            false => self.requests.read(query).await?,
        };
        match page {
            Page::Accounts { accounts, more } => Ok((accounts, more)),
            other => Err(unexpected(&other)),
        }
    }

    fn token_of(&self, protocol: &str, client: &str, username: &str) -> TokenHash {
        let token = self.keys.gateway_token(&[protocol, client, username]);
        token_hash(&token.expect("the options of a gateway have the cluster key"))
    }
}
