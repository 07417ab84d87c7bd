//! This installation, as clients of the API read it before anything else.

use crate::version;
use ribbit_state::limits::CROAK_CHARS_MAX;
use ribbit_state::rows::{Inviters, Registration, Settings};
use serde::Serialize;
use serde_json::{Value, json};

/// Version of the Mastodon API that the answers are compatible with. Clients compare it before they use a newer call.
const COMPATIBLE_WITH: &str = "4.2.0";

/// Facts about the installation that the answers contain.
#[derive(Debug)]
pub struct InstanceFacts<'a> {
    pub settings: &'a Settings,
    /// Host name and port by which the client has asked.
    pub host: &'a str,
    /// The same with its scheme: `https://HOST`.
    pub base: &'a str,
}

impl InstanceFacts<'_> {
    /// Returns true if people may sign up without an invitation, or ask to.
    fn may_sign_up(&self) -> bool {
        matches!(self.settings.registration, Registration::Open | Registration::Request)
    }

    fn title(&self) -> &str {
        if self.settings.site_name.is_empty() { "ribbit" } else { &self.settings.site_name }
    }

    fn streaming(&self) -> String {
        self.base.replacen("http", "ws", 1)
    }

    fn thumbnail(&self) -> String {
        format!("{}/favicon.svg", self.base)
    }
}

/// Returns the version as clients parse it: that of the API, then our own.
pub fn api_version() -> String {
    format!("{COMPATIBLE_WITH} (compatible; ribbit {})", version::SHORT)
}

/// What clients may send. Images, videos and polls are not for them: those limits are zero.
#[derive(Debug, Serialize)]
struct Configuration {
    accounts: AccountLimits,
    statuses: StatusLimits,
    media_attachments: MediaLimits,
    polls: PollLimits,
}

#[derive(Debug, Serialize)]
struct AccountLimits {
    max_featured_tags: u32,
    max_pinned_statuses: u32,
}

#[derive(Debug, Serialize)]
struct StatusLimits {
    max_characters: usize,
    max_media_attachments: u32,
    characters_reserved_per_url: u32,
}

#[derive(Debug, Serialize)]
struct MediaLimits {
    supported_mime_types: [&'static str; 0],
    image_size_limit: u32,
    image_matrix_limit: u32,
    video_size_limit: u32,
    video_frame_rate_limit: u32,
    video_matrix_limit: u32,
}

#[derive(Debug, Serialize)]
struct PollLimits {
    max_options: u32,
    max_characters_per_option: u32,
    min_expiration: u32,
    max_expiration: u32,
}

const CONFIGURATION: Configuration = Configuration {
    accounts: AccountLimits { max_featured_tags: 0, max_pinned_statuses: 1 },
    statuses: StatusLimits {
        max_characters: CROAK_CHARS_MAX,
        max_media_attachments: 0,
        // Addresses count as they are here; clients count each as this many characters.
        characters_reserved_per_url: 23,
    },
    media_attachments: MediaLimits {
        supported_mime_types: [],
        image_size_limit: 0,
        image_matrix_limit: 0,
        video_size_limit: 0,
        video_frame_rate_limit: 0,
        video_matrix_limit: 0,
    },
    polls: PollLimits { max_options: 0, max_characters_per_option: 0, min_expiration: 0, max_expiration: 0 },
};

/// Returns the answer of `/api/v1/instance`.
pub fn version_1(facts: &InstanceFacts<'_>) -> Value {
    json!({
        "uri": facts.host,
        "title": facts.title(),
        "short_description": facts.settings.welcome,
        "description": facts.settings.welcome,
        "email": "",
        "version": api_version(),
        "urls": { "streaming_api": facts.streaming() },
        "stats": { "user_count": 0, "status_count": 0, "domain_count": 0 },
        "thumbnail": facts.thumbnail(),
        "languages": ["en"],
        "registrations": facts.may_sign_up(),
        "approval_required": facts.settings.registration == Registration::Request,
        "invites_enabled": facts.settings.inviters == Inviters::Everyone,
        "configuration": CONFIGURATION,
        "max_toot_chars": CROAK_CHARS_MAX,
        "contact_account": null,
        "rules": [],
    })
}

/// Returns the answer of `/api/v2/instance`.
pub fn version_2(facts: &InstanceFacts<'_>) -> Value {
    let mut configuration = serde_json::to_value(CONFIGURATION).expect("plain data always serialises");
    configuration["urls"] =
        json!({ "streaming": facts.streaming(), "status": format!("{}/status", facts.base) });
    configuration["vapid"] = json!({ "public_key": "" });
    configuration["translation"] = json!({ "enabled": false });
    json!({
        "domain": facts.host,
        "title": facts.title(),
        "version": api_version(),
        "source_url": "",
        "description": facts.settings.welcome,
        "usage": { "users": { "active_month": 0 } },
        "thumbnail": { "url": facts.thumbnail() },
        "icon": [],
        "languages": ["en"],
        "configuration": configuration,
        "registrations": {
            "enabled": facts.may_sign_up(),
            "approval_required": facts.settings.registration == Registration::Request,
            "message": null,
            "url": format!("{}/create", facts.base),
        },
        "api_versions": { "mastodon": 0 },
        "contact": { "email": "", "account": null },
        "rules": [],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_say_what_may_be_sent() {
        let settings = Settings { site_name: "Pond".into(), ..Settings::default() };
        let facts =
            InstanceFacts { settings: &settings, host: "frogs.lan:8080", base: "https://frogs.lan:8080" };
        let (one, two) = (version_1(&facts), version_2(&facts));
        assert_eq!((&one["uri"], &one["title"]), (&json!("frogs.lan:8080"), &json!("Pond")));
        assert_eq!(one["urls"]["streaming_api"], "wss://frogs.lan:8080");
        assert_eq!(two["configuration"]["urls"]["streaming"], "wss://frogs.lan:8080");
        for configuration in [&one["configuration"], &two["configuration"]] {
            assert_eq!(configuration["statuses"]["max_characters"], 100);
        }
        assert!(
            one["version"].as_str().is_some_and(|text| text.starts_with("4.2.0 (compatible; ribbit ")),
            "{one}"
        );
    }
}
