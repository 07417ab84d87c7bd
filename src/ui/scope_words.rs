//! Words for what a person lets an app do.

use ribbit_state::{Scope, Scopes};

/// Returns the names of scopes with commas between them: `read, write:statuses`.
pub fn names(scopes: Scopes) -> String {
    scopes.iter().map(Scope::name).collect::<Vec<_>>().join(", ")
}

/// Returns what a scope permits, as a person reads it after "This app will be able to".
pub fn permits(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "read your feed, messages, notifications and settings",
        Scope::Write => "post, send messages and change your account",
        Scope::Follow => "see and change whom you follow, mute and block",
        Scope::Push => "get push messages, which this site does not send",
        Scope::Profile => "see who you are",
        Scope::ReadAccounts => "see profiles",
        Scope::ReadBlocks => "see whom you block",
        Scope::ReadBookmarks => "see your bookmarks",
        Scope::ReadFavourites => "see what you like",
        Scope::ReadFilters => "see your filters",
        Scope::ReadFollows => "see whom you follow",
        Scope::ReadLists => "see your lists",
        Scope::ReadMutes => "see whom you mute",
        Scope::ReadNotifications => "see your notifications",
        Scope::ReadSearch => "search in your name",
        Scope::ReadStatuses => "read your feed and your messages",
        Scope::WriteAccounts => "change your profile",
        Scope::WriteBlocks => "block and unblock people",
        Scope::WriteBookmarks => "bookmark croaks",
        Scope::WriteConversations => "mark conversations as read and delete them",
        Scope::WriteFavourites => "like croaks",
        Scope::WriteFilters => "change your filters",
        Scope::WriteFollows => "follow and unfollow people",
        Scope::WriteLists => "change your lists",
        Scope::WriteMedia => "send pictures, which this site does not take",
        Scope::WriteMutes => "mute and unmute people",
        Scope::WriteNotifications => "mark notifications as read",
        Scope::WriteReports => "report people and croaks",
        Scope::WriteStatuses => "post, share, delete and send messages",
    }
}
