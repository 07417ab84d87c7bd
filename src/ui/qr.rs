//! QR codes of links: as a path of an SVG image on pages, and as half blocks in a terminal.

use qrcodegen::QrCodeEcc;

/// Width of the light border around a code, in modules.
const BORDER: usize = 4;

/// Longest text of a code, in bytes. Longer links make codes that phones read badly from a screen.
const TEXT_BYTES_MAX: usize = 400;

/// A QR code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QrCode {
    /// Modules in a row, with the border.
    side: usize,
    /// True for each dark module, row by row.
    dark: Vec<bool>,
}

impl QrCode {
    /// Returns the code of a text, or `None` if the text is too long.
    pub fn of(text: &str) -> Option<QrCode> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let code = qrcodegen::QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
        let side = usize::try_from(code.size()).ok()? + 2 * BORDER;
        let mut dark = Vec::with_capacity(side * side);
        for row in 0..side as i32 {
            // Outside the code every module is light.
            dark.extend(
                (0..side as i32).map(|column| code.get_module(column - BORDER as i32, row - BORDER as i32)),
            );
        }
        Some(QrCode { side, dark })
    }

    /// Returns the number of modules in a row, with the border.
    pub fn side(&self) -> usize {
        self.side
    }

    fn is_dark(&self, column: usize, row: usize) -> bool {
        self.dark.get(row * self.side + column).copied().unwrap_or_default()
    }

    /// Returns the dark modules as the path of an SVG image, in which each module is a unit square.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for row in 0..self.side {
            let mut column = 0;
            while column < self.side {
                let begin = column;
                while column < self.side && self.is_dark(column, row) {
                    column += 1;
                }
                match column - begin {
                    0 => column += 1,
                    width => path += &format!("M{begin} {row}h{width}v1h-{width}z"),
                }
            }
        }
        path
    }

    /// Returns lines for a terminal, two rows of modules each. Light modules are drawn, as terminals are mostly dark.
    pub fn half_blocks(&self) -> String {
        let mut lines = String::new();
        for row in (0..self.side).step_by(2) {
            for column in 0..self.side {
                let below = row + 1 >= self.side || self.is_dark(column, row + 1);
                lines.push(match (self.is_dark(column, row), below) {
                    (true, true) => ' ',
                    (true, false) => '▄',
                    (false, true) => '▀',
                    (false, false) => '█',
                });
            }
            lines.push('\n');
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_long_has_no_code() {
        assert!(QrCode::of(&"a".repeat(TEXT_BYTES_MAX)).is_some());
        assert_eq!(QrCode::of(&"a".repeat(TEXT_BYTES_MAX + 1)), None);
    }
}
