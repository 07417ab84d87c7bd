//! `/export`: the user's own data as one file ([`ribbit_ui::export`]).
//!
//! The file is streamed page by page as it is read, no faster than the browser takes it. If it cannot be read to its end, the
//! connection is cut, so that the browser reports a failed download: a file that looks complete is complete.

use crate::web::error_pages::{NO_SESSION, WRONG_PAGE, error_page};
use crate::web::http::response::{self, IncompleteBody, WebResponse};
use crate::web::limits::{EXPORT_DEADLINE, EXPORT_PAGE_DEADLINE, EXPORTS_MAX, READ_DEADLINE};
use crate::web::request_context::RequestContext;
use hyper::body::Bytes;
use ribbit_net::client::Client;
use ribbit_net::protocol::{self, Ask};
use ribbit_state::{Consistency, Token};
use ribbit_ui::export::Export;
use ribbit_ui::pages::NavEntry;
use smol::stream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Number of exports that are running.
#[derive(Debug, Default)]
pub(in crate::web) struct RunningExports(Arc<AtomicUsize>);

/// A slot of a running export, released when dropped.
struct ExportSlot(Arc<AtomicUsize>);

impl Drop for ExportSlot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct ExportStream {
    client: Client,
    seen: Option<Token>,
    export: Export,
    /// The first piece, read before the answer began to find out whether the export is possible.
    first: Option<String>,
    /// Time at which a download that is not complete is cut off.
    ends: Instant,
    _place: ExportSlot,
}

impl RunningExports {
    /// Starts an export. Refused with 503 while [`EXPORTS_MAX`] others run.
    pub(in crate::web) async fn begin(&self, context: &mut RequestContext, client: &Client) -> WebResponse {
        let Some(session) = context.session() else {
            return error_page(context, NavEntry::Settings, NO_SESSION);
        };
        let running = self.0.fetch_add(1, Ordering::Relaxed);
        let place = ExportSlot(self.0.clone());
        if running >= EXPORTS_MAX {
            return response::later("too many downloads are running; try again in a moment");
        }
        let mut export = Export::new(session);
        let Some(query) = export.query() else { return error_page(context, NavEntry::Settings, WRONG_PAGE) };
        let first = match context.read(query, READ_DEADLINE).await {
            Ok(got) => export.take(got.page).map_err(|_| WRONG_PAGE),
            Err(error) => Err(error),
        };
        match first {
            Ok(first) => {
                let (client, seen, first) = (client.clone(), context.answered(), Some(first));
                let ends = Instant::now() + EXPORT_DEADLINE;
                let reading = ExportStream { client, seen, export, first, ends, _place: place };
                response::attachment(
                    "ribbit.json",
                    "application/json",
                    stream::unfold(Some(reading), ExportStream::next),
                )
            }
            Err(error) => error_page(context, NavEntry::Settings, error),
        }
    }
}

impl ExportStream {
    /// Returns the next piece: `None` at the end, an error if the file has to be cut off.
    async fn next(
        reading: Option<ExportStream>,
    ) -> Option<(Result<Bytes, IncompleteBody>, Option<ExportStream>)> {
        let mut reading = reading?;
        if let Some(first) = reading.first.take() {
            return Some((Ok(first.into()), Some(reading)));
        }
        let query = reading.export.query()?;
        if Instant::now() > reading.ends {
            return Some((Err(IncompleteBody), None));
        }
        let ask = Ask::Read { seen: reading.seen, consistency: Consistency::Session, query };
        let read = match reading.client.ask(ask, EXPORT_PAGE_DEADLINE).await {
            Ok(protocol::Answer::Read { page: Ok(page), .. }) => reading.export.take(page).ok(),
            _ => None,
        };
        Some(match read {
            Some(text) => (Ok(text.into()), Some(reading)),
            None => (Err(IncompleteBody), None),
        })
    }
}
