//! Suggestions for a mistyped name.

/// Returns the most similar name, if its edit distance is at most a third of its length and at most 2.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let far = |name: &&str| distance(word, name);
    names.min_by_key(far).filter(|name| distance(word, name) <= name.len().div_ceil(3).min(2))
}

/// Returns the edit distance: the number of letters to insert, delete, replace or swap with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + same);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_inserted_deleted_replaced_and_swapped() {
        assert_eq!((distance("", "ab"), distance("ab", "ba"), distance("abc", "abc")), (2, 1, 0));
        assert_eq!(nearest("pots", ["post", "feed"].into_iter()), Some("post"));
        assert_eq!(nearest("frogs", ["post", "feed"].into_iter()), None);
    }
}
