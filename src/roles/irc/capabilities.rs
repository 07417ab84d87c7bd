//! Capabilities (IRCv3, version 302): what a client understands beyond RFC 2812.

macro_rules! capabilities {
    ($($(#[$doc:meta])* $name:ident = $text:literal $(, $value:literal)?;)*) => {
        /// A capability.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Capability { $($(#[$doc])* $name,)* }

        impl Capability {
            const ALL: &[Capability] = &[$(Capability::$name,)*];

            fn name(self) -> &'static str {
                match self { $(Capability::$name => $text,)* }
            }

            /// Returns its name and value in the list of a server.
            fn listed(self) -> &'static str {
                match self { $(Capability::$name => concat!($text $(, "=", $value)?),)* }
            }
        }
    };
}

capabilities! {
    Batch = "batch";
    /// History is asked for, and so not replayed on joining.
    ChatHistory = "draft/chathistory";
    /// Own lines come back as they were posted.
    EchoMessage = "echo-message";
    /// Tags on lines: ids, and what a line answers.
    MessageTags = "message-tags";
    Sasl = "sasl", "PLAIN";
    ServerTime = "server-time";
    /// Refusals as FAIL lines, which programs can tell apart.
    StandardReplies = "standard-replies";
}

/// The capabilities that a client has asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Capabilities(u8);

impl Capabilities {
    pub(super) fn has(self, capability: Capability) -> bool {
        self.0 & bit(capability) != 0
    }

    /// Changes them as a CAP REQ says: all or none. Returns false if one is unknown.
    pub(super) fn request(&mut self, names: &str) -> bool {
        let mut changed = *self;
        for name in names.split_ascii_whitespace() {
            let (name, on) = name.strip_prefix('-').map_or((name, true), |name| (name, false));
            match Capability::ALL.iter().find(|known| known.name() == name) {
                Some(known) if on => changed.0 |= bit(*known),
                Some(known) => changed.0 &= !bit(*known),
                None => return false,
            }
        }
        *self = changed;
        true
    }

    /// Returns the names of those that are on.
    pub(super) fn names(self) -> String {
        joined(Capability::ALL.iter().filter(|known| self.has(**known)).map(|known| known.name()))
    }

    /// Returns what the server offers. Clients of version 302 also learn the values.
    pub(super) fn offered(version_302: bool) -> String {
        joined(Capability::ALL.iter().map(|known| if version_302 { known.listed() } else { known.name() }))
    }
}

fn bit(capability: Capability) -> u8 {
    1 << capability as u8
}

fn joined<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<&str>>().join(" ")
}

const _: () = assert!(Capability::ALL.len() <= 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_for_all_or_none() {
        let mut known = Capabilities::default();
        assert!(known.request("sasl  server-time"));
        assert!(!known.request("batch frogs") && !known.has(Capability::Batch));
        assert!(known.request("-sasl batch"));
        assert_eq!(known.names(), "batch server-time");
        assert!(Capabilities::offered(true).contains(" sasl=PLAIN "));
        assert!(Capabilities::offered(false).contains(" sasl "));
    }
}
