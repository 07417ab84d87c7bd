//! Pages under the addresses of Chirper's own web server, with its fields, for `--chirper-pages`.
//!
//! `/`, `/login` and `/logout` are the same as without. Deleting an account asks for its password here, on `/delete`: a link
//! alone must not delete anything.

use crate::web::accounts::account::open_session;
use crate::web::error_pages::{NO_SESSION, WRONG_PAGE, error_page, status};
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::{CHIRPER_PEOPLE_MAX, CHIRPER_POSTS_MIN, READ_DEADLINE, page_len};
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_net::protocol::{Ask, NewAccount, Password};
use ribbit_state::limits::FEED_PAGE_MAX;
use ribbit_state::query::{FeedCroak, FollowSide, Profile};
use ribbit_state::text::{check_croak, check_password, fold_username};
use ribbit_state::{Code, Command, Denied, Page, Query, Reply, TokenHash};
use ribbit_ui::form::{Form, FormRequest};
use ribbit_ui::pages::NavEntry;
use ribbit_ui::pages::chirper::{ChirperFollow, ChirperFormPage, ChirperPage};
use ribbit_ui::words::refusal;

/// Returns true if a log-in form has the fields of Chirper.
pub(super) fn is_form(form: &Form) -> bool {
    form.get("Username").is_some()
}

/// Shows the sign-up form.
pub(super) async fn show_register(context: &mut RequestContext) -> WebResponse {
    match me(context).await {
        Ok(_) => response::see_other("/home"),
        Err(error) if error.lacks_session() => {
            let request = context.new_request().await.ok();
            response::page(StatusCode::OK, &form_page(context, "Register", "/register", request))
        }
        Err(error) => error_page(context, NavEntry::Create, error),
    }
}

/// Creates an account.
pub(super) async fn register(context: &mut RequestContext, form: &Form) -> WebResponse {
    match create(context, form).await {
        Ok(()) => response::see_other("/login"),
        Err((error, words)) => again(context, form, ("Register", "/register"), error, words).await,
    }
}

async fn create(context: &mut RequestContext, form: &Form) -> Result<(), (PageError, String)> {
    let denied = |denied: Denied| (PageError::Denied(denied), format!("Error: {}", refusal(denied)));
    let missing = |what: &str| {
        let error = PageError::Denied(Denied::new(Code::InvalidEntry));
        Err((error, format!("Error: please provide a {what}")))
    };
    let (username, password) = (form.text("Username"), form.text("Password"));
    if username.trim().is_empty() {
        return missing("username");
    }
    if password.is_empty() {
        return missing("password");
    }
    let username = fold_username(username).map_err(denied)?;
    check_password(password).map_err(denied)?;
    let account = NewAccount {
        name: username.clone(),
        email: format!("{username}@localhost"),
        username,
        password: Password(password.to_string()),
        invitation: None,
    };
    let made = match context.request_of(form).await {
        Ok(FormRequest { id, submitted_at }) => {
            context.write(Ask::CreateAccount { id, submitted_at, form: account }).await
        }
        Err(error) => Err(error),
    };
    match made {
        Ok(Reply::Requested) => Err(denied(Denied::new(Code::AwaitingApproval))),
        Ok(_) => Ok(()),
        Err(error) => {
            let words = match &error {
                PageError::Denied(Denied { code: Code::UsernameTaken, .. }) => {
                    "username not available".to_string()
                }
                PageError::Denied(other) => format!("Error: {}", refusal(*other)),
                PageError::Service(service) => format!("Error: {}", service.words()),
            };
            Err((error, words))
        }
    }
}

/// Logs in.
pub(super) async fn login(context: &mut RequestContext, form: &Form) -> WebResponse {
    let password = Password(form.text("Password").to_string());
    let opened = match fold_username(form.text("Username")) {
        Ok(username) => open_session(context, &username, password).await,
        Err(denied) => Err(denied.into()),
    };
    match opened {
        Ok(()) => response::see_other("/home"),
        Err(error) => {
            let words = match error {
                PageError::Service(service) => format!("Error: {}", service.words()),
                PageError::Denied(_) => "Error: username or password incorrect".to_string(),
            };
            again(context, form, ("Log in", "/login"), error, words).await
        }
    }
}

