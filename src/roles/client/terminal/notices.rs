//! Notices and announcements in the terminal: the list, and lines for those that arrive.

use super::client::TerminalClient;
use crate::client::session::request_error::RequestError;
use ribbit_state::rows::NoticeKind;
use ribbit_state::{LogIndex, NoticeCommand, Page, Query};
use ribbit_ui::{announcements, notice_words};

/// Number of notices that the command shows.
const SHOWN: u16 = 20;
/// Number of the newest notices among which one that has just arrived is looked for.
const LOOKED_AT: u16 = 10;

impl TerminalClient {
    /// Shows the newest notices, newest last, and marks them as read.
    pub(crate) async fn show_notices(&self) -> Result<(), RequestError> {
        let (notices, _) = self.user.notices(None, usize::from(SHOWN)).await?;
        if notices.is_empty() {
            self.screen.show("no notifications".to_string()).await;
            return Ok(());
        }
        for notice in notices.iter().rev() {
            let new = if notice.unread { "* " } else { "  " };
            self.screen.show(format!("{new}{}", notice_words::line(notice, self.style))).await;
        }
        if let Some(newest) = notices.first().filter(|newest| newest.unread) {
            let session = self.token()?;
            self.user.write(NoticeCommand::Read { session, through: newest.id }.into()).await?;
        }
        Ok(())
    }

    /// Shows the announcements that the user has not dismissed, oldest first, or dismisses them. Returns their number.
    pub(super) async fn show_announcements(&self, dismiss: bool) -> Result<usize, RequestError> {
        let items = self.user.announcements().await?;
        for item in items.iter().rev() {
            match dismiss {
                true => self.user.dismiss(item.id).await?,
                false => self.screen.show(announcements::line(item)).await,
            }
        }
        Ok(items.len())
    }

    /// Carries out the command for announcements.
    pub(super) async fn list_announcements(&self, dismiss: bool) -> Result<(), RequestError> {
        match self.show_announcements(dismiss).await? {
            0 => self.screen.show("no announcements".to_string()).await,
            _ if dismiss => self.screen.show("dismissed").await,
            _ => {}
        }
        Ok(())
    }

    /// Shows the announcement that was made at this index, unless it is gone again.
    pub(super) async fn show_announcement_of(&self, index: LogIndex) -> Result<(), RequestError> {
        let query = Query::MyAnnouncements { session: self.token()? };
        let Page::Announcements(items) = self.read_patiently(query).await? else { return Ok(()) };
        if let Some(item) = items.iter().find(|item| item.id == index) {
            self.screen.show(announcements::line(item)).await;
        }
        Ok(())
    }

    /// Shows the notice that the command at this index made for the user, if it made one. A new follower
    /// has a line of its own.
    pub(crate) async fn show_notice_of(&self, index: LogIndex) -> Result<(), RequestError> {
        let query = Query::Notices { session: self.token()?, before: None, limit: LOOKED_AT };
        let Page::Notices { notices, .. } = self.read_patiently(query).await? else { return Ok(()) };
        let Some(notice) = notices.iter().find(|notice| notice.id == index) else { return Ok(()) };
        if notice.kind != NoticeKind::Follow {
            self.screen.show(notice_words::line(notice, self.style)).await;
        }
        Ok(())
    }
}
