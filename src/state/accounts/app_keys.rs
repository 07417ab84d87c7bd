//! Registered apps: their keys, their last use, and the sessions that are not theirs.

use crate::code::{Code, Denied};
use crate::command::AppLogIn;
use crate::ids::{AppId, LogIndex, TokenHash};
use crate::rows::{App, AppAccess, AppOrder, Apps, Change, View, get};
use crate::rule::{ApplyContext, checked};
use crate::scopes::Scopes;

/// Returns the key of an app in `AppOrder`.
pub(super) fn place(app: &App) -> (u64, LogIndex) {
    (u64::from(app.authorised), app.used)
}

/// Returns the changes that note a log-in with an app.
pub(super) fn used(context: ApplyContext, id: AppId, app: App) -> [Change; 3] {
    let before = place(&app);
    let app = App { authorised: true, used: context.index, ..app };
    [
        Change::remove::<AppOrder>(&before),
        Change::put::<AppOrder>(&place(&app), &id),
        Change::put::<Apps>(&id, &app),
    ]
}

pub(super) fn app_with_key<V: View>(
    view: &V,
    app: AppId,
    key: TokenHash,
) -> Result<Result<App, Denied>, V::Error> {
    let row = get::<Apps, V>(view, &app)?.filter(|row| row.key == key);
    Ok(row.ok_or(Denied::new(Code::WrongAppKey)))
}

pub(super) fn check_scopes(asked: Scopes, allowed: Scopes) -> Result<(), Denied> {
    if !asked.is_empty() && asked.is_known() && asked.is_within(allowed) {
        Ok(())
    } else {
        Err(Denied::new(Code::ScopeNotAllowed))
    }
}

/// Returns the permissions and the name of an app that a person logs in with, and the changes that note it.
pub(super) fn logged_in_with<V: View>(
    view: &V,
    context: ApplyContext,
    given: AppLogIn,
) -> Result<Result<(AppAccess, String, [Change; 3]), Denied>, V::Error> {
    let AppLogIn { app, key, scopes } = given;
    let row = checked!(app_with_key(view, app, key)?);
    checked!(check_scopes(scopes, row.scopes));
    let name = row.name.clone();
    Ok(Ok((AppAccess { app, scopes }, name, used(context, app, row))))
}