/// Shows the user's own posts and those whom they follow.
pub(super) async fn home(context: &mut RequestContext) -> WebResponse {
    let shown = async {
        let session = context.session().ok_or(NO_SESSION)?;
        let username = me(context).await?;
        let (_, _, posts) = profile(context, session, &username, CHIRPER_POSTS_MIN).await?;
        let people = followed(context, session, &username).await?;
        Ok((username, posts, people))
    };
    let (username, posts, people) = match shown.await {
        Ok(shown) => shown,
        Err(error) => return error_page(context, NavEntry::Main, error),
    };
    let mut frame = context.frame(&format!("Welcome {username}"), NavEntry::Main);
    frame.me = Some(username);
    let page = ChirperPage {
        frame,
        post: Some(context.request_here()),
        follow: None,
        posts: Some(posts.into_iter().map(Into::into).collect()),
        heading: "Following",
        people,
    };
    response::page(StatusCode::OK, &page)
}

/// Leads to the page with the form that is posted here.
pub(super) fn to_home(context: &RequestContext) -> WebResponse {
    response::see_other(if context.has_session() { "/home" } else { "/login" })
}

/// Posts, unless the text is blank or too long.
pub(super) async fn post(context: &mut RequestContext, form: &Form) -> WebResponse {
    let Some(session) = context.session() else { return response::see_other("/login") };
    let text = form.text("status");
    if check_croak(text).is_err() {
        return response::see_other("/home");
    }
    change(context, form, "/home", Command::croak(session, text)).await
}

/// Shows all other people.
pub(super) async fn browse(context: &mut RequestContext) -> WebResponse {
    let (people, username) = match everyone(context).await {
        Ok(everyone) => everyone,
        Err(error) => return error_page(context, NavEntry::People, error),
    };
    let mut frame = context.frame("Browse", NavEntry::People);
    frame.me = Some(username);
    let page =
        ChirperPage { frame, post: None, follow: None, posts: None, heading: "All other users", people };
    response::page(StatusCode::OK, &page)
}

async fn everyone(context: &mut RequestContext) -> Result<(Vec<String>, String), PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let (mut people, mut after): (Vec<String>, _) = (Vec::new(), None);
    loop {
        let query = Query::People { session, names: "*".to_string(), after };
        let Page::People { me, people: page, more } = context.read(query, READ_DEADLINE).await?.page else {
            return Err(WRONG_PAGE);
        };
        people.extend(page.into_iter().map(|it| it.person.username).filter(|name| *name != me.username));
        after = more.filter(|_| people.len() < CHIRPER_PEOPLE_MAX);
        if after.is_none() {
            return Ok((people, me.username));
        }
    }
}

/// Shows a person.
pub(super) async fn user(context: &mut RequestContext, username: &str) -> WebResponse {
    let shown = async {
        let session = context.session().ok_or(NO_SESSION)?;
        let (own, profile, posts) = profile(context, session, username, CHIRPER_POSTS_MIN).await?;
        let people = followed(context, session, username).await?;
        Ok((own, profile, posts, people))
    };
    let (own, profile, posts, people) = match shown.await {
        Ok(shown) => shown,
        Err(PageError::Denied(denied)) if is_unknown(denied) => return response::see_other("/home"),
        Err(error) => return error_page(context, NavEntry::People, error),
    };
    let relation = profile.relation;
    let mut frame = context.frame(&relation.person.username, NavEntry::People);
    frame.me = Some(own);
    let page = ChirperPage {
        frame,
        post: None,
        follow: Some(ChirperFollow {
            username: relation.person.username,
            followed: relation.followed,
            request: context.request_here(),
        }),
        posts: Some(posts.into_iter().map(Into::into).collect()),
        heading: "Following",
        people,
    };
    response::page(StatusCode::OK, &page)
}

