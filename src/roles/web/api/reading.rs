//! What several calls read: accounts, croaks and messages by their ids, and the people whom texts mention.

use super::error::ApiError;
use super::request::ApiRequest;
use crate::web::error_pages::{NO_SESSION, WRONG_PAGE};
use crate::web::limits::READ_DEADLINE;
use crate::web::request_context::PageError;
use ribbit_state::query::{FeedCroak, Person, Profile, TalkMessage};
use ribbit_state::{AccountId, Code, Command, Denied, Field, LogIndex, Page, Query, Reply, TokenHash};
use ribbit_ui::api::{AccountEntity, Entities, SiteAddresses, StatusEntity, names_in};

/// A status as it is found by its id.
pub(super) enum FoundStatus {
    /// A croak, or a share of one.
    Croak(FeedCroak),
    Message {
        /// `None` if the account is deleted.
        with: Option<Person>,
        with_account: AccountId,
        message: TalkMessage,
    },
}

impl ApiRequest<'_> {
    /// Reads a page. `query` makes its query from the session.
    pub(super) async fn read(&mut self, query: impl FnOnce(TokenHash) -> Query) -> Result<Page, PageError> {
        let query = query(self.context.session().ok_or(NO_SESSION)?);
        Ok(self.context.read(query, READ_DEADLINE).await?.page)
    }

    /// Returns the addresses of this site.
    pub(super) fn site(&self) -> SiteAddresses {
        self.context.site()
    }

    /// Sends a command.
    ///
    /// # Errors
    /// The refusal, or the reason why it was not decided.
    pub(super) async fn write(&mut self, command: Command) -> Result<Reply, ApiError> {
        self.write_part(0, command).await
    }

    /// Sends one of several commands of a call. With an `Idempotency-Key` each has an id of its own.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub(super) async fn write_part(&mut self, part: usize, command: Command) -> Result<Reply, ApiError> {
        let request = self.request(part).await?;
        Ok(self.context.command(request, command).await?)
    }

    /// Returns the number in the path. One that is no number is the id of nothing.
    pub(super) fn id(&self) -> LogIndex {
        number(self.named)
    }

    /// Returns the client's own account.
    pub(super) async fn me(&mut self) -> Result<Person, PageError> {
        match self.read(|session| Query::Me { session }).await? {
            Page::Me(me) => Ok(me),
            _ => Err(WRONG_PAGE),
        }
    }

    /// Returns the profiles of these accounts, without those that there are not.
    pub(super) async fn profiles(&mut self, accounts: Vec<AccountId>) -> Result<Vec<Profile>, PageError> {
        match self.read(|session| Query::Profiles { session, accounts }).await? {
            Page::Profiles { profiles, .. } => Ok(profiles),
            _ => Err(WRONG_PAGE),
        }
    }

    /// Returns the profile of an account.
    ///
    /// # Errors
    /// 601 if there is no such account.
    pub(super) async fn profile(&mut self, account: AccountId) -> Result<Profile, PageError> {
        let profile = self.profiles(vec![account]).await?.pop();
        profile.ok_or(Denied::of(Code::NoSuchUser, Field::Username).into())
    }

    /// Finds the croak, share or message with this id.
    ///
    /// # Errors
    /// 645 if there is none that the client may see.
    pub(super) async fn find(&mut self, id: LogIndex) -> Result<FoundStatus, PageError> {
        match self.read(|session| Query::Croak { session, id }).await {
            Ok(Page::Croak(croak)) => return Ok(FoundStatus::Croak(croak)),
            Ok(_) => return Err(WRONG_PAGE),
            Err(PageError::Denied(denied)) if denied.code == Code::NoSuchCroak => {}
            Err(error) => return Err(error),
        }
        match self.read(|session| Query::Message { session, id }).await {
            Ok(Page::Message { with, with_account, message }) => {
                Ok(FoundStatus::Message { with, with_account, message })
            }
            Ok(_) => Err(WRONG_PAGE),
            Err(PageError::Denied(denied)) if denied.code == Code::NoSuchMessage => {
                Err(Denied::new(Code::NoSuchCroak).into())
            }
            Err(error) => Err(error),
        }
    }

    /// Finds the croak with this id. The id of a share stands for the croak that it shares.
    ///
    /// # Errors
    /// `Unprocessable` for a direct message, which `words` says.
    pub(super) async fn find_croak(
        &mut self,
        id: LogIndex,
        words: &'static str,
    ) -> Result<FeedCroak, ApiError> {
        match self.find(id).await? {
            FoundStatus::Croak(croak) => Ok(croak),
            FoundStatus::Message { .. } => Err(ApiError::unprocessable(words)),
        }
    }

    /// Returns what makes entities, with the people whom these texts mention.
    pub(super) async fn entities<'t>(
        &mut self,
        texts: impl IntoIterator<Item = &'t str>,
    ) -> Result<Entities, PageError> {
        let usernames = names_in(texts);
        let people = if usernames.is_empty() {
            Vec::new()
        } else {
            match self.read(|session| Query::Persons { session, usernames }).await? {
                Page::Persons(people) => people,
                _ => return Err(WRONG_PAGE),
            }
        };
        Ok(Entities::new(self.site(), people))
    }

    /// Returns the statuses of croaks.
    pub(super) async fn statuses(&mut self, croaks: &[FeedCroak]) -> Result<Vec<StatusEntity>, PageError> {
        let entities = self.entities(croaks.iter().map(|croak| croak.body.text.as_str())).await?;
        Ok(croaks.iter().map(|croak| entities.status(croak)).collect())
    }

    /// Returns the status of a croak, share or message.
    pub(super) async fn status_of(&mut self, found: &FoundStatus) -> Result<StatusEntity, PageError> {
        match found {
            FoundStatus::Croak(croak) => {
                let entities = self.entities([croak.body.text.as_str()]).await?;
                Ok(entities.status(croak))
            }
            FoundStatus::Message { with, with_account, message } => {
                let me = self.me().await?;
                let entities = self.entities([message.text.as_str()]).await?;
                Ok(entities.message(&me, with.as_ref(), *with_account, message))
            }
        }
    }

    /// Returns the accounts of people in a list.
    pub(super) fn accounts<'p>(&self, people: impl IntoIterator<Item = &'p Person>) -> Vec<AccountEntity> {
        let site = self.site();
        people.into_iter().map(|person| AccountEntity::listed(&site, person)).collect()
    }

    /// Returns true if a parameter is set to a true value.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.params.flag(name) == Some(true)
    }
}

/// Returns the index that an id means. An id that is no number is that of nothing.
pub(super) fn number(id: &str) -> LogIndex {
    id.trim().parse().unwrap_or(0)
}
