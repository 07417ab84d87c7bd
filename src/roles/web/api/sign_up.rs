//! `POST /api/v1/accounts`: an app creates an account for a person, where registration is open or the person is invited.

use super::admission::{Caller, own_app};
use super::error::{ApiError, json};
use super::oauth;
use super::request::ApiRequest;
use crate::web::http::response::WebResponse;
use crate::web::request_context::PageError;
use hyper::StatusCode;
use ribbit_net::protocol::{Ask, NewAccount, Password};
use ribbit_net::secret::code_hash;
use ribbit_state::text::{check_email, check_password, fold_username};
use ribbit_state::{Code, Denied, Field, Reply};
use ribbit_ui::api::oauth::TokenJson;
use ribbit_ui::form::FormRequest;
use ribbit_ui::words::refusal;
use serde_json::{Map, Value};

/// Creates an account, and answers with a token for the app. The display name is the user name: clients ask for no other.
pub(super) async fn create(request: ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let ApiRequest { context, params, caller, .. } = request;
    let Caller::App { app, key } = caller else {
        let words = "This call needs the token of an app for itself, not a person's.";
        return Err(ApiError::new(StatusCode::FORBIDDEN, words));
    };
    let text = |name| params.text(name).to_string();
    let (username, email, password) = (text("username"), text("email"), Password(text("password")));
    let name = username.clone();
    // The servers check the same, but stop at the first error. Checked here too, all fields are reported at once.
    let mut wrong = Vec::from_iter(
        [fold_username(&username).err(), check_email(&email).err(), check_password(&password.0).err()]
            .into_iter()
            .flatten(),
    );
    if params.flag("agreement") != Some(true) {
        return Err(invalid(&[("agreement".to_string(), "The agreement has to be accepted.".to_string())]));
    }
    if wrong.is_empty() {
        let FormRequest { id, submitted_at } = context.new_request().await?;
        let invitation = match params.text("invite_code") {
            "" => None,
            typed => Some(code_hash(typed).ok_or(Denied::new(Code::InvitationNotValid))?),
        };
        let form =
            NewAccount { name, username: username.clone(), email, password: password.clone(), invitation };
        match context.write(Ask::CreateAccount { id, submitted_at, form }).await {
            Ok(Reply::Requested) => return Err(Denied::new(Code::AwaitingApproval).into()),
            Ok(_) => {}
            Err(PageError::Denied(denied)) if field_of(denied).is_some() => wrong.push(denied),
            Err(error) => return Err(error.into()),
        }
    }
    if !wrong.is_empty() {
        let named =
            wrong.iter().filter_map(|denied| Some((field_of(*denied)?.name().to_string(), refusal(*denied))));
        return Err(invalid(&named.collect::<Vec<_>>()));
    }
    let scopes = own_app(context, app, key).await?.ok_or_else(ApiError::no_token)?.scopes;
    let token = oauth::open(context, key, (app, scopes), username, password).await?;
    Ok(json(&TokenJson::new(&token, scopes, context.now_ms())))
}

fn field_of(denied: Denied) -> Option<Field> {
    match denied.code {
        Code::UsernameTaken => Some(Field::Username),
        Code::InvalidEntry => denied.field,
        _ => None,
    }
}

/// Refuses fields, each with its words: `{"error": "…", "details": {"username": [{"error", "description"}]}}`.
fn invalid(fields: &[(String, String)]) -> ApiError {
    let mut details = Map::new();
    for (field, words) in fields {
        let error = if field == "agreement" { "ERR_ACCEPTED" } else { "ERR_INVALID" };
        details.insert(field.clone(), serde_json::json!([{ "error": error, "description": words }]));
    }
    let words: Vec<&str> = fields.iter().map(|(_, words)| words.as_str()).collect();
    ApiError::unprocessable(words.join(" ")).with_details(Value::Object(details))
}
