//! Requests that carry a password: sign-up, log-in, password changes and account deletion.
//!
//! Passwords are checked and hashed here, outside the replicated rules. The command carries the credential version that was
//! checked, and the rules refuse it if that version has changed meanwhile.
//!
//! The salt of a hash is the request id, so a retry through any backend produces the same command.

use super::NodeState;
use super::passwords::Busy;
use super::request::{NodeRequest, store_unreadable};
use ribbit_db::DbError;
use ribbit_net::protocol::{Answer, NewAccount, Password, UnavailableReason};
use ribbit_net::secret::new_request_id;
use ribbit_net::tasks;
use ribbit_state::accounts::access::reset_link_person;
use ribbit_state::accounts::hash_digest;
use ribbit_state::rows::{Account, Credential};
use ribbit_state::{
    AccessCommand, AccountCommand, AccountId, AppLogIn, Code, Command, Denied, Field, LogIndex,
    OperatorCommand, Request, RequestId, Token, TokenHash, lookup, text,
};
use smol::future::FutureExt;
use std::time::{Duration, Instant};

impl NodeRequest<'_> {
    /// Creates an account: checks the form and the rate limit, hashes the password, submits the command.
    pub(super) async fn create_account(
        &self,
        id: RequestId,
        submitted_at: LogIndex,
        form: NewAccount,
    ) -> Answer {
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
        match self.until_deadline(self.node.passwords.hash(form.password.0, id.0)).await {
            Ok(password_hash) => {
                let NewAccount { name, username, email, invitation, .. } = form;
                let command = Command::CreateAccount { username, name, email, password_hash, invitation };
                self.submit(id, submitted_at, command).await
            }
            Err(Busy) => Answer::Unavailable(UnavailableReason::Busy),
        }
    }

    /// Checks a password and opens a session. After a success the stored hash is replaced if it is weaker than a new one.
    pub(super) async fn log_in(
        &self,
        id: RequestId,
        submitted_at: LogIndex,
        username: &str,
        password: Password,
        (token, device): (TokenHash, String),
        app: Option<AppLogIn>,
    ) -> Answer {
        // Unknown names are counted too, so that a refusal does not reveal which names exist.
        let name = text::fold_username(username).unwrap_or_default();
        if let Err(code) = self.node.limits.log_in(&name, id, &password.0) {
            return Answer::Refused(Denied::of(code, Field::Password));
        }
        if let Err(answer) = self.wait_for_read_index(submitted_at).await {
            return answer;
        }
        let account = match self.account_named(username) {
            Ok(account) => account,
            Err(error) => return store_unreadable(&error),
        };
        // A person who waits for approval is told so, with the right password.
        let waiting = match account.is_none().then(|| self.account_requested(username)).transpose() {
            Ok(waiting) => waiting.flatten(),
            Err(error) => return store_unreadable(&error),
        };
        let row = account.as_ref().map(|(_, row)| row).or(waiting.as_ref());
        let hash = row.and_then(|row| row.credential.password_hash().map(str::to_string));
        let has_password = hash.is_some();
        let fits = self.until_deadline(self.node.passwords.check(password.0.clone(), hash)).await;
        match (account, fits) {
            (_, Err(Busy)) => Answer::Unavailable(UnavailableReason::Busy),
            (None, Ok(true)) => Answer::Refused(Denied::new(Code::AwaitingApproval)),
            (None, Ok(false)) if waiting.is_none() => {
                Answer::Refused(Denied::of(Code::NoSuchUser, Field::Username))
            }
            (Some(_), Ok(_)) if !has_password => {
                Answer::Refused(Denied::of(Code::NoPassword, Field::Username))
            }
            (_, Ok(false)) => Answer::Refused(Denied::of(Code::WrongPassword, Field::Password)),
            (Some((account, row)), Ok(true)) => {
                let credential_version = row.credential_version;
                let answer = self
                    .submit(
                        id,
                        submitted_at,
                        Command::LogIn { account, credential_version, token, device, app },
                    )
                    .await;
                if matches!(answer, Answer::Written { outcome: Ok(_), .. }) {
                    self.replace_weak_hash(account, row, password);
                }
                answer
            }
        }
    }

    /// Replaces an account's password hash in the background if it is weaker than a new one would be. If this fails, the
    /// next log-in tries again.
    fn replace_weak_hash(&self, account: AccountId, row: Account, password: Password) {
        if !row.credential.password_hash().is_some_and(|hash| self.node.passwords.is_weaker(hash)) {
            return;
        }
        let node = self.node.clone();
        tasks::spawn_reader(async move {
            if let Err(why) = rehash(&node, account, &row, password).await {
                log::debug!("the password hash of account {} is kept: {why}", account.0);
            }
        })
        .detach();
    }

    fn account_named(&self, username: &str) -> Result<Option<(AccountId, Account)>, DbError> {
        let Ok(username) = text::fold_username(username) else { return Ok(None) };
        lookup::account_named(&self.member.replica.reader().view()?, &username)
    }

    /// Returns the account that a person with this name waits for.
    fn account_requested(&self, username: &str) -> Result<Option<Account>, DbError> {
        let Ok(username) = text::fold_username(username) else { return Ok(None) };
        lookup::account_requested(&self.member.replica.reader().view()?, &username)
    }

    /// Deletes the account of the session's owner after checking its password. For an account without a password, the session is
    /// enough.
    pub(super) async fn delete_account(
        &self,
        id: RequestId,
        submitted_at: LogIndex,
        session: TokenHash,
        password: Password,
    ) -> Answer {
        match self.checked_owner(id, submitted_at, session, password, None).await {
            Ok(credential_version) => {
                self.submit(id, submitted_at, Command::DeleteAccount { session, credential_version }).await
            }
            Err(answer) => answer,
        }
    }

    /// Notes that the session's owner has entered the right password.
    pub(super) async fn confirm(
        &self,
        id: RequestId,
        submitted_at: LogIndex,
        session: TokenHash,
        password: Password,
    ) -> Answer {
        match self.checked_owner(id, submitted_at, session, password, None).await {
            Ok(credential_version) => {
                let command = AccountCommand::Confirm { session, credential_version };
                self.submit(id, submitted_at, command.into()).await
            }
            Err(answer) => answer,
        }
    }

    /// Changes the password of the session's owner after checking the old one.
    pub(super) async fn change_password(
        &self,
        id: RequestId,
        submitted_at: LogIndex,
        session: TokenHash,
        old: Password,
        new: Password,
    ) -> Answer {
        if text::check_password(&new.0).is_err() {
            return Answer::Refused(Denied::of(Code::InvalidEntry, Field::NewPassword));
        }
        let credential_version = match self.checked_owner(id, submitted_at, session, old, Some(&new.0)).await
        {
            Ok(credential_version) => credential_version,
            Err(answer) => return answer,
        };
        match self.until_deadline(self.node.passwords.hash(new.0, id.0)).await {
            Ok(password_hash) => {
                let command = AccountCommand::ChangePassword { session, credential_version, password_hash };
                self.submit(id, submitted_at, command.into()).await
            }
            Err(Busy) => Answer::Unavailable(UnavailableReason::Busy),
        }
    }

    /// Sets an account's password on behalf of an operator, without checking the old one.
    pub(super) async fn set_password(
        &self,
        id: RequestId,
        submitted_at: LogIndex,
        username: &str,
        password: Password,
    ) -> Answer {
        if let Err(denied) = text::check_password(&password.0) {
            return Answer::Refused(denied);
        }
        if let Err(answer) = self.wait_for_read_index(submitted_at).await {
            return answer;
        }
        let account = match self.account_named(username) {
            Ok(Some((account, _))) => account,
            Ok(None) => return Answer::Refused(Denied::of(Code::NoSuchUser, Field::Username)),
            Err(error) => return store_unreadable(&error),
        };
        match self.until_deadline(self.node.passwords.hash(password.0, id.0)).await {
            Ok(password_hash) => {
                self.submit(id, submitted_at, OperatorCommand::SetPassword { account, password_hash }.into())
                    .await
            }
            Err(Busy) => Answer::Unavailable(UnavailableReason::Busy),
        }
    }

    /// Sets a new password with the code of a one-time link, which needs no session.
    pub(super) async fn reset_password(
        &self,
        id: RequestId,
        submitted_at: LogIndex,
        code: TokenHash,
        password: Password,
    ) -> Answer {
        if text::check_password(&password.0).is_err() {
            return Answer::Refused(Denied::of(Code::InvalidEntry, Field::NewPassword));
        }
        if let Err(answer) = self.refuse_repeated(id, submitted_at).await {
            return answer;
        }
        let reader = self.member.replica.reader();
        let owner = reader.view().and_then(|view| reset_link_person(&view, code, reader.age_ms()));
        let owner = match owner {
            Ok(Some(person)) => person.account,
            // Guessing 128 bits is hopeless, so only the limits by address count such tries.
            Ok(None) => return Answer::Refused(Denied::new(Code::LinkNotValid)),
            Err(error) => return store_unreadable(&error),
        };
        if let Err(code) = self.node.limits.owner_check(owner, id, [&password.0, ""]) {
            return Answer::Refused(Denied::of(code, Field::NewPassword));
        }
        match self.until_deadline(self.node.passwords.hash(password.0, id.0)).await {
            Ok(password_hash) => {
                let command = AccessCommand::ResetPassword { code, password_hash };
                self.submit(id, submitted_at, command.into()).await
            }
            Err(Busy) => Answer::Unavailable(UnavailableReason::Busy),
        }
    }

    /// Checks the password of the session's owner and returns the credential version that it was checked against. `new` is
    /// the password to be hashed afterwards, if any. It is part of the rate limit's idempotency key, so that a request
    /// with another new password counts as another attempt. An account without a password passes if there is no new one.
    ///
    /// # Errors
    /// The answer to send: a refusal, or the recorded outcome if this request was already applied. The latter comes first,
    /// because the request may have closed its own session or changed the password.
    async fn checked_owner(
        &self,
        id: RequestId,
        submitted_at: LogIndex,
        session: TokenHash,
        password: Password,
        new: Option<&str>,
    ) -> Result<u32, Answer> {
        self.refuse_repeated(id, submitted_at).await?;
        let reader = self.member.replica.reader();
        let owner = reader.view().and_then(|view| lookup::session_account(&view, session, reader.age_ms()));
        let Some((me, account)) = owner.map_err(|error| store_unreadable(&error))? else {
            return Err(Answer::Refused(Denied::new(Code::NotLoggedIn)));
        };
        if let Err(code) = self.node.limits.owner_check(me, id, [&password.0, new.unwrap_or_default()]) {
            return Err(Answer::Refused(Denied::of(code, Field::Password)));
        }
        let Credential::Password(hash) = account.credential else {
            return match new {
                Some(_) => Err(Answer::Refused(Denied::new(Code::NoPassword))),
                None => Ok(account.credential_version),
            };
        };
        let check = self.node.passwords.check(password.0, Some(hash));
        match self.until_deadline(check).await {
            Err(Busy) => Err(Answer::Unavailable(UnavailableReason::Busy)),
            Ok(false) => Err(Answer::Refused(Denied::of(Code::WrongPassword, Field::Password))),
            Ok(true) => Ok(account.credential_version),
        }
    }

    /// Waits until this node has applied what the client has seen, and looks for an earlier outcome of the request. That comes
    /// before all checks, because the request may have changed what they look at.
    ///
    /// # Errors
    /// The answer to send: the recorded outcome if this request was already applied, or why that could not be read.
    async fn refuse_repeated(&self, id: RequestId, submitted_at: LogIndex) -> Result<(), Answer> {
        self.wait_for_read_index(submitted_at).await?;
        match self.first_outcome(id).await.map_err(|error| store_unreadable(&error))? {
            Some((index, outcome)) => {
                let token = Token { history: self.member.identity.history, index };
                Err(Answer::Written { token, outcome })
            }
            None => Ok(()),
        }
    }

    /// Runs `work` until the request's deadline. Dropping it frees its place in the password queue.
    ///
    /// # Errors
    /// `Busy` at the deadline, or when the queue is full.
    async fn until_deadline<T>(&self, work: impl Future<Output = Result<T, Busy>>) -> Result<T, Busy> {
        let late = async {
            smol::Timer::at(self.deadline).await;
            Err(Busy)
        };
        work.or(late).await
    }
}

