//! All routes of the site in one table: path, access, and the handlers of GET and of a posted form.
//!
//! The router, the dispatch, the `Allow` header and the guard tests all read this table. A route is added with one row.

use crate::web::accounts::account;
use crate::web::accounts::authorize;
use crate::web::accounts::feed_addresses;
use crate::web::accounts::feed_addresses::FEED_SUFFIX;
use crate::web::accounts::friends;
use crate::web::accounts::invitations;
use crate::web::accounts::keep_away;
use crate::web::accounts::people;
use crate::web::accounts::reset;
use crate::web::accounts::settings;
use crate::web::admin;
use crate::web::chirper;
use crate::web::croaks::complete;
use crate::web::croaks::croak;
use crate::web::croaks::croak::CroakAct;
use crate::web::croaks::feed;
use crate::web::croaks::live::{croaks, cursor};
use crate::web::croaks::search;
use crate::web::error_pages::no_such_page;
use crate::web::http::files::{self, Asset};
use crate::web::http::response::{self, WebResponse};
use crate::web::monitoring::health;
use crate::web::monitoring::status;
use crate::web::request_context::RequestContext;
use crate::web::services::SiteServices;
use crate::web::talks::announcements;
use crate::web::talks::messages;
use crate::web::talks::notices;
use crate::web::talks::receipts;
use crate::web::talks::room;
use crate::web::talks::room_settings;
use crate::web::talks::rooms;
use hyper::{HeaderMap, StatusCode};
use ribbit_state::query::ReactionKind;
use ribbit_ui::form::Form;
use std::pin::Pin;

/// Permission that a GET needs. Every posted form is refused if another site's page sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteAccess {
    /// Open to everyone.
    Anyone,
    /// Needs a session; without one it leads to the log-in page.
    Session,
    /// Only this site's pages may load it, because it has an effect or returns the user's own data.
    OwnPages,
}

/// Option of the web role that adds routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteOption {
    /// `--chirper-pages`: the addresses of Chirper.
    Chirper,
    /// `--public-feeds`: croaks for everyone, without a session.
    PublicFeeds,
    /// Without `--no-api`: pages that belong to the API.
    Api,
}

/// Body that a route accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestBody {
    /// No body: only GET and HEAD.
    None,
    /// A posted form, beside GET and HEAD.
    Form,
}

impl RequestBody {
    /// Returns the methods of a route that accepts this body, as the `Allow` header lists them.
    pub fn methods(self) -> &'static str {
        match self {
            RequestBody::None => "GET, HEAD",
            RequestBody::Form => "GET, HEAD, POST",
        }
    }
}

/// The facts of a route, without its handlers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteRow {
    /// Path, with its parameter in braces: `/croak/{id}`.
    pub path: &'static str,
    pub access: RouteAccess,
    pub body: RequestBody,
    /// The option without which the route does not exist, if it needs one.
    pub option: Option<RouteOption>,
    /// A GET answers with a page of the site, not with data.
    pub page: bool,
}

/// A GET request. `named` is the parameter of the path, or empty.
pub(super) struct GetRequest<'a> {
    pub(super) services: &'a SiteServices,
    pub(super) context: &'a mut RequestContext,
    pub(super) query: &'a Form,
    pub(super) headers: &'a HeaderMap,
    pub(super) named: &'a str,
}

/// A posted form. `named` is the parameter of the path, or empty.
pub(super) struct PostRequest<'a> {
    pub(super) services: &'a SiteServices,
    pub(super) context: &'a mut RequestContext,
    pub(super) form: &'a Form,
    pub(super) named: &'a str,
}

/// A handler at work. Each is in a place of its own: as parts of one future, all of them together would not fit a thread's
/// stack in a build without optimization.
type Answering<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

