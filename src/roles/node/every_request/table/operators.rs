//! Texts of operators, and access by other means than a password.

use super::{Expected, NUMBERS, RequestTable, SESSION, TOKEN, denied, is_username, read, write};
use ribbit_net::frame::Plane;
use ribbit_state::command::{InvitationTerms, NewPerson, UnreplicatedAct};
use ribbit_state::limits::{
    ANNOUNCEMENT_CHARS_MAX, ANNOUNCEMENT_MS_MAX, EMAIL_CHARS_MAX, INVITATION_MS_MAX, INVITATION_USES_MAX,
    JOIN_CODE_MS_MAX, NAME_CHARS_MAX, PASSWORD_HASH_BYTES_MAX, TYPED_BYTES_MAX, USERNAME_CHARS_MAX,
    WELCOME_CHARS_MAX,
};
use ribbit_state::query::OperatorQuery;
use ribbit_state::text;
use ribbit_state::{
    AccessCommand, AccountCommand, AccountId, AccountRole, Code, Command, Denied, Field, Inviters,
    OperatorCommand, Query,
};

/// Adds texts of the first page.
pub(super) fn first_page(table: &mut RequestTable) {
    let odd = denied(Code::InvalidEntry, None);
    for (welcome, refusal) in [
        ("🐸".repeat(WELCOME_CHARS_MAX), None),
        (String::new(), None),
        ("🐸".repeat(WELCOME_CHARS_MAX + 1), Some(odd)),
        ("two\nlines".into(), Some(odd)),
        (" ".repeat(TYPED_BYTES_MAX + 1), Some(odd)),
    ] {
        let expected = refusal.map_or(Expected::Answered, Expected::Refused);
        let describe = OperatorCommand::DescribeSite { name: None, welcome: Some(welcome) };
        table.0.push((Plane::Control, write(describe.into()), expected));
    }
}

/// Adds announcements.
fn announcements(table: &mut RequestTable) {
    let session = SESSION;
    for announcement in NUMBERS {
        table.command(AccountCommand::Dismiss { session, announcement });
        table.command(OperatorCommand::WithdrawAnnouncement { announcement });
    }
    let code = TOKEN;
    for query in [
        Query::Announcements,
        Query::MyAnnouncements { session },
        Query::ResetLink { code },
        Query::FeedAddresses { session },
        Query::AddressedFeed { address: code },
    ] {
        table.0.push((Plane::Client, read(query), Expected::Answered));
    }
    let odd = denied(Code::InvalidEntry, None);
    for (text, for_ms, refusal) in [
        ("🐸".repeat(ANNOUNCEMENT_CHARS_MAX), Some(ANNOUNCEMENT_MS_MAX), None),
        ("🐸".repeat(ANNOUNCEMENT_CHARS_MAX + 1), None, Some(odd)),
        (" ".to_string(), None, Some(odd)),
        ("rain".to_string(), Some(ANNOUNCEMENT_MS_MAX + 1), Some(odd)),
    ] {
        let expected = refusal.map_or(Expected::Answered, Expected::Refused);
        table.0.push((Plane::Control, write(OperatorCommand::Announce { text, for_ms }.into()), expected));
    }
}

/// Adds commands about feed addresses, and what is read without a session.
fn feed_addresses(table: &mut RequestTable) {
    let odd = Denied::of(Code::InvalidEntry, Field::Username);
    table.text(Plane::Client, USERNAME_CHARS_MAX, is_username, odd, |username| {
        read(Query::PublicCroaks { username })
    });
    let (session, address) = (SESSION, TOKEN);
    for made in NUMBERS {
        table.command(AccountCommand::EndFeedAddress { session, made });
    }
    table.command(AccountCommand::MakeFeedAddress { session, address, room: None });
    let odd = Denied::of(Code::InvalidEntry, Field::Room);
    table.command_text(USERNAME_CHARS_MAX, is_username, odd, |room| {
        AccountCommand::MakeFeedAddress { session, address, room: Some(room) }.into()
    });
}

