//! All calls of the API in one table: method, path, who may make it, the scope it needs, and its handler.
//!
//! The router, the dispatch, the check of tokens and scopes, the `Allow` header, the OpenAPI file and the tests read this table. A call is
//! added with one row; the comment above it is its description in the OpenAPI file.

use super::accounts::RelationAct;
pub use super::admission::{ApiAccess, ApiRow};
use super::error::ApiError;
use super::request::ApiRequest;
use super::statuses::StatusAct;
use super::{
    accounts, conversations, instance, notifications, oauth, others, posting, search, sign_up, statuses,
    streaming, timelines,
};
use crate::web::http::response::WebResponse;
use ribbit_state::query::{FollowSide, ReactionKind};
use ribbit_ui::api::params::NO_MEDIA;
use std::pin::Pin;

/// A handler at work, in a place of its own: see [`crate::web::routes`].
type Answering<'a> = Pin<Box<dyn Future<Output = Result<WebResponse, ApiError>> + 'a>>;

macro_rules! api_routes {
    (@scope) => { None };
    (@scope $scope:ident) => { Some(ribbit_state::Scope::$scope) };
    ($(#[doc = $words:literal] $name:ident $method:ident $path:literal $access:ident $(($scope:ident))? |$it:pat_param| $answer:expr;)*) => {
        /// A call of the API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum ApiRoute { $($name,)* }

        /// All calls, in the order of [`ApiRoute`].
        pub const ROWS: &[ApiRow] = &[
            $(ApiRow {
                method: stringify!($method),
                path: $path,
                access: ApiAccess::$access,
                scope: api_routes!(@scope $($scope)?),
                words: $words,
            },)*
        ];

        impl ApiRoute {
            const ALL: &[ApiRoute] = &[$(ApiRoute::$name,)*];

            /// Handles a call that was admitted.
            pub(super) fn handle(self, request: ApiRequest<'_>) -> Answering<'_> {
                match self {
                    $(ApiRoute::$name => {
                        fn handle(request: ApiRequest<'_>) -> Answering<'_> {
                            Box::pin(async move {
                                let $it = request;
                                $answer
                            })
                        }
                        handle(request)
                    })*
                }
            }
        }
    };
}

api_routes! {
    /// Describes this installation.
    InstanceOne GET "/api/v1/instance" Anyone |it| instance::version_1(it).await;
    /// Describes this installation.
    InstanceTwo GET "/api/v2/instance" Anyone |it| instance::version_2(it).await;
    /// Registers an app.
    RegisterApp POST "/api/v1/apps" Anyone |it| oauth::register(it).await;
    /// Describes the app of a token.
    VerifyApp GET "/api/v1/apps/verify_credentials" App |it| oauth::verify_app(it).await;
    /// Creates an account, where registration is open.
    SignUp POST "/api/v1/accounts" App(WriteAccounts) |it| sign_up::create(it).await;
    /// Describes where OAuth 2 is served.
    OauthMetadata GET "/.well-known/oauth-authorization-server" Anyone |it| Ok(oauth::metadata(&it));
    /// Exchanges a code or a password for an access token.
    OauthToken POST "/oauth/token" Anyone |it| oauth::token(it).await;
    /// Follows the stream that a parameter names, as Server-Sent Events or on a WebSocket, which may name more.
    Streaming GET "/api/v1/streaming" Person |it| streaming::named(it).await;
    /// Tells whether streams are served.
    StreamingHealth GET "/api/v1/streaming/health" Anyone |_| Ok(streaming::health());
    /// Follows the client's feed and notifications.
    StreamUser GET "/api/v1/streaming/user" Person (ReadStatuses) |it| streaming::at(it, "user").await;
    /// Follows the client's notifications.
    StreamNotifications GET "/api/v1/streaming/user/notification" Person (ReadNotifications)
        |it| streaming::at(it, "user/notification").await;
    /// Follows the croaks of everyone.
    StreamPublic GET "/api/v1/streaming/public" Person (ReadStatuses) |it| streaming::at(it, "public").await;
    /// Follows the croaks of everyone on this site.
    StreamLocal GET "/api/v1/streaming/public/local" Person (ReadStatuses)
        |it| streaming::at(it, "public/local").await;
    /// Follows the croaks of everyone with a tag.
    StreamTag GET "/api/v1/streaming/hashtag" Person (ReadStatuses) |it| streaming::at(it, "hashtag").await;
    /// Follows the croaks of everyone on this site with a tag.
    StreamLocalTag GET "/api/v1/streaming/hashtag/local" Person (ReadStatuses)
        |it| streaming::at(it, "hashtag/local").await;
    /// Follows the client's conversations.
    StreamDirect GET "/api/v1/streaming/direct" Person (ReadStatuses) |it| streaming::at(it, "direct").await;
    /// Ends an access token.
    OauthRevoke POST "/oauth/revoke" Anyone |it| oauth::revoke(it).await;

    /// Describes the own account.
    VerifyCredentials GET "/api/v1/accounts/verify_credentials" Person(ReadAccounts) |mut it| accounts::verify_credentials(&mut it).await;
    /// Changes the own account.
    UpdateCredentials PATCH "/api/v1/accounts/update_credentials" Person(WriteAccounts) |mut it| accounts::update_credentials(&mut it).await;
    /// Finds an account by its name.
    AccountLookup GET "/api/v1/accounts/lookup" Person(ReadAccounts) |mut it| accounts::lookup(&mut it).await;
    /// Finds accounts by parts of their names.
    AccountSearch GET "/api/v1/accounts/search" Person(ReadAccounts) |mut it| search::accounts(&mut it).await;
    /// Describes the relations to several accounts.
    Relationships GET "/api/v1/accounts/relationships" Person(ReadFollows) |mut it| accounts::relationships(&mut it).await;
    /// Answers with an empty list.
    FamiliarFollowers GET "/api/v1/accounts/familiar_followers" Person(ReadFollows) |_| Ok(timelines::empty());
    /// Describes several accounts.
    Accounts GET "/api/v1/accounts" Person(ReadAccounts) |mut it| accounts::show_all(&mut it).await;
    /// Describes an account.
    Account GET "/api/v1/accounts/{id}" Person(ReadAccounts) |mut it| accounts::show(&mut it).await;
    /// Lists the croaks of an account.
    AccountStatuses GET "/api/v1/accounts/{id}/statuses" Person(ReadStatuses) |mut it| accounts::statuses(&mut it).await;
    /// Lists the followers of an account.
    AccountFollowers GET "/api/v1/accounts/{id}/followers" Person(ReadAccounts) |mut it| accounts::follows(&mut it, FollowSide::Followers).await;
    /// Lists the accounts that an account follows.
    AccountFollowing GET "/api/v1/accounts/{id}/following" Person(ReadAccounts) |mut it| accounts::follows(&mut it, FollowSide::Followed).await;
    /// Answers with an empty list.
    AccountLists GET "/api/v1/accounts/{id}/lists" Person(ReadLists) |_| Ok(timelines::empty());
    /// Answers with an empty list.
    AccountFeaturedTags GET "/api/v1/accounts/{id}/featured_tags" Person(ReadAccounts) |_| Ok(timelines::empty());
    /// Follows an account.
    AccountFollow POST "/api/v1/accounts/{id}/follow" Person(WriteFollows) |mut it| accounts::relate(&mut it, RelationAct::Follow).await;
    /// Unfollows an account.
    AccountUnfollow POST "/api/v1/accounts/{id}/unfollow" Person(WriteFollows) |mut it| accounts::relate(&mut it, RelationAct::Unfollow).await;
    /// Mutes an account.
    AccountMute POST "/api/v1/accounts/{id}/mute" Person(WriteMutes) |mut it| accounts::relate(&mut it, RelationAct::Mute).await;
    /// Unmutes an account.
    AccountUnmute POST "/api/v1/accounts/{id}/unmute" Person(WriteMutes) |mut it| accounts::relate(&mut it, RelationAct::Unmute).await;
    /// Blocks an account.
    AccountBlock POST "/api/v1/accounts/{id}/block" Person(WriteBlocks) |mut it| accounts::relate(&mut it, RelationAct::Block).await;
    /// Unblocks an account.
    AccountUnblock POST "/api/v1/accounts/{id}/unblock" Person(WriteBlocks) |mut it| accounts::relate(&mut it, RelationAct::Unblock).await;
    /// Lists muted accounts.
    Mutes GET "/api/v1/mutes" Person(ReadMutes) |mut it| accounts::mutes(&mut it).await;
    /// Lists blocked accounts.
    Blocks GET "/api/v1/blocks" Person(ReadBlocks) |mut it| accounts::blocks(&mut it).await;
    /// Returns the settings for new statuses.
    Preferences GET "/api/v1/preferences" Person(ReadAccounts) |mut it| accounts::preferences(&mut it).await;
    /// Lists the croaks of followed accounts.
    HomeTimeline GET "/api/v1/timelines/home" Person(ReadStatuses) |mut it| timelines::home(&mut it).await;
    /// Lists the croaks of everyone.
    PublicTimeline GET "/api/v1/timelines/public" Person(ReadStatuses) |mut it| timelines::public(&mut it).await;
    /// Lists the croaks with a tag.
    TagTimeline GET "/api/v1/timelines/tag/{name}" Person(ReadStatuses) |mut it| timelines::tag(&mut it).await;
    /// Answers with an empty list.
    ListTimeline GET "/api/v1/timelines/list/{id}" Person(ReadStatuses) |_| Ok(timelines::empty());
    /// Lists liked croaks.
    Favourites GET "/api/v1/favourites" Person(ReadFavourites) |mut it| timelines::favourites(&mut it).await;
    /// Describes several statuses.
    Statuses GET "/api/v1/statuses" Person(ReadStatuses) |mut it| statuses::show_all(&mut it).await;
    /// Posts a croak, a reply or a direct message.
    PostStatus POST "/api/v1/statuses" Person(WriteStatuses) |mut it| posting::create(&mut it).await;
    /// Describes a status.
    Status GET "/api/v1/statuses/{id}" Person(ReadStatuses) |mut it| statuses::show(&mut it).await;
    /// Deletes a croak, or takes a share back.
    DeleteStatus DELETE "/api/v1/statuses/{id}" Person(WriteStatuses) |mut it| statuses::delete(&mut it).await;
    /// Is refused.
    EditStatus PUT "/api/v1/statuses/{id}" Person(WriteStatuses) |_| others::refuse("A croak cannot be changed. Delete it and post it again.");
    /// Lists the statuses around a status.
    StatusContext GET "/api/v1/statuses/{id}/context" Person(ReadStatuses) |mut it| statuses::context(&mut it).await;
    /// Returns the text of a status.
    StatusSource GET "/api/v1/statuses/{id}/source" Person(ReadStatuses) |mut it| statuses::source(&mut it).await;
    /// Lists the accounts that like a croak.
    FavouritedBy GET "/api/v1/statuses/{id}/favourited_by" Person(ReadStatuses) |mut it| statuses::reactions(&mut it, ReactionKind::Like).await;
    /// Lists the accounts that shared a croak.
    RebloggedBy GET "/api/v1/statuses/{id}/reblogged_by" Person(ReadStatuses) |mut it| statuses::reactions(&mut it, ReactionKind::Share).await;
    /// Likes a croak.
    StatusFavourite POST "/api/v1/statuses/{id}/favourite" Person(WriteFavourites) |mut it| statuses::act(&mut it, StatusAct::Favourite).await;
    /// Takes a like back.
    StatusUnfavourite POST "/api/v1/statuses/{id}/unfavourite" Person(WriteFavourites) |mut it| statuses::act(&mut it, StatusAct::Unfavourite).await;
    /// Takes a share back.
    StatusUnreblog POST "/api/v1/statuses/{id}/unreblog" Person(WriteStatuses) |mut it| statuses::act(&mut it, StatusAct::Unreblog).await;
    /// Pins a croak to the own profile.
    StatusPin POST "/api/v1/statuses/{id}/pin" Person(WriteAccounts) |mut it| statuses::act(&mut it, StatusAct::Pin).await;
    /// Unpins a croak.
    StatusUnpin POST "/api/v1/statuses/{id}/unpin" Person(WriteAccounts) |mut it| statuses::act(&mut it, StatusAct::Unpin).await;
    /// Shares a croak.
    StatusReblog POST "/api/v1/statuses/{id}/reblog" Person(WriteStatuses) |mut it| statuses::reblog(&mut it).await;
    /// Is refused.
    StatusBookmark POST "/api/v1/statuses/{id}/bookmark" Person(WriteBookmarks) |_| others::refuse("Ribbit has no bookmarks. Like the croak to find it again.");
    /// Is refused.
    StatusUnbookmark POST "/api/v1/statuses/{id}/unbookmark" Person(WriteBookmarks) |_| others::refuse("Ribbit has no bookmarks. Like the croak to find it again.");
    /// Is refused.
    StatusMute POST "/api/v1/statuses/{id}/mute" Person(WriteMutes) |_| others::refuse("A thread cannot be muted. Mute the person.");
    /// Is refused.
    StatusUnmute POST "/api/v1/statuses/{id}/unmute" Person(WriteMutes) |_| others::refuse("A thread cannot be muted. Mute the person.");
    /// Lists notifications.
    Notifications GET "/api/v1/notifications" Person(ReadNotifications) |mut it| notifications::list(&mut it).await;
    /// Removes all notifications.
    ClearNotifications POST "/api/v1/notifications/clear" Person(WriteNotifications) |mut it| notifications::clear(&mut it).await;
    /// Counts unread notifications.
    UnreadNotifications GET "/api/v1/notifications/unread_count" Person(ReadNotifications) |mut it| notifications::unread_count(&mut it).await;
    /// Describes a notification.
    Notification GET "/api/v1/notifications/{id}" Person(ReadNotifications) |mut it| notifications::show(&mut it).await;
    /// Removes a notification.
    DismissNotification POST "/api/v1/notifications/{id}/dismiss" Person(WriteNotifications) |mut it| notifications::dismiss(&mut it).await;
    /// Returns read positions.
    Markers GET "/api/v1/markers" Person(ReadStatuses) |mut it| notifications::markers(&mut it).await;
    /// Moves read positions forward.
    SetMarkers POST "/api/v1/markers" Person(WriteStatuses) |mut it| notifications::set_markers(&mut it).await;
    /// Lists conversations.
    Conversations GET "/api/v1/conversations" Person(ReadStatuses) |mut it| conversations::list(&mut it).await;
    /// Marks a conversation as read.
    ReadConversation POST "/api/v1/conversations/{id}/read" Person(WriteConversations) |mut it| conversations::read(&mut it).await;
    /// Is refused.
    DeleteConversation DELETE "/api/v1/conversations/{id}" Person(WriteConversations) |_| others::refuse("A conversation cannot be deleted.");
    /// Finds accounts, croaks and tags.
    Search GET "/api/v2/search" Person(ReadSearch) |mut it| search::all(&mut it).await;
    /// Lists announcements.
    Announcements GET "/api/v1/announcements" Person(ReadAccounts) |mut it| others::announcements(&mut it).await;
    /// Hides an announcement.
    DismissAnnouncement POST "/api/v1/announcements/{id}/dismiss" Person(WriteAccounts) |mut it| others::dismiss(&mut it).await;
    /// Reports an account or its statuses.
    PostReport POST "/api/v1/reports" Person(WriteReports) |mut it| others::report(&mut it).await;
    /// Is refused.
    PostMedia POST "/api/v1/media" Person(WriteMedia) |_| others::refuse(NO_MEDIA);
    /// Is refused.
    PostMediaV2 POST "/api/v2/media" Person(WriteMedia) |_| others::refuse(NO_MEDIA);
    /// Is refused.
    Poll GET "/api/v1/polls/{id}" Person(ReadStatuses) |_| others::no_polls();
    /// Answers with an empty list.
    Bookmarks GET "/api/v1/bookmarks" Person(ReadBookmarks) |_| Ok(timelines::empty());
    /// Answers with an empty list.
    Lists GET "/api/v1/lists" Person(ReadLists) |_| Ok(timelines::empty());
    /// Answers with an empty list.
    Filters GET "/api/v1/filters" Person(ReadFilters) |_| Ok(timelines::empty());
    /// Answers with an empty list.
    FollowRequests GET "/api/v1/follow_requests" Person(ReadFollows) |_| Ok(timelines::empty());
    /// Answers with an empty list.
    Suggestions GET "/api/v1/suggestions" Person(Read) |_| Ok(timelines::empty());
    /// Answers with an empty list.
    ScheduledStatuses GET "/api/v1/scheduled_statuses" Person(ReadStatuses) |_| Ok(timelines::empty());
    /// Answers with an empty list.
    FeaturedTags GET "/api/v1/featured_tags" Person(ReadAccounts) |_| Ok(timelines::empty());
    /// Answers with an empty list.
    FollowedTags GET "/api/v1/followed_tags" Person(ReadFollows) |_| Ok(timelines::empty());
    /// Answers with an empty list.
    Endorsements GET "/api/v1/endorsements" Person(ReadAccounts) |_| Ok(timelines::empty());
    /// Answers with an empty list.
    DomainBlocks GET "/api/v1/domain_blocks" Person(ReadBlocks) |_| Ok(timelines::empty());
    /// Answers with an empty list.
    FiltersV2 GET "/api/v2/filters" Person(ReadFilters) |_| Ok(timelines::empty());
    /// Answers with an empty list.
    SuggestionsV2 GET "/api/v2/suggestions" Person(Read) |_| Ok(timelines::empty());
    /// Answers with an empty list.
    CustomEmojis GET "/api/v1/custom_emojis" Anyone |_| Ok(timelines::empty());
    /// Answers with an empty list.
    TrendingTags GET "/api/v1/trends/tags" Anyone |_| Ok(timelines::empty());
    /// Answers with an empty list.
    TrendingStatuses GET "/api/v1/trends/statuses" Anyone |_| Ok(timelines::empty());
    /// Answers with an empty list.
    TrendingLinks GET "/api/v1/trends/links" Anyone |_| Ok(timelines::empty());
    /// Answers with an empty list.
    Directory GET "/api/v1/directory" Anyone |_| Ok(timelines::empty());
}

impl ApiRoute {
    /// Returns the row of this call.
    pub(super) fn row(self) -> &'static ApiRow {
        &ROWS[self as usize]
    }

    /// Returns a router that finds the calls of a path.
    pub(super) fn router() -> matchit::Router<Vec<ApiRoute>> {
        let mut router: matchit::Router<Vec<ApiRoute>> = matchit::Router::new();
        let mut paths: Vec<&str> = ROWS.iter().map(|row| row.path).collect();
        paths.sort_unstable();
        paths.dedup();
        for path in paths {
            let routes = ApiRoute::ALL.iter().copied().filter(|route| route.row().path == path).collect();
            router.insert(path, routes).expect("the paths differ");
        }
        router
    }
}
