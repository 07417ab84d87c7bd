//! `/export`: the user's own data as one file ([`ribbit_ui::export`]).
//!
//! The file is streamed page by page as it is read, no faster than the browser takes it. If it cannot be read to its end, the
//! connection is cut, so that the browser reports a failed download: a file that looks complete is complete.

use super::answer::{self, Answer, CutShort};
use super::feed::{NO_SESSION, WRONG_PAGE, stopped};
use super::limits::{EXPORT_DEADLINE, EXPORT_PAGE_DEADLINE, EXPORTS_MAX, READ_DEADLINE};
use super::visit::Visit;
use hyper::body::Bytes;
use ribbit_net::client::Client;
use ribbit_net::protocol::{self, Ask};
use ribbit_state::{Consistency, Token};
use ribbit_ui::export::Export;
use ribbit_ui::pages::Place;
use smol::stream;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

/// Number of exports that are running.
#[derive(Debug, Default)]
pub struct Exports(Rc<Cell<usize>>);

/// A slot of a running export, released when dropped.
struct UnderWay(Rc<Cell<usize>>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

struct Reading {
    client: Client,
    seen: Option<Token>,
    export: Export,
    /// The first piece, read before the answer began to find out whether the export is possible.
    first: Option<String>,
    /// Time at which a download that is not complete is cut off.
    ends: Instant,
    _place: UnderWay,
}

impl Exports {
    /// Starts an export. Refused with 503 while [`EXPORTS_MAX`] others run.
    pub async fn begin(&self, visit: &mut Visit, client: &Client) -> Answer {
        let Some(session) = visit.session() else { return stopped(visit, Place::Settings, NO_SESSION) };
        if self.0.get() >= EXPORTS_MAX {
            return answer::later("too many downloads are running; try again in a moment");
        }
        self.0.set(self.0.get() + 1);
        let place = UnderWay(self.0.clone());
        let mut export = Export::new(session);
        let Some(query) = export.query() else { return stopped(visit, Place::Settings, WRONG_PAGE) };
        let first = match visit.read(query, READ_DEADLINE).await {
            Ok(got) => export.take(got.page).map_err(|_| WRONG_PAGE),
            Err(stop) => Err(stop),
        };
        match first {
            Ok(first) => {
                let (client, seen, first) = (client.clone(), visit.answered(), Some(first));
                let ends = Instant::now() + EXPORT_DEADLINE;
                let reading = Reading { client, seen, export, first, ends, _place: place };
                answer::attachment(
                    "ribbit.json",
                    "application/json",
                    stream::unfold(Some(reading), Reading::next),
                )
            }
            Err(stop) => stopped(visit, Place::Settings, stop),
        }
    }
}

impl Reading {
    /// Returns the next piece: `None` at the end, an error if the file has to be cut off.
    async fn next(reading: Option<Reading>) -> Option<(Result<Bytes, CutShort>, Option<Reading>)> {
        let mut reading = reading?;
        if let Some(first) = reading.first.take() {
            return Some((Ok(first.into()), Some(reading)));
        }
        let query = reading.export.query()?;
        if Instant::now() > reading.ends {
            return Some((Err(CutShort), None));
        }
        let ask = Ask::Read { seen: reading.seen, consistency: Consistency::Session, query };
        let read = match reading.client.ask(ask, EXPORT_PAGE_DEADLINE).await {
            Ok(protocol::Answer::Read { page: Ok(page), .. }) => reading.export.take(page).ok(),
            _ => None,
        };
        Some(match read {
            Some(text) => (Ok(text.into()), Some(reading)),
            None => (Err(CutShort), None),
        })
    }
}
