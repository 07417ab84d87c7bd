//! QR codes read back by `zbarimg`, a program of other people.

use std::io::ErrorKind;
use std::process::Command;

/// Pixels of a module in an image.
const SCALE: usize = 6;

/// Returns what `zbarimg` reads from an image of these modules, or `None` if the program is missing outside CI.
fn read_back(side: usize, is_dark: impl Fn(usize, usize) -> bool) -> Option<String> {
    let pixels = side * SCALE;
    let mut image = format!("P5\n{pixels} {pixels}\n255\n").into_bytes();
    for row in 0..pixels {
        image.extend((0..pixels).map(|column| if is_dark(column / SCALE, row / SCALE) { 0 } else { 255 }));
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("code.pgm");
    std::fs::write(&file, image).expect("the image is written");
    match Command::new("zbarimg").args(["--quiet", "--raw"]).arg(&file).output() {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).trim_end().to_string()),
        Err(error) if error.kind() == ErrorKind::NotFound && std::env::var_os("CI").is_none() => {
            eprintln!("skipped: zbarimg is not installed");
            None
        }
        Err(error) => panic!("zbarimg: {error}"),
    }
}

/// Fails unless the path of an SVG image, of runs `M1 2h3v1h-3z`, is the code of this text. `side` is its width.
#[track_caller]
pub fn path_says(side: usize, path: &str, text: &str) {
    let mut dark = vec![vec![false; side]; side];
    for run in path.split('M').skip(1) {
        let number = |part: Option<&str>| part.and_then(|part| part.parse::<usize>().ok()).expect("a number");
        let mut parts = run.split([' ', 'h', 'v']);
        let (column, row, width) = (number(parts.next()), number(parts.next()), number(parts.next()));
        dark[row][column..column + width].fill(true);
    }
    if let Some(read) = read_back(side, |column, row| dark[row][column]) {
        assert_eq!(read, text);
    }
}

/// Fails unless these lines of half blocks, in which light modules are drawn, are the code of this text.
#[track_caller]
pub fn half_blocks_say(lines: &str, text: &str) {
    let lines: Vec<Vec<char>> = lines.lines().map(|line| line.chars().collect()).collect();
    let side = lines.first().map_or(0, Vec::len);
    let is_dark = |column: usize, row: usize| {
        let lit = lines.get(row / 2).and_then(|line| line.get(column)).copied().unwrap_or(' ');
        matches!((lit, row % 2), (' ', _) | ('▄', 0) | ('▀', 1))
    };
    if let Some(read) = read_back(side, is_dark) {
        assert_eq!(read, text);
    }
}
