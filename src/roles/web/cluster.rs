//! How the group is: a survey and what happened lately, asked at most once a second however many browsers look at it.
//! Those that come while it is asked wait, and share what comes of it.

use super::limits::{HISTORY_DEADLINE, SURVEY_EVERY};
use ribbit_net::client::Client;
use ribbit_net::keys::Keys;
use ribbit_net::protocol::{Answer, Ask, HistoryLine};
use ribbit_net::survey::{Survey, survey};
use smol::lock::Mutex;
use std::rc::Rc;
use std::time::Instant;

pub struct ClusterMonitor {
    client: Client,
    servers: Vec<String>,
    keys: Keys,
    /// Held while asking. When it was asked, and what came of it.
    last: Mutex<Option<(Instant, Rc<ClusterSnapshot>)>>,
}

pub struct ClusterSnapshot {
    pub survey: Survey,
    /// The newest last; as one of the members remembers it.
    pub history: Vec<HistoryLine>,
}

impl ClusterMonitor {
    pub fn new(client: Client, servers: Vec<String>, keys: Keys) -> ClusterMonitor {
        ClusterMonitor { client, servers, keys, last: Mutex::new(None) }
    }

    /// Takes a second when a member is cut off, a few at the worst.
    pub async fn look(&self) -> Rc<ClusterSnapshot> {
        let mut last = self.last.lock().await;
        if let Some((_, seen)) = last.as_ref().filter(|(at, _)| at.elapsed() < SURVEY_EVERY) {
            return seen.clone();
        }
        let (survey, history) = smol::future::zip(survey(&self.servers, &self.keys), self.history()).await;
        let seen = Rc::new(ClusterSnapshot { survey, history });
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
