//! `/admin/members` and `/admin/members/NAME`: the members, and the questions before a change of one.
//!
//! The survey needs no cluster key, since members answer it to everyone on the status plane. A read that is allowed to admins only
//! stands before it. The change is a command like any other act.

use super::{ADMINS_ONLY, HERE, answered, govern, read, unknown_form, unreadable};
use crate::web::error_pages;
use crate::web::http::response::{self, WebResponse};
use crate::web::monitoring::cluster::ClusterMonitor;
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_state::command::{MemberChange, OperatorCommand};
use ribbit_state::{Code, Denied, MemberName};
use ribbit_ui::form::Form;
use ribbit_ui::members_page::{MembersPage, change_named, question as question_about};
use ribbit_ui::pages::admin::{AdminTab, ConfirmPage};
use ribbit_ui::words::{Note, Refusals};

const PATH: &str = "/admin/members";

/// Shows the members.
pub(in crate::web) async fn list(
    context: &mut RequestContext,
    cluster: &ClusterMonitor,
    query: &Form,
) -> WebResponse {
    match read(context, ADMINS_ONLY, ("Members", AdminTab::Members), query).await {
        Ok(got) => {
            let page = MembersPage::new(got.frame, got.head, &cluster.look().await.survey);
            response::page(StatusCode::OK, &page)
        }
        Err(error) => unreadable(context, error),
    }
}

/// Asks whether to make a change of a member.
pub(in crate::web) async fn question(
    context: &mut RequestContext,
    cluster: &ClusterMonitor,
    name: &str,
    query: &Form,
) -> WebResponse {
    match page(context, cluster, name, query).await {
        Ok(page) => response::page(StatusCode::OK, &page),
        Err(PageError::Denied(denied)) if denied.code == Code::NoSuchMember => {
            error_pages::no_such_page(context.has_session())
        }
        Err(error) => unreadable(context, error),
    }
}

async fn page(
    context: &mut RequestContext,
    cluster: &ClusterMonitor,
    name: &str,
    query: &Form,
) -> Result<ConfirmPage, PageError> {
    read(context, ADMINS_ONLY, ("Members", AdminTab::Members), query).await?;
    let gone = Denied::new(Code::NoSuchMember);
    let survey = &cluster.look().await.survey;
    let name: MemberName = name.parse().map_err(|()| gone)?;
    let member = survey.member(name).ok_or(gone)?;
    let value = query.text("change");
    let change = change_named(value, member.alive).ok_or(gone)?;
    let asked = question_about(name, change);
    let mut fields = vec![("change".to_string(), value.to_string())];
    if member.alive {
        fields.push(("alive".into(), "yes".into()));
    }
    Ok(ConfirmPage {
        frame: context.frame(asked.title, HERE),
        words: asked.words,
        asks_password: false,
        button: asked.button,
        action: format!("{PATH}/{name}"),
        back: PATH,
        fields,
        request: context.request_if_read(),
        refusals: Refusals::default(),
    })
}

/// Makes a change of a member.
pub(in crate::web) async fn change(context: &mut RequestContext, name: &str, form: &Form) -> WebResponse {
    let change: Option<MemberChange> = change_named(form.text("change"), form.get("alive").is_some());
    let (Some(change), Ok(name)) = (change, name.parse()) else { return unknown_form(context) };
    let done = govern(context, form, OperatorCommand::ChangeMember { name, change }).await;
    answered(context, form, &format!("{PATH}/{name}"), (PATH, Note::MemberChanged), done).await
}