/// Time limit for replacing a hash.
const REHASH_MAX: Duration = Duration::from_secs(10);

/// Hashes the password at today's cost and submits the new hash. The rules refuse it if the stored hash has changed.
///
/// # Errors
/// The reason why the stored hash is kept, for the log.
async fn rehash(
    node: &NodeState,
    account: AccountId,
    row: &Account,
    password: Password,
) -> Result<(), String> {
    let member = node.membership.get().ok_or("no member yet")?;
    let reader = member.replica.reader();
    let id = new_request_id();
    let password_hash = node
        .passwords
        .hash(password.0, id.0)
        .await
        .map_err(|Busy| "the password queue is full".to_string())?;
    let before = row.credential.password_hash().map(hash_digest).ok_or("it has none any more")?;
    let credential_version = row.credential_version;
    let command = Command::Rehash { account, credential_version, before, password_hash };
    let request = Request { id, submitted_at: reader.applied(), origin: None, command };
    match member.replica.submit(request, Instant::now() + REHASH_MAX).await {
        Ok((_, Ok(_))) => {
            log::info!("replaced the password hash of account {} by a stronger one", account.0);
            Ok(())
        }
        Ok((_, Err(denied))) => Err(denied.to_string()),
        Err(why) => Err(format!("{why:?}")),
    }
}
