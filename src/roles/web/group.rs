//! How the group is: a survey, made at most once a second however many browsers look at it. Those that come while one
//! is under way wait for it and share it.

use super::limits::SURVEY_EVERY;
use crate::net::survey::{Survey, survey};
use smol::lock::Mutex;
use std::rc::Rc;
use std::time::Instant;

pub struct Group {
    servers: Vec<String>,
    /// Held while asking. When it was asked, and what came of it.
    last: Mutex<Option<(Instant, Rc<Survey>)>>,
}

impl Group {
    pub fn new(servers: Vec<String>) -> Group {
        Group { servers, last: Mutex::new(None) }
    }

    /// Takes half a second when a member is dead, two at the worst.
    pub async fn survey(&self) -> Rc<Survey> {
        let mut last = self.last.lock().await;
        if let Some((_, survey)) = last.as_ref().filter(|(at, _)| at.elapsed() < SURVEY_EVERY) {
            return survey.clone();
        }
        let survey = Rc::new(survey(&self.servers).await);
        *last = Some((Instant::now(), survey.clone()));
        survey
    }
}
