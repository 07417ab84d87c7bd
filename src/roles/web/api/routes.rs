//! All calls of the API in one table: method, path, who may make it, the scope it needs, and its handler.
//!
//! The router, the dispatch, the check of tokens and scopes, the `Allow` header, the OpenAPI file and the tests read this table. A call is
//! added with one row; the comment above it is its description in the OpenAPI file.

pub use super::admission::{ApiAccess, ApiRow};
use super::error::ApiError;
use super::request::ApiRequest;
use super::{instance, oauth, streaming};
use crate::web::response::WebResponse;
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
