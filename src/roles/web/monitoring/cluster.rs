//! State of the cluster: survey and recent events, read at most once a second for any number of browsers. Requests that arrive during
//! a read wait and share its result.

use crate::web::limits::{HISTORY_DEADLINE, SURVEY_EVERY};
use ribbit_net::client::Client;
use ribbit_net::keys::Keys;
use ribbit_net::protocol::{Answer, Ask, HistoryLine};
use ribbit_net::survey::{Survey, survey};
use smol::lock::Mutex;
use std::sync::Arc;
use std::time::Instant;

pub(in crate::web) struct ClusterMonitor {
    client: Client,
    servers: Vec<String>,
    keys: Keys,
    /// Time and result of the last read; locked during a read.
    last: Mutex<Option<(Instant, Arc<ClusterSnapshot>)>>,
}

pub(in crate::web) struct ClusterSnapshot {
    pub(in crate::web) survey: Survey,
    /// Recent events, newest last, as one of the members remembers them.
    pub(in crate::web) history: Vec<HistoryLine>,
}

impl ClusterMonitor {
    pub(in crate::web) fn new(client: Client, servers: Vec<String>, keys: Keys) -> ClusterMonitor {
        ClusterMonitor { client, servers, keys, last: Mutex::new(None) }
    }

    /// Returns the current state. Takes a second if a member is cut off, and a few at worst.
    pub(in crate::web) async fn look(&self) -> Arc<ClusterSnapshot> {
        let mut last = self.last.lock().await;
        if let Some((_, seen)) = last.as_ref().filter(|(at, _)| at.elapsed() < SURVEY_EVERY) {
            return seen.clone();
        }
        let (survey, history) = smol::future::zip(survey(&self.servers, &self.keys), self.history()).await;
        let seen = Arc::new(ClusterSnapshot { survey, history });
        *last = Some((Instant::now(), seen.clone()));
        seen
    }

    async fn history(&self) -> Vec<HistoryLine> {
        match self.client.ask(Ask::History, HISTORY_DEADLINE).await {
            Ok(Answer::History(lines)) => lines,
            _ => Vec::new(),
        }
    }
}