macro_rules! routes {
    (@option) => { None };
    (@option $option:ident) => { Some(RouteOption::$option) };
    (@page) => { true };
    (@page $data:ident) => { false };
    (@body) => { RequestBody::None };
    (@body $form:ident) => { RequestBody::Form };
    (@post $request:ident) => { Box::pin(std::future::ready(None)) };
    (@post $request:ident $form:ident $change:expr) => {{
        fn handle(request: PostRequest<'_>) -> Answering<'_, Option<WebResponse>> {
            Box::pin(async move {
                let $form = request;
                Some($change)
            })
        }
        handle($request)
    }};
    ($($name:ident $path:literal $access:ident $(of $option:ident)? $(as $data:ident)? GET |$get:pat_param| $answer:expr $(, POST |$form:ident| $change:expr)?;)*) => {
        /// A route of the site.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Route { $($name,)* }

        /// All routes, in the order of [`Route`].
        pub const ROUTES: &[RouteRow] = &[
            $(RouteRow { path: $path, access: RouteAccess::$access, body: routes!(@body $($form)?), option: routes!(@option $($option)?), page: routes!(@page $($data)?) },)*
        ];

        impl Route {
            const ALL: &[Route] = &[$(Route::$name,)*];

            /// Handles a GET request.
            pub(super) fn get(self, request: GetRequest<'_>) -> Answering<'_, WebResponse> {
                match self {
                    $(Route::$name => {
                        fn handle(request: GetRequest<'_>) -> Answering<'_, WebResponse> {
                            Box::pin(async move {
                                let $get = request;
                                $answer
                            })
                        }
                        handle(request)
                    })*
                }
            }

            /// Handles a posted form. Returns `None` if the route accepts none.
            pub(super) fn post(self, request: PostRequest<'_>) -> Answering<'_, Option<WebResponse>> {
                match self {
                    $(Route::$name => routes!(@post request $($form $change)?),)*
                }
            }
        }
    };
}

routes! {
    Home "/" Anyone
        GET |it| account::show_landing(it.context).await;
    Create "/create" Anyone
        GET |it| account::show_create(it.context, it.query).await,
        POST |it| account::create(it.context, it.form).await;
    Login "/login" Anyone
        GET |it| account::show_login(it.context, it.query).await,
        POST |it| match it.services.chirper_pages && chirper::is_form(it.form) {
            true => chirper::login(it.context, it.form).await,
            false => account::login(it.context, it.form).await,
        };
    Reset "/reset/{code}" Anyone
        GET |it| reset::show(it.context, it.named).await,
        POST |it| reset::set(it.context, it.named, it.form).await;
    Logout "/logout" Session
        GET |it| account::show_logout(it.context).await,
        POST |it| account::logout(it.context, it.form).await;
    Delete "/delete" Session
        GET |it| account::show_delete(it.context).await,
        POST |it| account::delete(it.context, it.form).await;
    Main "/main" Session
        GET |it| feed::show(&it.services.fronts, it.context, it.query, it.headers).await,
        POST |it| feed::croak(&it.services.fronts, it.context, it.form).await;
    Manage "/manage" Session
        GET |it| friends::show(it.context, it.query).await,
        POST |it| friends::manage(it.context, it.form).await;
    People "/people" Session
        GET |it| people::show(it.context, it.query).await;
    Search "/search" Session
        GET |it| search::show(it.context, it.query).await;
    Tag "/tag/{name}" Session
        GET |it| search::tag(it.context, it.named, it.query).await;
    Profile "/@{name}" Session
        GET |it| people::profile(it.context, it.named, it.query, it.services.public_feeds).await;
    Croak "/croak/{id}" Session
        GET |it| croak::show(it.context, it.named, it.query).await,
        POST |it| croak::take_back(it.context, it.named, it.form).await;
    Likes "/croak/{id}/likes" Session
        GET |it| croak::reactions(it.context, it.named, ReactionKind::Like).await;
    Shares "/croak/{id}/shares" Session
        GET |it| croak::reactions(it.context, it.named, ReactionKind::Share).await;
    Like "/like" Session
        GET |it| croak::to_feed(it.context),
        POST |it| croak::act(it.context, it.form, CroakAct::Like).await;
    Share "/share" Session
        GET |it| croak::to_feed(it.context),
        POST |it| croak::act(it.context, it.form, CroakAct::Share).await;
    Pin "/pin" Session
        GET |it| croak::to_feed(it.context),
        POST |it| croak::act(it.context, it.form, CroakAct::Pin).await;
    Everyone "/everyone" Session
        GET |it| croak::everyone(it.context, it.query).await;
    Talks "/messages" Session
        GET |it| messages::list(it.context, it.query).await;
    Talk "/messages/{name}" Session
        GET |it| messages::show(it.context, it.named, it.query).await,
        POST |it| messages::send(it.context, it.named, it.form).await;
    Notifications "/notifications" Session
        GET |it| notices::show(it.context, it.query).await;
    Muted "/muted" Session
        GET |it| keep_away::list(it.context, it.query, false).await;
    Blocked "/blocked" Session
        GET |it| keep_away::list(it.context, it.query, true).await;
    KeepAway "/keep-away" Session
        GET |it| keep_away::list(it.context, it.query, false).await,
        POST |it| keep_away::change(it.context, it.form).await;
    Report "/report" Session
        GET |it| keep_away::show_report(it.context, it.query).await,
        POST |it| keep_away::report(it.context, it.form).await;
    Rooms "/rooms" Session
        GET |it| rooms::list(it.context, it.query).await,
        POST |it| rooms::create(it.context, it.form).await;
    Room "/rooms/{name}" Session
        GET |it| room::show(it.context, it.named, it.query).await,
        POST |it| room::change(it.context, it.named, it.form).await;
    RoomSettings "/rooms/{name}/settings" Session
        GET |it| room_settings::show(it.context, it.named, it.query).await,
        POST |it| room_settings::change(it.context, it.named, it.form).await;
    RoomMembers "/rooms/{name}/members" Session
        GET |it| room_settings::show_members(it.context, it.named, it.query).await,
        POST |it| room_settings::change_members(it.context, it.named, it.form).await;
    Dismiss "/dismiss" Session
        GET |it| croak::to_feed(it.context),
        POST |it| announcements::dismiss(it.context, it.form).await;
    Settings "/settings" Session
        GET |it| settings::show(it.context, it.query).await,
        POST |it| settings::change(it.context, it.form).await;

    Invitations "/invitations" Session
        GET |it| invitations::show(it.context, it.query).await,
        POST |it| invitations::change(it.context, it.form).await;
    Admin "/admin" Session
        GET |it| admin::overview::show(it.context, &it.services.cluster, it.query).await;
    AdminReports "/admin/reports" Session
        GET |it| admin::reports::show(it.context, it.query).await,
        POST |it| admin::reports::decide(it.context, it.form).await;
    AdminPeople "/admin/people" Session
        GET |it| admin::people::list(it.context, it.query).await;
    AdminPerson "/admin/people/{name}" Session
        GET |it| admin::people::show(it.context, it.named, it.query).await,
        POST |it| admin::people::change(it.context, it.named, it.form).await;
    AdminRequests "/admin/requests" Session
        GET |it| admin::requests::show(it.context, it.query).await,
        POST |it| admin::requests::decide(it.context, it.form).await;
    AdminInvitations "/admin/invitations" Session
        GET |it| admin::invitations::show(it.context, it.query).await,
        POST |it| admin::invitations::change(it.context, it.form).await;
    AdminRooms "/admin/rooms" Session
        GET |it| admin::rooms::list(it.context, it.query).await;
    AdminRoom "/admin/rooms/{name}" Session
        GET |it| admin::rooms::question(it.context, it.named, it.query).await,
        POST |it| admin::rooms::close(it.context, it.named, it.form).await;
    AdminBackups "/admin/backups" Session
        GET |it| admin::backups::show(it.context, it.query).await;
    AdminMembers "/admin/members" Session
        GET |it| admin::members::list(it.context, &it.services.cluster, it.query).await;
    AdminMember "/admin/members/{name}" Session
        GET |it| admin::members::question(it.context, &it.services.cluster, it.named, it.query).await,
        POST |it| admin::members::change(it.context, it.named, it.form).await;
    AdminSite "/admin/site" Session
        GET |it| admin::site::show(it.context, it.query).await,
        POST |it| admin::site::change(it.context, it.form).await;
    AdminAudit "/admin/audit" Session
        GET |it| admin::audit::show(it.context, it.query).await;

    Authorize "/oauth/authorize" Anyone of Api
        GET |it| authorize::show(it.context, it.query).await,
        POST |it| authorize::decide(it.context, it.form).await;
    // Some programs write a slash before the query.
    AuthorizeSlash "/oauth/authorize/" Anyone of Api
        GET |it| authorize::show(it.context, it.query).await,
        POST |it| authorize::decide(it.context, it.form).await;

    ChirperRegister "/register" Anyone of Chirper
        GET |it| chirper::show_register(it.context).await,
        POST |it| chirper::register(it.context, it.form).await;
    ChirperHome "/home" Session of Chirper
        GET |it| chirper::home(it.context).await;
    ChirperPost "/post" Session of Chirper
        GET |it| chirper::to_home(it.context),
        POST |it| chirper::post(it.context, it.form).await;
    ChirperBrowse "/browse" Session of Chirper
        GET |it| chirper::browse(it.context).await;
    ChirperUser "/user/{name}" Session of Chirper
        GET |it| chirper::user(it.context, it.named).await;
    ChirperFollow "/follow" Session of Chirper
        GET |it| chirper::to_home(it.context),
        POST |it| chirper::follow(it.context, it.form).await;
    ChirperDelete "/delete_account" Anyone of Chirper
        GET |it| chirper::delete_account(it.context);

    FeedAddresses "/settings/feeds" Session
        GET |it| feed_addresses::show(it.context, it.query).await,
        POST |it| feed_addresses::change(it.context, it.form).await;
    Feed "/feed/{file}" Anyone as Data
        GET |it| feed_addresses::read(it.context, it.named, it.headers).await;
    PublicFeed "/@{name}.atom" Anyone of PublicFeeds as Data
        GET |it| feed_addresses::public(it.context, it.named, it.headers).await;

    Live "/live" OwnPages as Data
        GET |it| live(it).await;
    Complete "/complete" OwnPages as Data
        GET |it| complete::list(it.context, it.query).await;
    Shown "/shown" OwnPages as Data
        GET |it| receipts::show(it.context, it.query, it.headers).await;
    Export "/export" OwnPages as Data
        GET |it| it.services.exports.begin(it.context, &it.services.client).await;

    Status "/status" Anyone
        GET |it| status::show(it.context, &it.services.cluster, it.query).await;
    About "/about" Anyone
        GET |it| status::about(it.context);
    Style "/style.css" Anyone as Data
        GET |it| it.services.files.answer(Asset::Style, it.headers);
    Script "/script.js" Anyone as Data
        GET |it| it.services.files.answer(Asset::Script, it.headers);
    Favicon "/favicon.svg" Anyone as Data
        GET |it| it.services.files.answer(Asset::Favicon, it.headers);
    Avatar "/avatar/{file}" Anyone as Data
        GET |it| files::avatar(it.named, it.headers).unwrap_or_else(|| no_such_page(it.context.has_session()));
    Robots "/robots.txt" Anyone as Data
        GET |it| it.services.files.answer(Asset::Robots, it.headers);
    SecurityText "/.well-known/security.txt" Anyone as Data
        GET |it| files::security_text(it.services.security_contact.as_deref())
            .unwrap_or_else(|| no_such_page(it.context.has_session()));
    ChangePassword "/.well-known/change-password" Anyone as Data
        GET |_| response::found("/settings#change-password");

    Livez "/livez" Anyone as Data
        GET |_| response::plain(StatusCode::OK, "ok");
    Readyz "/readyz" Anyone as Data
        GET |it| health::ready(&it.services.client).await;
    Health "/health" Anyone as Data
        GET |it| health::health(&it.services.cluster.look().await.survey);
    Metrics "/metrics" Anyone as Data
        GET |it| it.services.metrics.show(it.services.streams.open());
}

impl Route {
    /// Returns the row of this route.
    pub(super) fn row(self) -> &'static RouteRow {
        &ROUTES[self as usize]
    }
}

/// The routes that this process serves, found by their paths.
pub(super) struct Routes {
    router: matchit::Router<Route>,
    public_feeds: bool,
}

impl Routes {
    /// Returns the routes that need no option or one of these.
    pub(super) fn new(options: &[RouteOption]) -> Routes {
        let mut router = matchit::Router::new();
        let served = |route: &&Route| route.row().option.is_none_or(|option| options.contains(&option));
        // The router does not tell `/@{name}.atom` from `/@{name}`.
        for route in Route::ALL.iter().filter(served).filter(|route| **route != Route::PublicFeed) {
            router.insert(route.row().path, *route).expect("the paths differ");
        }
        Routes { router, public_feeds: options.contains(&RouteOption::PublicFeeds) }
    }

    /// Returns the route of a path and the parameter in it, or an empty one.
    pub(super) fn find<'p>(&self, path: &'p str) -> Option<(Route, &'p str)> {
        let found = self.router.at(path).ok()?;
        let named = found.params.iter().next().map_or("", |(_, named)| named);
        match (*found.value, named.strip_suffix(FEED_SUFFIX)) {
            (Route::Profile, Some(name)) if self.public_feeds => Some((Route::PublicFeed, name)),
            (route, _) => Some((route, named)),
        }
    }
}

/// Starts a live stream after the browser's last event, or after the page's position.
async fn live(request: GetRequest<'_>) -> WebResponse {
    let GetRequest { services, context, query, headers, .. } = request;
    let last = headers.get("last-event-id").and_then(|last| cursor(last.to_str().ok()));
    let croaks = croaks(query.get("croaks"));
    let everyone = query.get("feed") == Some("everyone");
    services.streams.begin(context, last, cursor(query.get("from")), croaks, everyone).await
}
