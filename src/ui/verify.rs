//! Result of a comparison of members (`ribbit verify`), as text and as JSON.
//!
//! A row is named by its table and key. Neither its content nor a key that is the hash of a token is shown.

use super::plain;
use ribbit_state::rows::{Key, LeaseTokens, Names, Nodes, Sessions, TABLES, Table};
use ribbit_state::{HistoryId, LogIndex};
use serde::Serialize;

/// Members, each with the hash of its row if it has one.
pub type MemberHashes = Vec<(String, Option<u64>)>;

/// The first row that differs between members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Stored key: the number of the table, then the key in it. `None` if the rows are the same and only the digests that the
    /// members keep differ.
    pub key: Option<Vec<u8>>,
    /// Hash of each member's row, if it has one.
    pub marks: MemberHashes,
}

impl Difference {
    /// Returns a difference, unless all members have the same.
    pub fn among(key: Option<Vec<u8>>, marks: MemberHashes) -> Option<Difference> {
        let same = marks.windows(2).all(|two| two[0].1 == two[1].1);
        (!same).then_some(Difference { key, marks })
    }

    /// Groups the members by what they have, the largest group first.
    fn sides(&self) -> Vec<(Option<u64>, Vec<&str>)> {
        let mut sides: Vec<(Option<u64>, Vec<&str>)> = Vec::new();
        for (name, mark) in &self.marks {
            match sides.iter_mut().find(|(other, _)| other == mark) {
                Some((_, names)) => names.push(name),
                None => sides.push((*mark, vec![name])),
            }
        }
        sides.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
        sides
    }
}

/// Result of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Log index of the compared state.
    pub index: LogIndex,
    pub history: HistoryId,
    /// Number of rows of the first member.
    pub rows: u64,
    /// Digest of the first member.
    pub digest: u64,
    pub members: Vec<String>,
    /// Members that answered but were not compared, with the reason.
    pub left_out: Vec<(String, String)>,
    pub difference: Option<Difference>,
}

#[derive(Serialize)]
struct Json<'a> {
    same: bool,
    index: LogIndex,
    history: String,
    rows: u64,
    digest: String,
    members: &'a [String],
    left_out: Vec<&'a str>,
    first_difference: Option<JsonDifference<'a>>,
}

#[derive(Serialize)]
struct JsonDifference<'a> {
    table: Option<&'static str>,
    key: Option<String>,
    /// Members with the same row, the largest group first.
    sides: Vec<Vec<&'a str>>,
}

impl Comparison {
    /// Returns the result for people, without a line end after the last line.
    pub fn words(&self) -> String {
        let Comparison { index, history, rows, digest, .. } = self;
        let mut text = match &self.difference {
            None => format!(
                "identical on {}: {rows} rows at index {index} of history {history}, digest {digest:016x}",
                self.members.join(", ")
            ),
            Some(Difference { key: Some(key), .. }) => {
                let (table, key) = row_name(key);
                format!("different at index {index} of history {history}: first difference in {table} {key}")
            }
            Some(Difference { key: None, .. }) => format!(
                "the rows are identical at index {index} of history {history}, but the digests that members keep differ"
            ),
        };
        for (side, (mark, names)) in self.difference.iter().flat_map(Difference::sides).enumerate() {
            let has = match (mark, side) {
                (None, _) => "no such row".to_string(),
                (Some(_), side) => format!("row {}", side + 1),
            };
            text += &format!("\n  {has:<12} {}", names.join(", "));
        }
        for (name, why) in &self.left_out {
            text += &format!("\nnot compared: {name}: {}", plain::line(why));
        }
        text
    }

    /// Returns the result as one line of JSON.
    pub fn json(&self) -> String {
        let difference = self.difference.as_ref().map(|difference| {
            let named = difference.key.as_deref().map(row_name);
            let sides = difference.sides().into_iter().map(|(_, names)| names).collect();
            let (table, key) = named.unzip();
            JsonDifference { table, key, sides }
        });
        let json = Json {
            same: self.difference.is_none(),
            index: self.index,
            history: self.history.to_string(),
            rows: self.rows,
            digest: format!("{:016x}", self.digest),
            members: &self.members,
            left_out: self.left_out.iter().map(|(name, _)| name.as_str()).collect(),
            first_difference: difference,
        };
        serde_json::to_string(&json).expect("plain data")
    }
}

/// Returns the table and the key of a row, for people.
fn row_name(stored: &[u8]) -> (&'static str, String) {
    let Some((number, key)) = stored.split_first() else { return ("no table", String::new()) };
    let Some((table, name)) = TABLES.iter().find(|(table, _)| table.0 == *number) else {
        return ("a table of a newer version", hex(key));
    };
    let text = if [Sessions::ID, LeaseTokens::ID].contains(table) {
        "(the hash of a token, not shown)".to_string()
    } else if *table == Names::ID {
        String::from_bytes(key).map_or_else(|| hex(key), |name| plain::line(&name))
    } else if *table == Nodes::ID {
        <Nodes as Table>::Key::from_bytes(key).map_or_else(|| hex(key), |path| plain::line(&path.to_string()))
    } else if key.len() % 8 == 0 {
        let numbers: Vec<String> =
            key.chunks_exact(8).filter_map(u64::from_bytes).map(|number| number.to_string()).collect();
        numbers.join(" ")
    } else {
        hex(key)
    };
    (name, text)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_named_without_showing_a_token() {
        let key = |table: u8, key: &[u8]| [&[table], key].concat();
        assert_eq!(row_name(&key(255, &7u64.bytes())), ("Croaks", "7".into()));
        assert_eq!(row_name(&key(6, &[1u64.bytes(), 2u64.bytes()].concat())), ("Friends", "1 2".into()));
        assert_eq!(row_name(&key(2, b"ada")), ("Names", "ada".into()));
        assert_eq!(row_name(&key(11, b"")), ("Books", String::new()));
        assert_eq!(row_name(&key(3, &[0xab; 32])), ("Sessions", "(the hash of a token, not shown)".into()));
        assert_eq!(row_name(&key(200, &[1])).1, "01");
    }

    #[test]
    fn members_are_grouped_by_what_they_have() {
        let marks = |marks: &[Option<u64>]| {
            marks.iter().enumerate().map(|(at, mark)| (format!("backend-{}", at + 1), *mark)).collect()
        };
        assert_eq!(Difference::among(None, marks(&[Some(1), Some(1)])), None);
        let difference = Difference::among(Some(vec![2, b'b']), marks(&[Some(1), None, Some(1), Some(2)]));
        let found = Comparison {
            index: 9,
            history: HistoryId(1),
            rows: 3,
            digest: 4,
            members: Vec::new(),
            left_out: vec![("coordinator-1".into(), "it is behind".into())],
            difference,
        };
        let words = found.words();
        assert!(
            words.contains("first difference in Names b\n  row 1        backend-1, backend-3\n"),
            "{words}"
        );
        assert!(
            words.contains("no such row  backend-2") && words.contains("row 3        backend-4"),
            "{words}"
        );
        assert!(words.ends_with("not compared: coordinator-1: it is behind"), "{words}");
        let json = found.json();
        assert!(json.contains(r#""first_difference":{"table":"Names","key":"b""#), "{json}");
    }
}
