//! `export`: all data of the account as one JSON document ([`ribbit_ui::export`]).
//!
//! The data is read page by page. A file appears only once it is complete. On standard output, pages are written as they
//! arrive, and the exit code tells whether the document is complete.

use super::{VerbContext, VerbError, say, write_out};
use crate::client::session::request_error::RequestError;
use crate::common::failure::{Exit, Failure};
use crate::common::write_file;
use ribbit_net::protocol::UnavailableReason;
use ribbit_ui::export::Export;
use std::io::{self, IsTerminal};
use std::path::Path;

/// Writes the export to standard output, or to a file that only its owner can read.
pub(crate) async fn export(context: &mut VerbContext, file: Option<&Path>) -> Result<(), VerbError> {
    context.require_session()?;
    let mut export = Export::new(context.user.session().map_err(RequestError::from)?);
    let shown = io::stderr().is_terminal();
    let mut text = String::new();
    while let Some(query) = export.query() {
        let page = context.user.read(query).await?.value;
        let piece =
            export.take(page).map_err(|_| RequestError::undecided_write(UnavailableReason::NotServing))?;
        match file {
            Some(_) => text += &piece,
            None => write_out(&piece)?,
        }
        if shown {
            eprint!("\r{} croaks and messages", export.items());
        }
    }
    if shown {
        eprintln!();
    }
    let Some(file) = file else { return Ok(()) };
    write_file::replace(file, &text)
        .map_err(|error| Failure::new(Exit::Refused, format!("cannot write {}: {error}", file.display())))?;
    say(&format!("saved to {}: {} croaks and messages", file.display(), export.items()))
}
