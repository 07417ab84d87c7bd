//! The picture beside a person's name. Pages draw it; the rules only keep the choice.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Defines an enumeration whose variants have words for forms, flags and addresses.
macro_rules! choices {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name { $($variant,)* }

        impl $name {
            /// All of them, in the order in which people see them.
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            /// Returns its word.
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }
        }
    };
}

choices! {
    /// Colour of a chosen frog.
    AvatarColour {
        Green "green",
        Teal "teal",
        Blue "blue",
        Violet "violet",
        Pink "pink",
        Red "red",
        Orange "orange",
        Olive "olive",
    }
}

choices! {
    /// Expression of a frog.
    Frog {
        Smiling "smiling",
        Winking "winking",
        Sleeping "sleeping",
        Surprised "surprised",
        Singing "singing",
        Cheeky "cheeky",
    }
}

/// The picture beside a person's name. Its text is `drawn`, or colour and expression: `teal-winking`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Avatar {
    /// Drawn from the user name.
    #[default]
    Drawn,
    Chosen {
        colour: AvatarColour,
        frog: Frog,
    },
}

impl fmt::Display for Avatar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Avatar::Drawn => f.write_str("drawn"),
            Avatar::Chosen { colour, frog } => write!(f, "{}-{}", colour.name(), frog.name()),
        }
    }
}

impl FromStr for Avatar {
    type Err = ();

    fn from_str(text: &str) -> Result<Avatar, ()> {
        if text == "drawn" {
            return Ok(Avatar::Drawn);
        }
        let (colour, frog) = text.split_once('-').ok_or(())?;
        let colour = AvatarColour::ALL.iter().find(|known| known.name() == colour).ok_or(())?;
        let frog = Frog::ALL.iter().find(|known| known.name() == frog).ok_or(())?;
        Ok(Avatar::Chosen { colour: *colour, frog: *frog })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_avatar_is_parsed_from_its_text() {
        let chosen = AvatarColour::ALL
            .iter()
            .flat_map(|colour| Frog::ALL.iter().map(|frog| Avatar::Chosen { colour: *colour, frog: *frog }));
        for avatar in chosen.chain([Avatar::Drawn]) {
            assert_eq!(avatar.to_string().parse(), Ok(avatar));
        }
        for wrong in ["", "teal", "teal-", "-winking", "teal-winking ", "Teal-winking", "winking-teal"] {
            assert_eq!(wrong.parse::<Avatar>(), Err(()), "{wrong}");
        }
    }
}
