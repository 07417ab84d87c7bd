//! Avatars: frogs as SVG, drawn from a user name or as their owners have chosen them.
//!
//! A drawing is a function of the name of its file alone, so every web server gives the same bytes and browsers keep them:
//!
//! ```text
//!   /avatar/ada.svg            drawn from the user name `ada`; with or without such a person
//!   /avatar/teal.winking.svg   a chosen frog, the same file for all who chose it; no user name contains a dot
//!   /avatar/~.svg              a deleted account
//! ```
//!
//! The text of a name never becomes part of a drawing.

use ribbit_state::query::Person;
use ribbit_state::text::fold_username;
use ribbit_state::{Avatar, AvatarColour, Frog};

/// Returns the path of a person's avatar; `None` stands for a deleted account.
pub fn path(person: Option<&Person>) -> String {
    person.map_or(format!("/avatar/{DELETED}.svg"), |person| path_of(person.avatar, &person.username))
}

/// Returns the path of an avatar of an account with this user name.
pub fn path_of(avatar: Avatar, username: &str) -> String {
    match avatar {
        Avatar::Drawn => format!("/avatar/{username}.svg"),
        Avatar::Chosen { colour, frog } => format!("/avatar/{}.{}.svg", colour.name(), frog.name()),
    }
}

/// Name of the file for deleted accounts. No user name contains a tilde.
const DELETED: &str = "~";

/// Returns the drawing in the file of this name, or `None` if there is no such file.
pub fn file(name: &str) -> Option<String> {
    let name = name.strip_suffix(".svg")?;
    if name == DELETED {
        return Some(Look { ground: "#d5dad2", skin: "#8b9686", frog: Frog::Sleeping, marking: 0 }.svg());
    }
    if let Some((colour, frog)) = name.split_once('.') {
        return match format!("{colour}-{frog}").parse() {
            Ok(Avatar::Chosen { colour, frog }) => Some(Look::chosen(colour, frog).svg()),
            Ok(Avatar::Drawn) | Err(()) => None,
        };
    }
    let username = fold_username(name).ok().filter(|folded| folded == name)?;
    Some(Look::drawn(&username).svg())
}

/// Number of markings.
const MARKINGS: u64 = 4;

/// Everything that a drawing depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    ground: &'static str,
    skin: &'static str,
    frog: Frog,
    /// 0: none, 1: cheeks, 2: spots, 3: a light chin.
    marking: u64,
}

impl Look {
    fn chosen(colour: AvatarColour, frog: Frog) -> Look {
        Look { ground: ground(colour), skin: skin(colour), frog, marking: 1 }
    }

    /// Returns the look for a user name: always the same, and spread over all looks.
    fn drawn(username: &str) -> Look {
        let mut rest = hash(username);
        let mut next = |count: u64| {
            let number = rest % count;
            rest /= count;
            number
        };
        let (colours, frogs) = (AvatarColour::ALL, Frog::ALL);
        let skin_at = next(colours.len() as u64);
        // The ground has another colour than the skin.
        let ground_at = (skin_at + 1 + next(colours.len() as u64 - 1)) % colours.len() as u64;
        let frog_at = next(frogs.len() as u64);
        let at = |index: u64| usize::try_from(index).unwrap_or(0);
        Look {
            ground: ground(colours[at(ground_at)]),
            skin: skin(colours[at(skin_at)]),
            frog: frogs[at(frog_at)],
            marking: next(MARKINGS),
        }
    }

    fn svg(self) -> String {
        let Look { ground, skin, frog, marking } = self;
        let marking = match marking {
            1 => {
                "<path d=\"M8 22h.01M28 22h.01\" stroke=\"#fff\" stroke-opacity=\".45\" stroke-width=\"5\"/>"
            }
            2 => {
                "<path d=\"M14 14.5h.01M18 12.5h.01M22 14.5h.01\" stroke-opacity=\".35\" stroke-width=\"2.4\"/>"
            }
            3 => {
                "<path fill=\"#fff\" fill-opacity=\".35\" stroke=\"none\" d=\"M7 26q11-6 22 0-11 12-22 0z\"/>"
            }
            _ => "",
        };
        let (eyes, mouth) = face(frog);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 36 36\" width=\"36\" height=\"36\">\
             <path fill=\"{ground}\" d=\"M0 0h36v36H0z\"/>\
             <g fill=\"{skin}\"><circle cx=\"11\" cy=\"12\" r=\"6\"/><circle cx=\"25\" cy=\"12\" r=\"6\"/>\
             <ellipse cx=\"18\" cy=\"21.5\" rx=\"14\" ry=\"10.5\"/></g>\
             <g fill=\"none\" stroke=\"#14230f\" stroke-width=\"1.8\" stroke-linecap=\"round\">{marking}{eyes}{mouth}</g>\
             </svg>\n"
        )
    }
}