/// Follows a person, or unfollows them.
pub(super) async fn follow(context: &mut RequestContext, form: &Form) -> WebResponse {
    let Some(session) = context.session() else { return response::see_other("/login") };
    let typed = form.text("username");
    let path: String = form_urlencoded::byte_serialize(typed.as_bytes()).collect();
    let path = format!("/user/{}", path.replace('+', "%20"));
    let command = match profile(context, session, typed, 1).await {
        Ok((_, Profile { relation, .. }, _)) => {
            let username = relation.person.username;
            match relation.followed {
                true => Command::RemoveFriend { session, username },
                false => Command::AddFriend { session, username },
            }
        }
        Err(PageError::Denied(denied)) if is_unknown(denied) => return response::see_other(&path),
        Err(error) => return error_page(context, NavEntry::People, error),
    };
    change(context, form, &path, command).await
}

/// Leads to the page that deletes the account, which asks for the password.
pub(super) fn delete_account(context: &RequestContext) -> WebResponse {
    response::see_other(if context.has_session() { "/delete" } else { "/" })
}

/// Carries out a command of a form and leads to a page. What the rules refuse changes nothing, as in the original.
async fn change(context: &mut RequestContext, form: &Form, path: &str, command: Command) -> WebResponse {
    let done = match context.request_of(form).await {
        Ok(request) => context.command(request, command).await.map(drop),
        Err(error) => Err(error),
    };
    match done {
        Err(error @ PageError::Service(_)) => error_page(context, NavEntry::Nowhere, error),
        Err(error) if error.lacks_session() => response::see_other("/login"),
        Ok(()) | Err(PageError::Denied(_)) => response::see_other(path),
    }
}

/// Shows a form again with the reason.
async fn again(
    context: &mut RequestContext,
    form: &Form,
    (title, action): (&'static str, &'static str),
    error: PageError,
    words: String,
) -> WebResponse {
    let request = context.request_again(form, None, &error).await;
    let username = form.text("Username").to_string();
    let page = form_page(context, title, action, request);
    response::page(status(&error), &ChirperFormPage { username, error: Some(words), ..page })
}

fn form_page(
    context: &RequestContext,
    title: &str,
    action: &'static str,
    request: Option<FormRequest>,
) -> ChirperFormPage {
    let frame = context.frame(title, NavEntry::Nowhere);
    let in_the_clear = context.origin().is_unencrypted();
    ChirperFormPage { frame, action, username: String::new(), error: None, request, in_the_clear }
}

/// Returns true if there is no such person, or cannot be one.
fn is_unknown(denied: Denied) -> bool {
    matches!(denied.code, Code::NoSuchUser | Code::InvalidEntry)
}

async fn me(context: &mut RequestContext) -> Result<String, PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    match context.read(Query::Me { session }, READ_DEADLINE).await?.page {
        Page::Me(person) => Ok(person.username),
        _ => Err(WRONG_PAGE),
    }
}

/// Returns the user's own name, and a profile with at least `posts_min` of the newest posts, if there are as many, oldest first. Croaks that the person
/// shared are left out.
async fn profile(
    context: &mut RequestContext,
    session: TokenHash,
    username: &str,
    posts_min: usize,
) -> Result<(String, Profile, Vec<FeedCroak>), PageError> {
    let (mut posts, mut before) = (Vec::new(), None);
    loop {
        let limit = page_len(FEED_PAGE_MAX);
        let query = Query::Profile { session, username: username.to_string(), before, limit };
        let Page::Profile { me, profile, croaks, older, .. } = context.read(query, READ_DEADLINE).await?.page
        else {
            return Err(WRONG_PAGE);
        };
        posts.extend(croaks.into_iter().filter(|croak| croak.share.is_none()));
        before = older.filter(|_| posts.len() < posts_min);
        if before.is_none() {
            posts.reverse();
            return Ok((me.username, profile, posts));
        }
    }
}

/// Returns the names of those whom a person follows.
async fn followed(
    context: &mut RequestContext,
    session: TokenHash,
    username: &str,
) -> Result<Vec<String>, PageError> {
    let (mut people, mut after): (Vec<String>, _) = (Vec::new(), None);
    loop {
        let side = FollowSide::Followed;
        let query = Query::FollowsOf { session, username: username.to_string(), side, after };
        let Page::Friends { friends, more, .. } = context.read(query, READ_DEADLINE).await?.page else {
            return Err(WRONG_PAGE);
        };
        people.extend(friends.into_iter().map(|person| person.username));
        after = more.filter(|_| people.len() < CHIRPER_PEOPLE_MAX);
        if after.is_none() {
            return Ok(people);
        }
    }
}
