//! Texts of `ribbit demo`: each step, what is expected of it, what was observed, and whether the two agree.

/// Character set of the marks behind a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkStyle {
    /// Unicode, for a terminal that can show it.
    Drawn,
    /// ASCII.
    Plain,
}

impl MarkStyle {
    /// Returns the marks that an output can show. `lang` is the locale from the environment: `en_GB.UTF-8`.
    pub fn fitting(is_terminal: bool, lang: &str) -> MarkStyle {
        let lang = lang.to_ascii_uppercase();
        let has_letters = lang.contains("UTF-8") || lang.contains("UTF8");
        if is_terminal && has_letters { MarkStyle::Drawn } else { MarkStyle::Plain }
    }
}

/// An expectation, and what was observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub expected: String,
    pub seen: String,
    pub holds: bool,
}

/// Returns an underlined title.
pub fn title(text: &str) -> String {
    format!("{text}\n{}", "-".repeat(text.chars().count()))
}

/// Returns the line that announces a step.
pub fn done(text: &str) -> String {
    format!("\n> {text}")
}

/// Returns a claim as two lines.
pub fn claim(claim: &Claim, marks: MarkStyle) -> String {
    let mark = match (claim.holds, marks) {
        (true, MarkStyle::Drawn) => "✓",
        (true, MarkStyle::Plain) => "ok",
        (false, MarkStyle::Drawn) => "✗ FAILED",
        (false, MarkStyle::Plain) => "FAILED",
    };
    format!("  expected: {}\n  seen:     {}  {mark}", claim.expected, claim.seen)
}

/// Returns the summary at the end.
pub fn verdict(held: usize, failed: usize, folder: &str) -> String {
    match failed {
        0 => format!("\nAll {held} checks passed. The demo cluster has been removed."),
        _ => {
            let checks = held + failed;
            format!("\n{failed} of {checks} checks FAILED. The stores are kept in {folder}.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_fit_the_output() {
        assert_eq!(MarkStyle::fitting(true, "en_GB.UTF-8"), MarkStyle::Drawn);
        assert_eq!(MarkStyle::fitting(true, "C.utf8"), MarkStyle::Drawn);
        assert_eq!(MarkStyle::fitting(true, "C"), MarkStyle::Plain);
        assert_eq!(MarkStyle::fitting(false, "en_GB.UTF-8"), MarkStyle::Plain);
    }

    #[test]
    fn a_failed_claim_is_marked() {
        let held = Claim { expected: "3 wait".into(), seen: "3 wait".into(), holds: true };
        assert_eq!(claim(&held, MarkStyle::Plain), "  expected: 3 wait\n  seen:     3 wait  ok");
        let failed = Claim { seen: "2 wait".into(), holds: false, ..held };
        assert!(claim(&failed, MarkStyle::Drawn).ends_with("2 wait  ✗ FAILED"));
        assert!(claim(&failed, MarkStyle::Plain).is_ascii());
        assert_eq!(title("One"), "One\n---");
        assert!(verdict(4, 0, "/tmp/x").contains("All 4 checks passed"));
        assert!(verdict(4, 1, "/tmp/x").contains("1 of 5 checks FAILED. The stores are kept in /tmp/x"));
    }
}
