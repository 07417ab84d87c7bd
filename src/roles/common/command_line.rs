//! Command lines shown to users.

use std::ffi::OsString;

/// Returns the command line to type for these arguments, quoted for a shell: `ribbit backend --id 2 --data-dir ribbit-data`.
pub(crate) fn command_line(arguments: &[OsString]) -> String {
    let words = arguments.iter().map(|argument| argument.to_string_lossy());
    let words = words.map(|word| shell_words::quote(&word).into_owned());
    ["ribbit".to_string()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_for_a_shell() {
        let words = ["backend", "--data-dir", "it's here"].map(OsString::from);
        assert_eq!(command_line(&words), r"ribbit backend --data-dir 'it'\''s here'");
    }
}
