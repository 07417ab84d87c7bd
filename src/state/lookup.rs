//! Lookups that rules and queries share: accounts, sessions, settings, and the leases of clients.

use super::avatar::Avatar;
use super::code::{Code, Denied, Field};
use super::ids::{AccountId, TokenHash};
use super::query::Person;
use super::rows::{
    Account, AccountProfile, Accounts, BadRow, BorrowedAccount, JoinRequests, Key, Lease, LeaseTokens,
    Leases, Names, Order, Owner, Profiles, Sessions, Settings, SettingsRow, Suspended, Table, View,
    decode_borrowed, get, scan,
};
use super::rule::{ApplyContext, checked};
use super::text;

/// Returns the account with this id, or `None` if it is deleted.
pub(crate) fn live_account<V: View>(view: &V, id: AccountId) -> Result<Option<Account>, V::Error> {
    Ok(get::<Accounts, V>(view, &id)?.filter(|account| !account.deleted))
}

/// Returns true if there is a live account with this id. Write rules need no more, so its texts are not copied.
pub(super) fn is_live<V: View>(view: &V, id: AccountId) -> Result<bool, V::Error> {
    let key = id.bytes();
    let Some(bytes) = view.get(Accounts::ID, &key)? else { return Ok(false) };
    match decode_borrowed::<BorrowedAccount>(&bytes) {
        Some(account) => Ok(!account.deleted),
        None => Err(BadRow { table: Accounts::ID, key }.into()),
    }
}

/// Returns the live account with this folded user name.
///
/// # Errors
/// The view's error.
pub fn account_named<V: View>(view: &V, username: &str) -> Result<Option<(AccountId, Account)>, V::Error> {
    let Some(id) = get::<Names, V>(view, &username.to_string())? else { return Ok(None) };
    Ok(live_account(view, id)?.map(|account| (id, account)))
}

/// Returns the account that a person with this folded user name asks for, and which is not approved yet.
///
/// # Errors
/// The view's error.
pub fn account_requested<V: View>(view: &V, username: &str) -> Result<Option<Account>, V::Error> {
    get::<JoinRequests, V>(view, &username.to_string())
}

/// Returns the account that owns a session, if the session is open at this cluster age.
///
/// # Errors
/// The view's error.
pub fn session_account<V: View>(
    view: &V,
    token: TokenHash,
    age_ms: u64,
) -> Result<Option<(AccountId, Account)>, V::Error> {
    let Some(session) = get::<Sessions, V>(view, &token)? else { return Ok(None) };
    if !session.is_open_at(age_ms) {
        return Ok(None);
    }
    Ok(live_account(view, session.account)?.map(|account| (session.account, account)))
}

/// As [`session_account`], for rules that need only the id.
pub(super) fn session_owner<V: View>(
    view: &V,
    token: TokenHash,
    age_ms: u64,
) -> Result<Option<AccountId>, V::Error> {
    let Some(session) = get::<Sessions, V>(view, &token)? else { return Ok(None) };
    Ok((session.is_open_at(age_ms) && is_live(view, session.account)?).then_some(session.account))
}

/// Returns the other accounts of an account's rows in a table, at most `max`, in the order of their ids.
pub(super) fn others<T, V>(view: &V, account: AccountId, max: usize) -> Result<Vec<AccountId>, V::Error>
where
    T: Table<Key = (AccountId, u64)>,
    V: View,
{
    let (from, to) = range_of(account);
    let rows = scan::<T, V>(view, &from, &to, Order::OldestFirst, max)?;
    Ok(rows.into_iter().map(|((_, other), _)| AccountId(other)).collect())
}

pub(super) fn range_of(account: AccountId) -> ((AccountId, u64), (AccountId, u64)) {
    ((account, 0), (account, u64::MAX))
}

/// Returns the owner of the session and the account with this user name.
pub(super) fn me_and<V: View>(
    view: &V,
    context: ApplyContext,
    session: TokenHash,
    username: &str,
) -> Result<Result<(AccountId, AccountId), Denied>, V::Error> {
    let Some(me) = session_owner(view, session, context.age_ms())? else {
        return Ok(Err(Denied::new(Code::NotLoggedIn)));
    };
    Ok(named(view, username)?.map(|(other, _)| (me, other)))
}

/// Returns the live account with this user name as a person entered it.
///
/// # Errors
/// 606 if it is not a user name, 601 if no account has it; both on the field `username`.
pub(super) fn named<V: View>(
    view: &V,
    username: &str,
) -> Result<Result<(AccountId, Account), Denied>, V::Error> {
    let username = checked!(text::fold_username(username));
    Ok(account_named(view, &username)?.ok_or(Denied::of(Code::NoSuchUser, Field::Username)))
}

/// Returns the person with this account, or `None` if it is deleted.
pub(super) fn person<V: View>(view: &V, account: AccountId) -> Result<Option<Person>, V::Error> {
    let key = account.bytes();
    let Some(part) = view.get_projected(Accounts::ID, &key, names)? else { return Ok(None) };
    match postcard::from_bytes::<Option<(String, String, Avatar)>>(&part) {
        Ok(names) => Ok(names.map(|(username, name, avatar)| Person { account, username, name, avatar })),
        Err(_) => Err(BadRow { table: Accounts::ID, key }.into()),
    }
}

/// Returns the person of an account that was read already.
pub(super) fn person_of(account: AccountId, row: &Account) -> Person {
    Person { account, username: row.username.clone(), name: row.name.clone(), avatar: row.avatar }
}

/// Projection of [`Accounts`]: user name, display name and avatar, or `None` of a deleted account.
fn names(row: &[u8]) -> Option<Vec<u8>> {
    let account: BorrowedAccount<'_> = decode_borrowed(row)?;
    let names = (!account.deleted).then_some((account.username, account.name, account.avatar));
    postcard::to_stdvec(&names).ok()
}

/// As [`session_account`], for pages, which show the names only.
pub(super) fn session_person<V: View>(
    view: &V,
    token: TokenHash,
    age_ms: u64,
) -> Result<Option<Person>, V::Error> {
    match get::<Sessions, V>(view, &token)? {
        Some(session) if session.is_open_at(age_ms) => person(view, session.account),
        _ => Ok(None),
    }
}

/// Returns the texts and settings of an account.
pub(crate) fn profile_of<V: View>(view: &V, account: AccountId) -> Result<AccountProfile, V::Error> {
    Ok(get::<Profiles, V>(view, &account)?.unwrap_or_default())
}

/// Returns the lease of the client with this token, and its owner.
///
/// # Errors
/// The view's error.
pub fn client_of<V: View>(view: &V, token: TokenHash) -> Result<Option<(Owner, Lease)>, V::Error> {
    let Some(opened) = get::<LeaseTokens, V>(view, &token)? else { return Ok(None) };
    let owner = Owner::Client(opened);
    Ok(get::<Leases, V>(view, &owner)?.map(|lease| (owner, lease)))
}

/// Returns true if the account is suspended and may not log in.
pub(crate) fn is_suspended<V: View>(view: &V, account: AccountId) -> Result<bool, V::Error> {
    Ok(get::<Suspended, V>(view, &account)?.is_some())
}

/// Returns the settings decided by the operators.
pub(crate) fn settings<V: View>(view: &V) -> Result<Settings, V::Error> {
    Ok(get::<SettingsRow, V>(view, &())?.unwrap_or_default())
}
