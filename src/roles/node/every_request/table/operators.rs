//! Texts of operators.

use super::{Expected, RequestTable, denied, write};
use ribbit_net::frame::Plane;
use ribbit_state::limits::{TYPED_BYTES_MAX, WELCOME_CHARS_MAX};
use ribbit_state::{Code, OperatorCommand};

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
