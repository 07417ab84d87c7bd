//! `/invitations`, where people who may invite others make links to sign up, see how often each was used, and revoke them.
//!
//! ```text
//!   form ──▶ code = hash(session, request id) ──▶ its hash goes to the servers ──▶ shown once: SITE/create?invitation=CODE
//! ```

use super::links::{self, LinksPage};
use crate::web::error_pages::{NO_SESSION, WRONG_PAGE, error_page};
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::AROUND_DEADLINE;
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_net::secret::{invitation_code, to_hex, token_hash};
use ribbit_state::command::InvitationTerms;
use ribbit_state::{AccountCommand, Code, Denied, LogIndex, Page, Query, TokenHash};
use ribbit_ui::form::{Form, FormRequest};
use ribbit_ui::pages::invitations::{FreshInvitation, InvitationRow, InvitationsPage};
use ribbit_ui::pages::{NavEntry, PageFrame};
use ribbit_ui::words::{Note, Refusals};
use std::time::Duration;

/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 3600 * 1000;

/// Change that a form asks for.
pub(in crate::web) enum InvitationChange {
    Make(InvitationTerms),
    Revoke(LogIndex),
}

impl InvitationChange {
    pub(in crate::web) fn of(form: &Form) -> Option<InvitationChange> {
        Some(match form.get("choice")? {
            "make" => {
                let days: u64 = form.text("days").trim().parse().ok()?;
                let room = form.text("room");
                InvitationChange::Make(InvitationTerms {
                    uses: form.text("uses").trim().parse().ok()?,
                    for_ms: days.checked_mul(DAY_MS)?,
                    room: (!room.is_empty()).then(|| room.to_string()),
                })
            }
            "revoke" => InvitationChange::Revoke(form.text("invitation").parse().ok()?),
            _ => return None,
        })
    }
}

/// Shows the invitations.
pub(in crate::web) async fn show(context: &mut RequestContext, query: &Form) -> WebResponse {
    links::show::<InvitationsPage>(context, query).await
}

impl LinksPage for InvitationsPage {
    async fn read(context: &mut RequestContext, limit: Duration) -> Result<InvitationsPage, PageError> {
        let session = context.session().ok_or(NO_SESSION)?;
        let asked = Query::Invitations { session };
        let (frame, rooms, page) = links::read(context, "Invitations", asked, limit).await?;
        let Page::Invitations { may_invite, invitations, .. } = page else { return Err(WRONG_PAGE) };
        let now_ms = frame.now_ms;
        let row = |item| InvitationRow::new(item, now_ms, context.request_here());
        Ok(InvitationsPage {
            frame,
            may_invite,
            fresh: None,
            invitations: invitations.iter().map(row).collect(),
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

/// Makes or revokes an invitation.
pub(in crate::web) async fn change(context: &mut RequestContext, form: &Form) -> WebResponse {
    let Some(session) = context.session() else { return error_page(context, NavEntry::Settings, NO_SESSION) };
    let Some(change) = InvitationChange::of(form) else {
        return links::again::<InvitationsPage>(context, form, Denied::new(Code::InvalidEntry).into(), None)
            .await;
    };
    let request = match context.request_of(form).await {
        Ok(request) => request,
        Err(error) => return links::again::<InvitationsPage>(context, form, error, None).await,
    };
    let made = match change {
        InvitationChange::Make(terms) => make(context, session, request, terms).await,
        InvitationChange::Revoke(invitation) => {
            let command = AccountCommand::Uninvite { session, invitation };
            context.command(request, command.into()).await.map(|_| None)
        }
    };
    match made {
        Ok(Some(fresh)) => match InvitationsPage::read(context, AROUND_DEADLINE).await {
            Ok(page) => response::page(StatusCode::OK, &InvitationsPage { fresh: Some(fresh), ..page }),
            // The invitation is made, and the same form shows it when it is sent again.
            Err(error) => links::again::<InvitationsPage>(context, form, error, Some(request)).await,
        },
        Ok(None) => response::see_other(&format!("/invitations?note={}", Note::Uninvited.name())),
        Err(error) => links::again::<InvitationsPage>(context, form, error, Some(request)).await,
    }
}

/// Makes an invitation and returns its link.
async fn make(
    context: &mut RequestContext,
    session: TokenHash,
    request: FormRequest,
    terms: InvitationTerms,
) -> Result<Option<FreshInvitation>, PageError> {
    let code = invitation_code(session, request.id);
    let command = AccountCommand::Invite { session, code: token_hash(&code), terms };
    context.command(request, command.into()).await?;
    Ok(Some(fresh(context, &code)))
}

/// Returns the link of an invitation with this code.
pub(in crate::web) fn fresh(context: &RequestContext, code: &[u8]) -> FreshInvitation {
    FreshInvitation::new(format!("{}/create?invitation={}", context.site_address(), to_hex(code)))
}
