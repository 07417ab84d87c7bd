//! Pieces of live streams that are read and rendered once for all streams that need them.

use crate::web::limits::LIVE_READINGS_MAX;
use ribbit_state::Token;
use ribbit_ui::api::SiteAddresses;
use smol::lock::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// The stream cannot be continued here; its reader reconnects with its cursor.
pub(in crate::web) struct StreamCutOff;

/// A piece that was made for a stream.
pub(in crate::web) enum MadePiece<V> {
    /// The same for all streams.
    Shared(V),
    /// For the stream that asked alone.
    Own(V),
    /// There is nothing to send any more.
    Nothing,
}

/// Statuses of new croaks and shares for the Mastodon API, by position in the log and the address of the site: all readers get the
/// same JSON.
pub(in crate::web) type SharedStatuses = SharedPieces<(Token, SiteAddresses), Arc<NewStatus>>;

/// A new croak or share, rendered.
pub(in crate::web) struct NewStatus {
    pub(in crate::web) json: String,
    pub(in crate::web) for_everyone: bool,
    pub(in crate::web) tags: Vec<String>,
}

/// The newest pieces by their keys.
pub(in crate::web) struct SharedPieces<K, V>(Mutex<Pieces<K, V>>);

struct Pieces<K, V> {
    /// `None` for a piece that each stream makes for itself.
    newest: VecDeque<(K, Option<V>)>,
    /// Time of the last failed read. Tasks that have waited since before then do not try again.
    failed: Option<Instant>,
}

impl<K, V> Default for SharedPieces<K, V> {
    fn default() -> SharedPieces<K, V> {
        SharedPieces(Mutex::new(Pieces { newest: VecDeque::new(), failed: None }))
    }
}

impl<K: PartialEq, V: Clone> SharedPieces<K, V> {
    /// Returns the piece with this key. Makes it if no other stream has.
    pub(in crate::web) async fn get(
        &self,
        key: K,
        make: impl Future<Output = Result<MadePiece<V>, StreamCutOff>>,
    ) -> Result<Option<V>, StreamCutOff> {
        let asked = Instant::now();
        let mut pieces = self.0.lock().await;
        let known = pieces.newest.iter().find(|(known, _)| *known == key).map(|(_, piece)| piece.clone());
        match known {
            Some(Some(piece)) => return Ok(Some(piece)),
            Some(None) => {
                // Streams that make their own do not wait for each other.
                drop(pieces);
                return Ok(match make.await? {
                    MadePiece::Shared(piece) | MadePiece::Own(piece) => Some(piece),
                    MadePiece::Nothing => None,
                });
            }
            None => {}
        }
        if pieces.failed.is_some_and(|failed| failed >= asked) {
            return Err(StreamCutOff);
        }
        let (kept, piece) = match make.await {
            Ok(MadePiece::Shared(piece)) => (Some(piece.clone()), piece),
            Ok(MadePiece::Own(piece)) => (None, piece),
            Ok(MadePiece::Nothing) => return Ok(None),
            Err(StreamCutOff) => {
                pieces.failed = Some(Instant::now());
                return Err(StreamCutOff);
            }
        };
        if pieces.newest.len() == LIVE_READINGS_MAX {
            pieces.newest.pop_front();
        }
        pieces.newest.push_back((key, kept));
        Ok(Some(piece))
    }

    /// Drops the pieces whose keys fit.
    pub(in crate::web) async fn forget(&self, fits: impl Fn(&K) -> bool) {
        self.0.lock().await.newest.retain(|(key, _)| !fits(key));
    }
}
