//! `/admin/invitations`: all invitations, and those that an admin makes for the operators.

use super::{answered, carry_out, confirmed, govern, read, refused, unknown_form, unreadable};
use crate::web::accounts::invitations::{InvitationChange, fresh};
use crate::web::error_pages::{NO_SESSION, WRONG_PAGE};
use crate::web::http::response::{self, WebResponse};
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_net::secret::{invitation_code, token_hash};
use ribbit_state::command::{InvitationTerms, OperatorCommand};
use ribbit_state::query::OperatorQuery;
use ribbit_state::{AccountId, Code, Denied, Page};
use ribbit_ui::form::Form;
use ribbit_ui::pages::admin::{AdminTab, AllInvitationsPage};
use ribbit_ui::pages::invitations::{FreshInvitation, InvitationRow};
use ribbit_ui::words::{Note, refusal};

const PATH: &str = "/admin/invitations";

/// Shows the invitations.
pub(in crate::web) async fn show(context: &mut RequestContext, query: &Form) -> WebResponse {
    match page(context, query).await {
        Ok(page) => response::page(StatusCode::OK, &page),
        Err(error) => unreadable(context, error),
    }
}

async fn page(context: &mut RequestContext, query: &Form) -> Result<AllInvitationsPage, PageError> {
    let after = || {
        let (by, made) = query.get("after")?.split_once('-')?;
        Some((AccountId(by.parse().ok()?), made.parse().ok()?))
    };
    let asked = OperatorQuery::Invitations { after: after() };
    let got = read(context, asked, ("Invitations", AdminTab::Invitations), query).await?;
    let Page::Invitations { invitations, more, .. } = got.page else { return Err(WRONG_PAGE) };
    let now_ms = got.frame.now_ms;
    let row = |item| InvitationRow::new(item, now_ms, context.request_here());
    Ok(AllInvitationsPage {
        fresh: None,
        invitations: invitations.iter().map(row).collect(),
        more: more.map(|(AccountId(by), made)| format!("{PATH}?after={by}-{made}")),
        request: context.request_if_read(),
        frame: got.frame,
        head: got.head,
    })
}

/// Makes or revokes an invitation.
pub(in crate::web) async fn change(context: &mut RequestContext, form: &Form) -> WebResponse {
    match InvitationChange::of(form) {
        Some(InvitationChange::Make(terms)) => match make(context, form, terms).await {
            Ok(fresh) => {
                let made = |page| AllInvitationsPage { fresh: Some(fresh), ..page };
                again(context, StatusCode::OK, made).await
            }
            Err(PageError::Denied(denied)) if is_about_terms(denied) => {
                let refused = |mut page: AllInvitationsPage| {
                    page.head.refusals.push(refusal(denied));
                    page
                };
                again(context, StatusCode::UNPROCESSABLE_ENTITY, refused).await
            }
            Err(error) => refused(context, form, PATH, error).await,
        },
        Some(InvitationChange::Revoke(invitation)) => {
            let done = govern(context, form, OperatorCommand::Uninvite { invitation }).await;
            answered(context, form, PATH, (PATH, Note::Uninvited), done).await
        }
        None => unknown_form(context),
    }
}

/// Returns true if an invitation was refused for what the form says, so that the form is shown again.
fn is_about_terms(denied: Denied) -> bool {
    matches!(denied.code, Code::NoSuchRoom | Code::TooManyInvitationLinks)
}

/// Shows the invitations again, with a change to their page.
async fn again(
    context: &mut RequestContext,
    status: StatusCode,
    change: impl FnOnce(AllInvitationsPage) -> AllInvitationsPage,
) -> WebResponse {
    match page(context, &Form::default()).await {
        Ok(page) => response::page(status, &change(page)),
        Err(error) => unreadable(context, error),
    }
}

/// Makes an invitation. Its code derives from the session and the request id, so a repeated form gives the same link.
async fn make(
    context: &mut RequestContext,
    form: &Form,
    terms: InvitationTerms,
) -> Result<FreshInvitation, PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let request = confirmed(context, form).await?;
    let code = invitation_code(session, request.id);
    carry_out(context, request, OperatorCommand::Invite { code: token_hash(&code), terms }).await?;
    Ok(fresh(context, &code))
}
