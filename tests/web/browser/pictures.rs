//! Reference pictures of pages: one sheet per page, which shows it small and gray at every size that is looked at.
//!
//! A picture is compared in blocks by their mean brightness. So other times and numbers on a page pass, and a page whose style or
//! layout changed does not. Pictures are compared only where Chromium draws letters as it did for the references.

use base64ct::{Base64, Encoding};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use testkit::driver::Driver;

/// Size of a picture relative to its page.
pub(super) const SCALE: f64 = 0.25;
/// Largest height of a page in a picture, in CSS pixels.
pub(super) const HEIGHT_MAX: u32 = 1_600;
/// Side of a block that is compared, in pixels of the picture: 16 CSS pixels.
const BLOCK: usize = 4;
/// Difference of mean brightness from which a block counts as changed, of 255.
const CHANGED: u32 = 32;
/// Largest part of changed blocks that passes, in percent.
const CHANGED_PERCENT_MAX: f64 = 1.0;
/// Pixels between two pictures of a sheet.
const GAP: usize = 4;
/// Brightness where a sheet has no picture.
const NOTHING: u8 = 0x88;
/// Text whose drawn width shows whether this machine draws letters as the references' did.
const SAMPLE: &str = "Heavy rain at the north pond 0123456789 \u{1f438}";

/// Brightness of each pixel, row by row, in 16 levels.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Picture {
    width: usize,
    rows: Vec<Vec<u8>>,
}

impl Picture {
    /// Reads a screenshot in base64.
    pub(super) fn of_screenshot(base64: &str) -> Picture {
        let bytes = Base64::decode_vec(base64).expect("base64");
        Picture::read(&bytes)
    }

    fn read(png: &[u8]) -> Picture {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().expect("a PNG");
        let mut bytes = vec![0; reader.output_buffer_size().expect("a size")];
        let frame = reader.next_frame(&mut bytes).expect("a PNG");
        let samples = frame.color_type.samples();
        let colours = if samples < 3 { 1 } else { 3 };
        let gray = |pixel: &[u8]| {
            let sum: u32 = pixel[..colours].iter().map(|it| u32::from(*it)).sum();
            let mean = u8::try_from(sum / colours as u32).expect("a mean");
            mean / 0x11 * 0x11
        };
        let width = frame.width as usize;
        let rows = bytes[..frame.buffer_size()]
            .chunks(width * samples)
            .map(|row| row.chunks(samples).map(gray).collect())
            .collect();
        Picture { width, rows }
    }

    fn write(&self, file: &Path) {
        let file = File::create(file).expect("the folder of pictures can be written to");
        let mut encoder = png::Encoder::new(file, self.width as u32, self.rows.len() as u32);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Four);
        encoder.set_compression(png::Compression::High);
        let pack = |pair: &[u8]| ((pair[0] / 0x11) << 4) | pair.get(1).map_or(0, |it| it / 0x11);
        let bytes: Vec<u8> = self.rows.iter().flat_map(|row| row.chunks(2).map(pack)).collect();
        let mut writer = encoder.write_header().expect("a header");
        writer.write_image_data(&bytes).expect("the picture is written");
    }

    fn pixel(&self, x: usize, y: usize) -> u8 {
        self.rows.get(y).and_then(|row| row.get(x)).copied().unwrap_or(NOTHING)
    }

    /// Returns the mean brightness of a block, of 255.
    fn mean(&self, left: usize, top: usize) -> u32 {
        let pixels = (0..BLOCK * BLOCK).map(|at| self.pixel(left + at % BLOCK, top + at / BLOCK));
        pixels.map(u32::from).sum::<u32>() / (BLOCK * BLOCK) as u32
    }

    /// Returns how much of the columns `from..to` differs between two sheets, in percent.
    fn changed(&self, other: &Picture, from: usize, to: usize) -> f64 {
        let height = self.rows.len().max(other.rows.len());
        let blocks =
            (0..height).step_by(BLOCK).flat_map(|top| (from..to).step_by(BLOCK).map(move |left| (left, top)));
        let (mut all, mut changed) = (0_u32, 0_u32);
        for (left, top) in blocks {
            all += 1;
            changed += u32::from(self.mean(left, top).abs_diff(other.mean(left, top)) >= CHANGED);
        }
        f64::from(changed) * 100.0 / f64::from(all)
    }
}