/// Returns eyes and mouth.
fn face(frog: Frog) -> (&'static str, &'static str) {
    const OPEN: &str = "<path stroke=\"#fff\" stroke-width=\"7.2\" d=\"M11 12h.01M25 12h.01\"/>\
                        <path stroke-width=\"3.8\" d=\"M11.6 12.4h.01M24.4 12.4h.01\"/>";
    const WINK: &str = "<path stroke=\"#fff\" stroke-width=\"7.2\" d=\"M11 12h.01\"/>\
                        <path stroke-width=\"3.8\" d=\"M11.6 12.4h.01\"/><path d=\"M22 13q3-3 6 0\"/>";
    const CLOSED: &str = "<path d=\"M8 12q3 3 6 0M22 12q3 3 6 0\"/>";
    const WIDE: &str = "<path stroke=\"#fff\" stroke-width=\"8.4\" d=\"M11 12h.01M25 12h.01\"/>\
                        <path stroke-width=\"2.6\" d=\"M11 12h.01M25 12h.01\"/>";
    match frog {
        Frog::Smiling => (OPEN, "<path d=\"M9 22q9 7 18 0\"/>"),
        Frog::Winking => (WINK, "<path d=\"M10 23q9 5 17-1.5\"/>"),
        Frog::Sleeping => (CLOSED, "<path d=\"M13 23.5q5 3 10 0\"/>"),
        Frog::Surprised => (WIDE, "<ellipse fill=\"#14230f\" cx=\"18\" cy=\"24\" rx=\"2.6\" ry=\"3.2\"/>"),
        Frog::Singing => (OPEN, "<path fill=\"#14230f\" d=\"M10 21h16q-1 8.5-8 8.5t-8-8.5z\"/>"),
        Frog::Cheeky => (
            OPEN,
            "<path d=\"M9 22q9 6 18 0\"/><path stroke=\"#e8607e\" stroke-width=\"4\" d=\"M19 26.5v2\"/>",
        ),
    }
}

fn skin(colour: AvatarColour) -> &'static str {
    match colour {
        AvatarColour::Green => "#4caf50",
        AvatarColour::Teal => "#2a9d8f",
        AvatarColour::Blue => "#4f8fd9",
        AvatarColour::Violet => "#8e6bd1",
        AvatarColour::Pink => "#d667a8",
        AvatarColour::Red => "#d9534f",
        AvatarColour::Orange => "#e08a2c",
        AvatarColour::Olive => "#94a13a",
    }
}

fn ground(colour: AvatarColour) -> &'static str {
    match colour {
        AvatarColour::Green => "#d3efcf",
        AvatarColour::Teal => "#c9ece6",
        AvatarColour::Blue => "#d3e4f8",
        AvatarColour::Violet => "#e4daf7",
        AvatarColour::Pink => "#f8d9ea",
        AvatarColour::Red => "#f9d9d6",
        AvatarColour::Orange => "#fbe5c6",
        AvatarColour::Olive => "#e9edc6",
    }
}

/// Returns a hash of a name (FNV-1a, with its high bits folded in).
fn hash(name: &str) -> u64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_name_has_one_drawing_and_most_names_have_different_ones() {
        let drawings: Vec<String> =
            (0..1_000).map(|number| file(&format!("frog-{number}.svg")).unwrap()).collect();
        assert_eq!(file("frog-7.svg").as_ref(), drawings.get(7));
        let different: HashSet<&String> = drawings.iter().collect();
        assert!(different.len() > 600, "{}", different.len());
    }

    #[test]
    fn a_chosen_avatar_has_the_same_drawing_under_any_name() {
        let avatar: Avatar = "teal-winking".parse().unwrap();
        assert_eq!(path_of(avatar, "ada"), "/avatar/teal.winking.svg");
        assert_eq!(path_of(Avatar::Drawn, "ada"), "/avatar/ada.svg");
        let all = AvatarColour::ALL
            .iter()
            .flat_map(|colour| Frog::ALL.iter().map(|frog| Avatar::Chosen { colour: *colour, frog: *frog }));
        let drawings: HashSet<String> =
            all.map(|avatar| file(path_of(avatar, "").strip_prefix("/avatar/").unwrap()).unwrap()).collect();
        assert_eq!(drawings.len(), AvatarColour::ALL.len() * Frog::ALL.len());
    }

    #[test]
    fn no_text_of_a_name_gets_into_a_drawing() {
        for wrong in
            ["", ".svg", "ada", "Ada.svg", "@ada.svg", " ada.svg", "<svg>.svg", "a b.svg", "teal.svg.svg"]
        {
            assert_eq!(file(wrong), None, "{wrong}");
        }
        assert!(!file("ada.svg").unwrap().contains("ada"));
        assert_eq!(file(path(None).strip_prefix("/avatar/").unwrap()).unwrap().matches("<svg").count(), 1);
        for size in ["ada.svg", "red.cheeky.svg"].map(|name| file(name).unwrap().len()) {
            assert!(size < 900, "{size}");
        }
    }
}