/// Adds commands and queries about invitations and requests for accounts.
fn invitations(table: &mut RequestTable) {
    let (code, session) = (TOKEN, SESSION);
    let odd = denied(Code::InvalidEntry, None);
    for (uses, for_ms, fits) in [
        (1, 1, true),
        (INVITATION_USES_MAX, INVITATION_MS_MAX, true),
        (0, 1, false),
        (1, 0, false),
        (INVITATION_USES_MAX + 1, 1, false),
        (1, INVITATION_MS_MAX + 1, false),
        (u16::MAX, u64::MAX, false),
    ] {
        let terms = InvitationTerms { uses, for_ms, room: None };
        let expected = || if fits { Expected::Answered } else { Expected::Refused(odd) };
        let invite = AccountCommand::Invite { session, code, terms: terms.clone() };
        table.0.push((Plane::Client, write(invite.into()), expected()));
        table.0.push((Plane::Control, write(OperatorCommand::Invite { code, terms }.into()), expected()));
    }
    let odd = Denied::of(Code::InvalidEntry, Field::Room);
    table.command_text(USERNAME_CHARS_MAX, is_username, odd, |room| {
        let terms = InvitationTerms { uses: 1, for_ms: 1, room: Some(room) };
        OperatorCommand::Invite { code, terms }.into()
    });
    let odd = Denied::of(Code::InvalidEntry, Field::Username);
    table.command_text(USERNAME_CHARS_MAX, is_username, odd, |username| {
        OperatorCommand::DecideRequest { username, approved: true }.into()
    });
    for invitation in NUMBERS {
        table.command(AccountCommand::Uninvite { session, invitation });
        table.command(OperatorCommand::Uninvite { invitation });
        let act = UnreplicatedAct::Backup { through: invitation, rows: invitation };
        table.command(OperatorCommand::Record { act });
        let after = Some((AccountId(invitation), invitation));
        table.query(OperatorQuery::Invitations { after }.into());
        let (nonce, slot) = (u128::from(invitation), invitation as u8);
        table.command(OperatorCommand::RevokeJoinCode { slot });
        table.command(Command::TryJoinCode { slot, nonce, proven: false });
        let fits = (1..=JOIN_CODE_MS_MAX).contains(&invitation);
        let refused = Expected::Refused(denied(Code::InvalidEntry, None));
        let expected = if fits { Expected::Answered } else { refused };
        let make = OperatorCommand::MakeJoinCode { nonce, key: invitation, for_ms: invitation };
        table.0.push((Plane::Control, write(make.into()), expected));
    }
    table.query(OperatorQuery::JoinCodes.into());
    table.query(OperatorQuery::Figures.into());
    for inviters in Inviters::ALL {
        table.command(OperatorCommand::SetInviters { inviters });
    }
    table.query(Query::Invitation { code });
    table.query(Query::Invitations { session });
    let odd = Denied::of(Code::InvalidEntry, Field::Names);
    table.text(Plane::Control, USERNAME_CHARS_MAX, is_username, odd, |after| {
        read(OperatorQuery::JoinRequests { after: Some(after) }.into())
    });
    table.text(Plane::Control, USERNAME_CHARS_MAX, is_username, odd, |after| {
        read(OperatorQuery::Rooms { names: "*".into(), after: Some(after) }.into())
    });
}

/// Adds commands about one-time links and accounts without a password, and announcements.
pub(super) fn access_commands(table: &mut RequestTable) {
    announcements(table);
    feed_addresses(table);
    invitations(table);
    let (code, session) = (TOKEN, TOKEN);
    for number in NUMBERS {
        let account = AccountId(number);
        table.command(OperatorCommand::MakeResetLink { account, code });
        table.command(OperatorCommand::RevokeResetLink { account });
        table.command(OperatorCommand::SetRole { account, role: AccountRole::Moderator });
        table.command(AccountCommand::Confirm { session, credential_version: number as u32 });
        let change = OperatorCommand::Suspend { account, suspended: true };
        table.command(Command::Govern { session, change });
    }
    let is_hash = |text: &str| text.len() <= PASSWORD_HASH_BYTES_MAX;
    table.command_text(PASSWORD_HASH_BYTES_MAX, is_hash, denied(Code::InvalidEntry, None), |password_hash| {
        AccessCommand::ResetPassword { code, password_hash }.into()
    });
    let odd = Denied::of(Code::InvalidEntry, Field::Username);
    table.command_text(USERNAME_CHARS_MAX, is_username, odd, |username| {
        AccessCommand::CreateByName { username }.into()
    });
    table.command_text(USERNAME_CHARS_MAX, is_username, odd, |username| {
        AccessCommand::OpenByName { username, session }.into()
    });
    let odd_room = Denied::of(Code::InvalidEntry, Field::Room);
    table.command_text(USERNAME_CHARS_MAX, is_username, odd_room, |room| {
        OperatorCommand::RemoveRoomMessage { room, message: 1 }.into()
    });
    table.command_text(USERNAME_CHARS_MAX, is_username, odd_room, |room| {
        OperatorCommand::CloseRoom { room }.into()
    });
    let create = |username: String, name: String, email: Option<String>| {
        let person = Box::new(NewPerson { username, name, email, ..NewPerson::default() });
        OperatorCommand::CreateWithLink { person, code }.into()
    };
    let (ada, name) = (|| "ada".to_string(), || "Ada".to_string());
    table.command_text(USERNAME_CHARS_MAX, is_username, odd, |username| create(username, name(), None));
    let is_name = |text: &str| text::check_name(text).is_ok();
    let odd = Denied::of(Code::InvalidEntry, Field::Name);
    table.command_text(4 * NAME_CHARS_MAX, is_name, odd, |name| create(ada(), name, None));
    let is_email = |text: &str| text::check_email(text).is_ok();
    let odd = Denied::of(Code::InvalidEntry, Field::Email);
    table.command_text(EMAIL_CHARS_MAX, is_email, odd, |email| create(ada(), name(), Some(email)));
}
