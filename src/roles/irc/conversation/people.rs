//! Facts about people: WHOIS, USERHOST, ISON.

use super::Conversation;
use crate::irc::codec::message::Message;
use crate::irc::limits::NAMES_AT_ONCE_MAX;
use crate::irc::{HOST, SERVER};
use ribbit_ui::plain;

impl Conversation<'_> {
    pub(super) async fn whois(&mut self, message: &Message) {
        // With two parameters the first one names a server.
        let nick = message.params.last().cloned().unwrap_or_default();
        match self.operations().about(&self.session, &nick).await {
            Ok(profile) => {
                let person = &profile.relation.person;
                let name = person.username.as_str();
                let line = self.reply("311").with(name).with(name).with(HOST).with("*").text(&person.name);
                self.out.push(&line);
                let line = self.reply("312").with(name).with(SERVER);
                self.out.push(&line.text(if profile.bio.is_empty() {
                    "ribbit".to_string()
                } else {
                    plain::line(&profile.bio)
                }));
                let line = self.reply("330").with(name).with(name).text("is logged in as");
                self.out.push(&line);
            }
            Err(refusal) => self.refused("WHOIS", &[&nick], refusal),
        }
        let line = self.reply("318").with(nick).text("End of /WHOIS list");
        self.out.push(&line);
    }

    /// Returns those of the names that are people. All of them count as online: what is sent to them arrives.
    async fn known(&self, names: impl Iterator<Item = &str>) -> Vec<String> {
        let mut known = Vec::new();
        for name in names.filter(|name| !name.is_empty()).take(NAMES_AT_ONCE_MAX) {
            if let Ok(profile) = self.operations().about(&self.session, name).await {
                known.push(profile.relation.person.username);
            }
        }
        known
    }

    pub(super) async fn userhost(&mut self, message: &Message) {
        let known = self.known(message.params.iter().map(String::as_str)).await;
        let hosts: Vec<String> = known.iter().map(|name| format!("{name}=+{name}@{HOST}")).collect();
        self.numeric("302", &hosts.join(" "));
    }

    pub(super) async fn ison(&mut self, message: &Message) {
        let known = self.known(message.params.iter().flat_map(|names| names.split(' '))).await;
        self.numeric("303", &known.join(" "));
    }
}
