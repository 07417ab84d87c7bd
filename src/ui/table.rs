//! Aligned columns for a terminal. Cells may come from the network, so they are escaped ([`plain`]).

use super::plain;

/// Alignment of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// Lays out rows of cells with two spaces between columns and no trailing spaces. Every row has as many cells as `sides`.
pub fn layout(sides: &[Align], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| plain::line(cell)).collect()).collect();
    let width_of = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..sides.len()).map(width_of).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for ((cell, width), side) in row.iter().zip(&widths).zip(sides) {
            let padding = " ".repeat(width - cell.chars().count());
            match side {
                Align::Left => line.extend([cell, &padding, "  "].map(|part| part as &str)),
                Align::Right => line.extend([&padding, cell, "  "].map(|part| part as &str)),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_in_cells_are_escaped() {
        let said = layout(&[Align::Left], &[vec!["a\x1b[2J\nb\u{202e}c\u{9b}".to_string()]]);
        assert_eq!(said, "a\\x1b[2J\\x0ab\\u{202e}c\\u{9b}\n");
    }

    #[test]
    fn columns_line_up() {
        let rows = [vec!["a".to_string(), "100".to_string()], vec!["ü🐸x".to_string(), "7".to_string()]];
        assert_eq!(layout(&[Align::Left, Align::Right], &rows), "a    100\nü🐸x    7\n");
    }
}
