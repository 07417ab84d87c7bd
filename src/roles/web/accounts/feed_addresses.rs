//! Feeds for feed readers, in Atom: `/feed/SECRET.atom`, `/@NAME.atom`, and `/settings/feeds`, where a person makes and deletes
//! secret addresses.
//!
//! ```text
//!   form ──▶ secret = hash(session, request id) ──▶ its hash goes to the servers ──▶ shown once: SITE/feed/SECRET.atom
//!   feed reader ──▶ the secret's hash ──▶ AddressedFeed ──▶ document, with a tag ──▶ 200, or 304
//! ```
//!
//! A feed reader has no session and keeps no cookies. An address that does not work is answered alike for every reason.

use super::links::{self, LinksPage};
use crate::web::error_pages::{NO_SESSION, WRONG_PAGE, error_page};
use crate::web::http::files::tagged;
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::{AROUND_DEADLINE, READ_DEADLINE};
use crate::web::request_context::{PageError, RequestContext};
use hyper::{HeaderMap, StatusCode};
use ribbit_net::secret::{feed_secret, from_hex, stored_token, to_hex, token_hash};
use ribbit_state::text::fold_username;
use ribbit_state::{AccountCommand, Code, Denied, LogIndex, Page, Query, TokenHash};
use ribbit_ui::atom::AtomFeed;
use ribbit_ui::form::{Form, FormRequest};
use ribbit_ui::pages::feed_addresses::{FeedAddressRow, FeedAddressesPage};
use ribbit_ui::pages::{NavEntry, PageFrame};
use ribbit_ui::words::{Note, Refusals};
use std::time::Duration;

/// End of the path of a feed.
pub(in crate::web) const FEED_SUFFIX: &str = ".atom";

/// Answers `/feed/SECRET.atom`.
pub(in crate::web) async fn read(
    context: &mut RequestContext,
    file: &str,
    headers: &HeaderMap,
) -> WebResponse {
    context.ignore_cookies();
    let Some(secret) = file.strip_suffix(FEED_SUFFIX).and_then(from_hex) else { return no_such_feed() };
    let address = token_hash(&secret);
    let site = context.site_address();
    let feed = match context.read(Query::AddressedFeed { address }, READ_DEADLINE).await {
        Ok(read) => match read.page {
            Page::Feed { me, croaks, .. } => AtomFeed::home(&site, &me, croaks),
            Page::Room(page) => AtomFeed::room(&site, page),
            _ => return response::later("the servers are unavailable"),
        },
        Err(error) => return unreadable(&error),
    };
    tagged(feed.document(), headers, |document| response::feed(document, true))
}

/// Answers `/@NAME.atom`.
pub(in crate::web) async fn public(
    context: &mut RequestContext,
    name: &str,
    headers: &HeaderMap,
) -> WebResponse {
    context.ignore_cookies();
    let Ok(username) = fold_username(name) else { return no_such_feed() };
    let feed = match context.read(Query::PublicCroaks { username }, READ_DEADLINE).await {
        Ok(read) => match read.page {
            Page::PublicCroaks { person, croaks } => {
                AtomFeed::person(&context.site_address(), &person, croaks)
            }
            _ => return response::later("the servers are unavailable"),
        },
        Err(error) => return unreadable(&error),
    };
    tagged(feed.document(), headers, |document| response::feed(document, false))
}

fn no_such_feed() -> WebResponse {
    response::plain(StatusCode::NOT_FOUND, "there is no feed at this address")
}

fn unreadable(error: &PageError) -> WebResponse {
    match error {
        PageError::Denied(_) => no_such_feed(),
        PageError::Service(_) => response::later("the servers are unavailable; try again in a moment"),
    }
}

/// Change that a form asks for.
enum AddressChange {
    /// Makes an address of the feed, or of a room.
    Make {
        room: Option<String>,
    },
    End {
        made: LogIndex,
    },
}

impl AddressChange {
    fn of(form: &Form) -> Option<AddressChange> {
        Some(match form.get("choice")? {
            "make" => {
                let room = form.text("of");
                AddressChange::Make { room: (!room.is_empty()).then(|| room.to_string()) }
            }
            "end" => AddressChange::End { made: form.text("made").parse().ok()? },
            _ => return None,
        })
    }
}

/// Shows the addresses.
pub(in crate::web) async fn show(context: &mut RequestContext, query: &Form) -> WebResponse {
    links::show::<FeedAddressesPage>(context, query).await
}

impl LinksPage for FeedAddressesPage {
    async fn read(context: &mut RequestContext, limit: Duration) -> Result<FeedAddressesPage, PageError> {
        let session = context.session().ok_or(NO_SESSION)?;
        let asked = Query::FeedAddresses { session };
        let (frame, rooms, page) = links::read(context, "Feed addresses", asked, limit).await?;
        let Page::FeedAddresses(addresses) = page else { return Err(WRONG_PAGE) };
        let now_ms = frame.now_ms;
        let row = |item| FeedAddressRow::new(item, now_ms, context.request_here());
        Ok(FeedAddressesPage {
            frame,
            fresh: None,
            addresses: addresses.iter().map(row).collect(),
            rooms,
            request: Some(context.request_here()),
            refusals: Refusals::default(),
        })
    }

    fn frame_mut(&mut self) -> &mut PageFrame {
        &mut self.frame
    }

    fn refuse(&mut self, request: Option<FormRequest>, refusals: Refusals) {
        (self.request, self.refusals) = (request, refusals);
    }
}

/// Makes or ends an address.
pub(in crate::web) async fn change(context: &mut RequestContext, form: &Form) -> WebResponse {
    let Some(session) = context.session() else { return error_page(context, NavEntry::Settings, NO_SESSION) };
    let Some(change) = AddressChange::of(form) else {
        return links::again::<FeedAddressesPage>(
            context,
            form,
            Denied::new(Code::InvalidEntry).into(),
            None,
        )
        .await;
    };
    let request = match context.request_of(form).await {
        Ok(request) => request,
        Err(error) => return links::again::<FeedAddressesPage>(context, form, error, None).await,
    };
    let made = match change {
        AddressChange::Make { room } => make(context, session, request, room).await,
        AddressChange::End { made } => {
            let command = AccountCommand::EndFeedAddress { session, made };
            context.command(request, command.into()).await.map(|_| None)
        }
    };
    match made {
        Ok(Some(fresh)) => match FeedAddressesPage::read(context, AROUND_DEADLINE).await {
            Ok(page) => response::page(StatusCode::OK, &FeedAddressesPage { fresh: Some(fresh), ..page }),
            // The address is made, and the same form shows it when it is sent again.
            Err(error) => links::again::<FeedAddressesPage>(context, form, error, Some(request)).await,
        },
        Ok(None) => response::see_other(&format!("/settings/feeds?note={}", Note::FeedAddressEnded.name())),
        Err(error) => links::again::<FeedAddressesPage>(context, form, error, Some(request)).await,
    }
}

/// Makes an address and returns it.
async fn make(
    context: &mut RequestContext,
    session: TokenHash,
    request: FormRequest,
    room: Option<String>,
) -> Result<Option<String>, PageError> {
    let secret = feed_secret(session, request.id);
    let address = stored_token(token_hash(&secret));
    let command = AccountCommand::MakeFeedAddress { session, address, room };
    context.command(request, command.into()).await?;
    Ok(Some(format!("{}/feed/{}{FEED_SUFFIX}", context.site_address(), to_hex(&secret))))
}
