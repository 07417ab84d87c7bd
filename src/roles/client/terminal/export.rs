//! `/export`: everything that is kept of a person, in a file that nobody else may read.

use super::session::{Halt, Session};
use crate::client::session::stop::Stop;
use ribbit_ui::export::Export;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often it is said how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(3);

impl Session {
    /// Into a file that is not there yet. One that cannot be completed is removed.
    pub async fn export(&self, file: Option<String>) -> Result<(), Halt> {
        let file = file.unwrap_or_else(|| format!("ribbit-{}.json", self.me.username));
        let (path, shown) = (Path::new(&file), super::lines::name(&file));
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                Halt::Refused(format!("{shown}: it exists already, and nothing is overwritten"))
            }
            _ => Halt::Refused(format!("{shown}: {error}")),
        };
        let mut out =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        let written = match self.export_to(&mut out).await {
            Ok(Ok(items)) => Ok(items),
            Ok(Err(error)) => Err(failed(error)),
            Err(stop) => Err(stop.into()),
        };
        if written.is_err() {
            // Half of it would look like all of it.
            let _ = fs::remove_file(path);
        }
        let items = written?;
        self.screen.show(format!("all you have here is in {shown}: {items} croaks and messages")).await;
        Ok(())
    }

    /// Answers how many croaks and messages there are.
    async fn export_to(&self, out: &mut File) -> Result<io::Result<u64>, Stop> {
        let mut export = Export::new(self.token()?);
        let mut said = Instant::now();
        while let Some(query) = export.query() {
            let page = self.person.read(query).await?.what;
            let piece =
                export.take(page).map_err(|_| Stop::undecided(ribbit_net::protocol::Why::NotServing))?;
            if let Err(error) = out.write_all(piece.as_bytes()) {
                return Ok(Err(error));
            }
            if said.elapsed() >= PROGRESS_EVERY {
                said = Instant::now();
                self.screen.note(format!("(exporting: {} croaks and messages so far)", export.items())).await;
            }
        }
        Ok(out.sync_all().map(|()| export.items()))
    }
}
