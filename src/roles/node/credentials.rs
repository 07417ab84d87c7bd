//! What is asked with a password: it is checked and hashed here, outside the rules, and what was checked goes into the
//! command, which the rules refuse when it has changed meanwhile.
//!
//! A retry makes the same command, through whichever backend: the salt of a hash is the request's id.

use super::Node;
use super::passwords::Busy;
use super::service::{Asking, broken};
use crate::db::DbError;
use crate::net::protocol::{Answer, NewAccount, Password, Why};
use crate::net::secret::new_request_id;
use crate::net::tasks;
use crate::state::accounts::hash_digest;
use crate::state::rows::Account;
use crate::state::{
    AccountCommand, AccountId, Code, Command, Denied, Field, LogIndex, OperatorCommand, Request, RequestId,
    Token, TokenHash, social, text,
};
use smol::future::FutureExt;
use std::time::{Duration, Instant};

impl Asking<'_> {
    pub(super) async fn create_account(&self, id: RequestId, born: LogIndex, form: NewAccount) -> Answer {
        let checked = text::check_name(&form.name)
            .and_then(|_| text::fold_username(&form.username))
            .and_then(|_| text::check_email(&form.email))
            .and_then(|_| text::check_password(&form.password.0));
        if let Err(denied) = checked {
            return Answer::Refused(denied);
        }
        if let Err(code) = self.node.limits.new_account(id, &form.password.0) {
            return Answer::Refused(Denied::new(code));
        }
        match self.in_time(self.node.passwords.hash(form.password.0, id.0)).await {
            Ok(password_hash) => {
                let NewAccount { name, username, email, .. } = form;
                self.submit(id, born, Command::CreateAccount { username, name, email, password_hash }).await
            }
            Err(Busy) => Answer::Unavailable(Why::Busy),
        }
    }

    pub(super) async fn log_in(
        &self,
        id: RequestId,
        born: LogIndex,
        username: &str,
        password: Password,
        token: TokenHash,
    ) -> Answer {
        // Names that nobody has are counted like the others: what it says of a name is the same.
        let name = text::fold_username(username).unwrap_or_default();
        if let Err(code) = self.node.limits.log_in(&name, id, &password.0) {
            return Answer::Refused(Denied::of(code, Field::Password));
        }
        if let Err(answer) = self.newest(born).await {
            return answer;
        }
        let account = match self.account_named(username) {
            Ok(account) => account,
            Err(error) => return broken(&error),
        };
        let hash = account.as_ref().map(|(_, account)| account.password_hash.clone());
        let fits = self.in_time(self.node.passwords.check(password.0.clone(), hash)).await;
        match (account, fits) {
            (_, Err(Busy)) => Answer::Unavailable(Why::Busy),
            (None, _) => Answer::Refused(Denied::of(Code::NoSuchUser, Field::Username)),
            (Some(_), Ok(false)) => Answer::Refused(Denied::of(Code::WrongPassword, Field::Password)),
            (Some((account, row)), Ok(true)) => {
                let credential_version = row.credential_version;
                let answer =
                    self.submit(id, born, Command::LogIn { account, credential_version, token }).await;
                if matches!(answer, Answer::Written { outcome: Ok(_), .. }) {
                    self.strengthen(account, row, password);
                }
                answer
            }
        }
    }

    /// Makes the hash anew that this password was found right against, if it cost less than one does today. Nobody waits
    /// for it: whatever comes in between, the next log-in tries again.
    fn strengthen(&self, account: AccountId, row: Account, password: Password) {
        if !self.node.passwords.is_weaker(&row.password_hash) {
            return;
        }
        let node = self.node.clone();
        tasks::spawn_reader(async move {
            if let Err(why) = rehash(&node, account, &row, password).await {
                log::debug!("the password's hash of account {} stays as it is: {why}", account.0);
            }
        })
        .detach();
    }

    fn account_named(&self, username: &str) -> Result<Option<(AccountId, Account)>, DbError> {
        let Ok(username) = text::fold_username(username) else { return Ok(None) };
        social::account_named(&self.member.replica.reader().view()?, &username)
    }

    pub(super) async fn delete_account(
        &self,
        id: RequestId,
        born: LogIndex,
        session: TokenHash,
        password: Password,
    ) -> Answer {
        match self.checked_owner(id, born, session, password, "").await {
            Ok(credential_version) => {
                self.submit(id, born, Command::DeleteAccount { session, credential_version }).await
            }
            Err(answer) => answer,
        }
    }

    pub(super) async fn change_password(
        &self,
        id: RequestId,
        born: LogIndex,
        session: TokenHash,
        old: Password,
        new: Password,
    ) -> Answer {
        if text::check_password(&new.0).is_err() {
            return Answer::Refused(Denied::of(Code::InvalidEntry, Field::NewPassword));
        }
        let credential_version = match self.checked_owner(id, born, session, old, &new.0).await {
            Ok(credential_version) => credential_version,
            Err(answer) => return answer,
        };
        match self.in_time(self.node.passwords.hash(new.0, id.0)).await {
            Ok(password_hash) => {
                let command = AccountCommand::ChangePassword { session, credential_version, password_hash };
                self.submit(id, born, command.into()).await
            }
            Err(Busy) => Answer::Unavailable(Why::Busy),
        }
    }

    /// An operator's word is enough: no password is checked.
    pub(super) async fn set_password(
        &self,
        id: RequestId,
        born: LogIndex,
        username: &str,
        password: Password,
    ) -> Answer {
        if let Err(denied) = text::check_password(&password.0) {
            return Answer::Refused(denied);
        }
        if let Err(answer) = self.newest(born).await {
            return answer;
        }
        let account = match self.account_named(username) {
            Ok(Some((account, _))) => account,
            Ok(None) => return Answer::Refused(Denied::of(Code::NoSuchUser, Field::Username)),
            Err(error) => return broken(&error),
        };
        match self.in_time(self.node.passwords.hash(password.0, id.0)).await {
            Ok(password_hash) => {
                self.submit(id, born, OperatorCommand::SetPassword { account, password_hash }.into()).await
            }
            Err(Busy) => Answer::Unavailable(Why::Busy),
        }
    }

    /// The credential version at which the password of the session's owner was found right; else the answer. `new` is what
    /// is hashed after that, if anything: another one is another try. When this
    /// request was carried out already, that is what became of it: its session or its password may be no more.
    async fn checked_owner(
        &self,
        id: RequestId,
        born: LogIndex,
        session: TokenHash,
        password: Password,
        new: &str,
    ) -> Result<u32, Answer> {
        self.newest(born).await?;
        let reader = self.member.replica.reader();
        let first = self.first_outcome(id).await.map_err(|error| broken(&error))?;
        if let Some((index, outcome)) = first {
            let token = Token { history: self.member.identity.history, index };
            return Err(Answer::Written { token, outcome });
        }
        let owner = reader.view().and_then(|view| social::session_account(&view, session, reader.age_ms()));
        let Some((me, account)) = owner.map_err(|error| broken(&error))? else {
            return Err(Answer::Refused(Denied::new(Code::NotLoggedIn)));
        };
        if let Err(code) = self.node.limits.owner_check(me, id, [&password.0, new]) {
            return Err(Answer::Refused(Denied::of(code, Field::Password)));
        }
        let check = self.node.passwords.check(password.0, Some(account.password_hash));
        match self.in_time(check).await {
            Err(Busy) => Err(Answer::Unavailable(Why::Busy)),
            Ok(false) => Err(Answer::Refused(Denied::of(Code::WrongPassword, Field::Password))),
            Ok(true) => Ok(account.credential_version),
        }
    }

    /// A password that waits behind others for too long is given up, and its place in the queue with it.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Busy>>) -> Result<T, Busy> {
        let late = async {
            smol::Timer::at(self.deadline).await;
            Err(Busy)
        };
        work.or(late).await
    }
}

/// What is not worth waiting for longer.
const REHASH_MAX: Duration = Duration::from_secs(10);

async fn rehash(node: &Node, account: AccountId, row: &Account, password: Password) -> Result<(), String> {
    let member = node.member.get().ok_or("no member yet")?;
    let reader = member.replica.reader();
    let id = new_request_id();
    let password_hash =
        node.passwords.hash(password.0, id.0).await.map_err(|Busy| "others wait for theirs".to_string())?;
    let (credential_version, before) = (row.credential_version, hash_digest(&row.password_hash));
    let command = Command::Rehash { account, credential_version, before, password_hash };
    let request = Request { id, born: reader.applied(), command };
    match member.replica.submit(request, Instant::now() + REHASH_MAX).await {
        Ok((_, Ok(_))) => {
            log::info!("the hash of account {}'s password was made anew", account.0);
            Ok(())
        }
        Ok((_, Err(denied))) => Err(denied.to_string()),
        Err(why) => Err(format!("{why:?}")),
    }
}
