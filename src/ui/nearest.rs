//! Suggestions for a mistyped name.

use strsim::osa_distance;

/// Returns the most similar name, if its edit distance is at most a third of its length and at most 2.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let far = |name: &&str| osa_distance(word, name);
    names.min_by_key(far).filter(|name| osa_distance(word, name) <= name.len().div_ceil(3).min(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_inserted_deleted_replaced_and_swapped() {
        let distances = (osa_distance("", "ab"), osa_distance("ab", "ba"), osa_distance("abc", "abc"));
        assert_eq!(distances, (2, 1, 0));
        assert_eq!(nearest("pots", ["post", "feed"].into_iter()), Some("post"));
        assert_eq!(nearest("frogs", ["post", "feed"].into_iter()), None);
    }
}
