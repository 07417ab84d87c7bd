//! `/export`: writes all data of the account to a file that only its owner can read.

use super::client::{CommandError, TerminalClient};
use crate::client::session::request_error::RequestError;
use ribbit_ui::export::Export;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Interval of progress messages.
const PROGRESS_EVERY: Duration = Duration::from_secs(3);

impl TerminalClient {
    /// Writes the export to a new file, and removes the file if it cannot be completed.
    pub(crate) async fn export(&self, file: Option<String>) -> Result<(), CommandError> {
        let file = file.unwrap_or_else(|| format!("ribbit-{}.json", self.me.username));
        let (path, shown) = (Path::new(&file), super::formatting::name(&file));
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                CommandError::Refused(format!("{shown} already exists; choose another name: `/export FILE`"))
            }
            _ => CommandError::Refused(format!("cannot write {shown}: {error}")),
        };
        let mut out =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        let written = match self.export_to(&mut out).await {
            Ok(Ok(items)) => Ok(items),
            Ok(Err(error)) => Err(failed(error)),
            Err(error) => Err(error.into()),
        };
        if written.is_err() {
            // A partial file would look like a complete one.
            let _ = fs::remove_file(path);
        }
        let items = written?;
        self.screen.show(format!("saved to {shown}: {items} croaks and messages")).await;
        Ok(())
    }

    /// Writes all pages of the export and returns the number of croaks and messages.
    async fn export_to(&self, out: &mut File) -> Result<io::Result<u64>, RequestError> {
        let mut export = Export::new(self.token()?);
        let mut said = Instant::now();
        while let Some(query) = export.query() {
            let page = self.user.read(query).await?.value;
            let piece = export.take(page).map_err(|_| {
                RequestError::undecided_write(ribbit_net::protocol::UnavailableReason::NotServing)
            })?;
            if let Err(error) = out.write_all(piece.as_bytes()) {
                return Ok(Err(error));
            }
            if said.elapsed() >= PROGRESS_EVERY {
                said = Instant::now();
                self.screen.note(format!("(saving: {} croaks and messages so far)", export.items())).await;
            }
        }
        Ok(out.sync_all().map(|()| export.items()))
    }
}
