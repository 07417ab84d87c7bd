//! Tables in CSV (RFC 4180), as spreadsheets write and read them. Pure.
//!
//! Fields are separated by commas, or by semicolons if the first line has no comma; records by LF or CRLF. A field in quotes may
//! contain separators, line ends, and doubled quotes. A byte order mark before the text and empty lines are ignored.

use std::fmt;

/// A record of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// Number of the line on which it begins, from 1.
    pub line: usize,
    pub fields: Vec<String>,
}

/// Reason why a text is no table, and the line on which it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CsvError {
    pub line: usize,
    pub what: &'static str,
}

impl fmt::Display for CsvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// Returns the records of a table.
///
/// # Errors
/// A quote that is not closed, or that does not stand around a whole field.
pub(crate) fn records(text: &str) -> Result<Vec<Record>, CsvError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let head = text.lines().find(|line| !line.is_empty()).unwrap_or_default();
    let separator = if head.contains(';') && !head.contains(',') { ';' } else { ',' };
    let mut records = Vec::new();
    let (mut line, mut rest) = (1, text);
    while !rest.is_empty() {
        let begin = line;
        let mut fields = Vec::new();
        loop {
            let (field, behind) = field(rest, separator, line)?;
            line += field.matches('\n').count();
            fields.push(field);
            match behind.strip_prefix(separator) {
                Some(next) => rest = next,
                None => {
                    rest = behind.strip_prefix("\r\n").or(behind.strip_prefix('\n')).unwrap_or(behind);
                    line += 1;
                    break;
                }
            }
        }
        if fields.iter().any(|field| !field.is_empty()) {
            records.push(Record { line: begin, fields });
        }
    }
    Ok(records)
}

/// Reads a field. Returns it, and the text behind it, which is empty or begins with a separator or a line end.
fn field(text: &str, separator: char, line: usize) -> Result<(String, &str), CsvError> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let plain = text.split([separator, '\n']).next().unwrap_or_default();
        let plain = if text[plain.len()..].starts_with('\n') {
            plain.strip_suffix('\r').unwrap_or(plain)
        } else {
            plain
        };
        return match plain.contains('"') {
            true => {
                Err(CsvError { line, what: "a quote stands inside a field; put the whole field in quotes" })
            }
            false => Ok((plain.to_string(), &text[plain.len()..])),
        };
    };
    let mut field = String::new();
    loop {
        let Some((inside, behind)) = rest.split_once('"') else {
            return Err(CsvError { line, what: "a quote is not closed" });
        };
        field += inside;
        if let Some(next) = behind.strip_prefix('"') {
            field.push('"');
            rest = next;
        } else if behind.is_empty() || behind.starts_with([separator, '\n']) || behind.starts_with("\r\n") {
            return Ok((field, behind));
        } else {
            return Err(CsvError { line, what: "text stands behind a closing quote" });
        }
    }
}

/// Returns a record as a line, without its end.
pub(crate) fn line(fields: &[&str]) -> String {
    let quoted = |field: &&str| match field.contains(['"', ',', ';', '\n', '\r']) || field.trim() != *field {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => (*field).to_string(),
    };
    fields.iter().map(quoted).collect::<Vec<String>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn read(text: &str) -> Vec<(usize, Vec<String>)> {
        records(text).unwrap().into_iter().map(|record| (record.line, record.fields)).collect()
    }

    fn fields(fields: &[&str]) -> Vec<String> {
        fields.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn tables_of_spreadsheets_are_read() {
        let text = "\u{feff}name,room\r\n\"Ada, L\",pond\r\n\r\n\"two\nlines \"\"q\"\"\",\r\nlast";
        assert_eq!(
            read(text),
            [
                (1, fields(&["name", "room"])),
                (2, fields(&["Ada, L", "pond"])),
                (4, fields(&["two\nlines \"q\"", ""])),
                (6, fields(&["last"])),
            ]
        );
        assert_eq!(read("a;b\n1,5;\"x;y\"\n"), [(1, fields(&["a", "b"])), (2, fields(&["1,5", "x;y"]))]);
        assert_eq!(read(""), []);
        assert_eq!(read("\n,\n"), []);
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_line() {
        for (text, line, what) in [
            ("a\n\"b", 2, "not closed"),
            ("a\nb\"c", 2, "inside a field"),
            ("a,\"b\"c", 1, "behind a closing quote"),
            ("a,\"b\";c", 1, "behind a closing quote"),
            ("\"a\nb\" c", 1, "behind a closing quote"),
        ] {
            let error = records(text).unwrap_err();
            assert!(error.line == line && error.what.contains(what), "{text:?}: {error}");
        }
    }

    proptest! {
        /// No text panics, and what was written is read back.
        #[test]
        fn any_text_is_a_table_or_refused(text in "[a,;\"\r\n \u{feff}é]{0,40}") {
            let _ = records(&text);
        }

        #[test]
        fn what_is_written_is_read_back(rows in prop::collection::vec(prop::collection::vec("[ab,;\"\r\n é]{1,6}", 2..5), 1..6)) {
            let lines: Vec<String> = rows.iter().map(|row| line(&row.iter().map(String::as_str).collect::<Vec<&str>>())).collect();
            for end in ["\n", "\r\n"] {
                // The first line decides about the separator.
                let text = format!("x,y{end}{}{end}", lines.join(end));
                let read: Vec<Vec<String>> = records(&text).unwrap().into_iter().skip(1).map(|record| record.fields).collect();
                prop_assert_eq!(&read, &rows);
            }
        }
    }
}
