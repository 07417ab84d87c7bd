//! The words of a demonstration: what is done, what is expected of it, what was seen, and whether that is the same.

/// How a claim is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    /// For a terminal that can show it.
    Drawn,
    Plain,
}

impl Marks {
    /// `lang` is what the environment says of letters: `en_GB.UTF-8`.
    pub fn fitting(is_terminal: bool, lang: &str) -> Marks {
        let lang = lang.to_ascii_uppercase();
        let has_letters = lang.contains("UTF-8") || lang.contains("UTF8");
        if is_terminal && has_letters { Marks::Drawn } else { Marks::Plain }
    }
}

/// Something that is said to be so, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub expected: String,
    pub seen: String,
    pub holds: bool,
}

pub fn title(text: &str) -> String {
    format!("{text}\n{}", "-".repeat(text.chars().count()))
}

/// What is done now.
pub fn done(text: &str) -> String {
    format!("\n> {text}")
}

/// Two lines.
pub fn claim(claim: &Claim, marks: Marks) -> String {
    let mark = match (claim.holds, marks) {
        (true, Marks::Drawn) => "✓",
        (true, Marks::Plain) => "ok",
        (false, Marks::Drawn) => "✗ THIS IS NOT SO",
        (false, Marks::Plain) => "THIS IS NOT SO",
    };
    format!("  expected: {}\n  seen:     {}  {mark}", claim.expected, claim.seen)
}

/// The last words.
pub fn verdict(held: usize, failed: usize, folder: &str) -> String {
    match failed {
        0 => format!("\nAll {held} claims held. What this needed is removed again."),
        _ => {
            let claims = held + failed;
            format!("\n{failed} of {claims} claims did NOT hold. {folder} is kept: the stores are in it.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_fit_who_reads_them() {
        assert_eq!(Marks::fitting(true, "en_GB.UTF-8"), Marks::Drawn);
        assert_eq!(Marks::fitting(true, "C.utf8"), Marks::Drawn);
        assert_eq!(Marks::fitting(true, "C"), Marks::Plain);
        assert_eq!(Marks::fitting(false, "en_GB.UTF-8"), Marks::Plain);
    }

    #[test]
    fn what_is_not_so_is_not_overlooked() {
        let held = Claim { expected: "3 wait".into(), seen: "3 wait".into(), holds: true };
        assert_eq!(claim(&held, Marks::Plain), "  expected: 3 wait\n  seen:     3 wait  ok");
        let failed = Claim { seen: "2 wait".into(), holds: false, ..held };
        assert!(claim(&failed, Marks::Drawn).ends_with("2 wait  ✗ THIS IS NOT SO"));
        assert!(claim(&failed, Marks::Plain).is_ascii());
        assert_eq!(title("One"), "One\n---");
        assert!(verdict(4, 0, "/tmp/x").contains("All 4 claims held"));
        assert!(verdict(4, 1, "/tmp/x").contains("1 of 5 claims did NOT hold. /tmp/x is kept"));
    }
}