/// Puts pictures beside one another. Returns also the first and last column of each.
fn sheet(pictures: &[(String, Picture)]) -> (Picture, Vec<(usize, usize)>) {
    let height = pictures.iter().map(|(_, it)| it.rows.len()).max().unwrap_or_default();
    let mut columns = Vec::new();
    let mut left = 0;
    for (_, picture) in pictures {
        columns.push((left, left + picture.width));
        left += picture.width + GAP;
    }
    let row = |y: usize| {
        let gap = std::iter::repeat_n(NOTHING, GAP);
        pictures
            .iter()
            .flat_map(|(_, it)| (0..it.width).map(move |x| it.pixel(x, y)).chain(gap.clone()))
            .take(left - GAP)
            .collect()
    };
    (Picture { width: left - GAP, rows: (0..height).map(row).collect() }, columns)
}

/// The folder of reference pictures.
pub(super) struct References {
    folder: PathBuf,
    /// Where a picture that differs is left.
    differing: PathBuf,
    update: bool,
}

impl References {
    /// Returns `None`, and prints why, if this machine draws letters in another way than that of the references.
    pub(super) fn find(driver: &Driver, folder: &Path, differing: &Path) -> Option<References> {
        let update = std::env::var_os("UPDATE_GOLDENFILES").is_some();
        let drawn = driver.run(&format!(
            "const canvas = document.createElement('canvas').getContext('2d');
             const width = font => (canvas.font = font, canvas.measureText('{SAMPLE}').width);
             return navigator.userAgent.match(/Chrome.(\\d+)/)[0] + ': '
                 + ['16px system-ui', 'bold 16px sans-serif', '16px monospace'].map(width)"
        ));
        let drawn = format!("{}\n", drawn.as_str().expect("a text"));
        let file = folder.join("drawn-by.txt");
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        if drawn != kept && !update {
            let _ = writeln!(
                std::io::stderr(),
                "pictures of pages are not compared: they were drawn by {}, here it is {}",
                kept.trim(),
                drawn.trim()
            );
            return None;
        }
        if update {
            std::fs::create_dir_all(folder).expect("the folder of pictures can be made");
            std::fs::write(file, drawn).expect("the folder of pictures can be written to");
        }
        Some(References { folder: folder.into(), differing: differing.into(), update })
    }

    /// Compares a page with its reference. Each picture has the words for its size.
    ///
    /// # Panics
    ///
    /// If more of it differs than what other times and numbers make.
    #[track_caller]
    pub(super) fn check(&self, name: &str, pictures: &[(String, Picture)]) {
        let (drawn, columns) = sheet(pictures);
        let file = self.folder.join(format!("{name}.png"));
        let kept = std::fs::read(&file).ok().map(|bytes| Picture::read(&bytes));
        let differing: Vec<String> = pictures
            .iter()
            .zip(columns)
            .filter_map(|((size, _), (from, to))| {
                let changed = kept.as_ref().map_or(100.0, |kept| drawn.changed(kept, from, to));
                (changed > CHANGED_PERCENT_MAX).then(|| format!("{size}: {changed:.1} %"))
            })
            .collect();
        if differing.is_empty() {
            return;
        }
        if self.update {
            drawn.write(&file);
            return;
        }
        let left = self.differing.join(format!("{name}.png"));
        drawn.write(&left);
        panic!(
            "{name} differs from {}: {}. Look at {}; UPDATE_GOLDENFILES=1 keeps it as the new reference",
            file.display(),
            differing.join(", "),
            left.display()
        );
    }
}

fn page(lines: usize) -> Picture {
    let row = |y: usize| (0..90).map(|x| if y / 4 < lines && x < 60 { 0 } else { 0xff }).collect();
    Picture { width: 90, rows: (0..200).map(row).collect() }
}

#[test]
fn another_number_passes_and_another_line_does_not() {
    let mut number = page(10);
    number.rows[20][..9].fill(0x77);
    assert!(page(10).changed(&number, 0, 90) <= CHANGED_PERCENT_MAX);
    assert!(page(10).changed(&page(13), 0, 90) > CHANGED_PERCENT_MAX);
    assert!(page(10).changed(&Picture { width: 90, rows: Vec::new() }, 0, 90) > CHANGED_PERCENT_MAX);
}

#[test]
fn a_sheet_is_read_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sheet.png");
    let (drawn, columns) = sheet(&[("narrow".into(), page(3)), ("again".into(), page(5))]);
    assert_eq!(columns, [(0, 90), (94, 184)]);
    drawn.write(&file);
    assert!(Picture::read(&std::fs::read(&file).unwrap()) == drawn);
}
