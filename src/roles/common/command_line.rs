//! Command lines shown to users.

use std::ffi::OsString;

/// Returns the command line to type for these arguments, quoted for a shell: `ribbit backend --id 2 --data-dir ribbit-data`.
pub(crate) fn command_line(arguments: &[OsString]) -> String {
    let mut words = "ribbit".to_string();
    for argument in arguments {
        let text = argument.to_string_lossy();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=@+".contains(c);
        words.push(' ');
        if !text.is_empty() && text.chars().all(plain) {
            words.push_str(&text);
        } else {
            words.push_str(&format!("'{}'", text.replace('\'', r"'\''")));
        }
    }
    words
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
