//! `ribbit image-files`: writes the files that turn blank cards into the boards of a new cluster, a folder for each boot partition.
//!
//! ```text
//!   DIR/cluster.ribbit     made once, and used again by later runs
//!   DIR/board1             user-data, meta-data, network-config: cloud-init (Raspberry Pi OS from Trixie on)
//!                          firstrun.sh: Raspberry Pi OS before it
//!                          ribbit/: first-boot.sh, the package, the cluster file
//! ```
//!
//! - All boards get the same cluster file, so they need no join code, and find each other by mDNS. One of them founds the cluster when
//!   more than half of its servers wait without data (`coordinator --found-with`), so a card that is written again never founds a second.
//! - Nothing is written before all folders are known to be empty, and nothing is overwritten.
//!
//! - [`texts`]: the texts of the files, pure

mod texts;

use crate::common::cluster_file::ClusterFile;
use crate::common::failure::{Exit, Failure};
use crate::common::secret_input::{self, SecretInput};
use crate::common::{output, write_file};
use clap::{Args, value_parser};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use texts::{BoardFiles, Wifi};

/// Maximum number of boards.
const BOARDS_MAX: i64 = 9;
/// Maximum length of a file with keys for SSH or a password, in bytes.
const INPUT_BYTES_MAX: u64 = 64 * 1024;

/// Arguments of `image-files`.
#[derive(Debug, Args)]
pub(crate) struct ImageFilesArgs {
    /// Number of boards of the cluster, 1 to 9
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=BOARDS_MAX))]
    pub of: u32,
    /// Write the files of this board only [default: of all boards]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=BOARDS_MAX))]
    pub board: Option<u32>,
    /// Write board1, board2 … and the cluster file to this folder
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// Package of ribbit for the boards: the .deb of their kind, or the .tar.gz of all kinds
    #[arg(long, value_name = "FILE")]
    pub package: PathBuf,
    /// Display name of the cluster
    #[arg(long, default_value = "ribbit")]
    pub name: String,
    /// Beginning of the boards' host names
    #[arg(long, value_name = "NAME", default_value = "board", value_parser = host)]
    pub host: String,
    /// Time zone of the boards, such as Europe/Vienna
    #[arg(long, value_name = "ZONE", value_parser = time_zone)]
    pub time_zone: Option<String>,
    /// Public keys that may log in over SSH as pi, such as ~/.ssh/id_ed25519.pub
    #[arg(long, value_name = "FILE")]
    pub ssh_key: Option<PathBuf>,
    /// Wi-Fi network to join; without a file the password is asked for
    #[arg(long, value_name = "NAME", requires = "wifi_country", value_parser = ssid)]
    pub wifi_ssid: Option<String>,
    /// File with the password of the Wi-Fi network
    #[arg(long, value_name = "FILE", requires = "wifi_ssid")]
    pub wifi_password_file: Option<PathBuf>,
    /// Country whose rules for radio apply, such as AT
    #[arg(long, value_name = "CC", requires = "wifi_ssid", value_parser = country)]
    pub wifi_country: Option<String>,
}

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
For each board: write Raspberry Pi OS Lite to a card, copy everything in its folder
to the card's boot partition (bootfs), insert the card and switch on. The boards
find each other and found the cluster once, in any order.

The folders contain the cluster's secret key. Boards erase it from the boot
partition at their first start; delete the folders when all boards run, and keep
cluster.ribbit in a safe place.

Examples:
  ribbit image-files --of 3 --to cards --package ribbit_0.2.0-1_arm64.deb
  ribbit image-files --of 3 --to cards --package ribbit-0.2.0.tar.gz \\
    --ssh-key ~/.ssh/id_ed25519.pub --time-zone Europe/Vienna
  ribbit image-files --of 3 --to cards --package ribbit-0.2.0.tar.gz \\
    --wifi-ssid Pond --wifi-country AT --wifi-password-file wifi.txt
  ribbit image-files --board 2 --of 3 --to cards --package ribbit-0.2.0.tar.gz";

/// Writes the files.
///
/// # Errors
/// - 1: a folder is not empty, or a file cannot be read or written.
/// - 2: the board is beyond the last one, or the package, the keys or the password are none.
/// - 78: the cluster file exists and cannot be used.
pub(crate) fn run(arguments: &ImageFilesArgs) -> Result<(), Failure> {
    let of = arguments.of;
    let boards = arguments.board.map_or(1..=of, |board| board..=board);
    if *boards.end() > of {
        return Err(usage(format!("there is no board {} of {of}", boards.end())));
    }
    let package = package_name(&arguments.package)?;
    let ssh_keys = arguments.ssh_key.as_deref().map(ssh_keys).transpose()?.unwrap_or_default();
    let folders: Vec<(u32, PathBuf)> =
        boards.map(|board| (board, arguments.to.join(format!("board{board}")))).collect();
    for (_, folder) in &folders {
        if write_file::has_entries(folder) {
            return Err(refused(format!(
                "{} is not empty: choose another --to, or delete it first",
                folder.display()
            )));
        }
    }
    let wifi = wifi(arguments)?;
    let file = cluster_file(arguments)?;
    let key = file.keys().public().map(|key| key.to_string()).unwrap_or_default();
    for (board, folder) in &folders {
        let files = BoardFiles {
            board: *board,
            of,
            host: format!("{}{board}", arguments.host),
            cluster: file.cluster.to_string(),
            key: key.clone(),
            time_zone: arguments.time_zone.clone(),
            ssh_keys: ssh_keys.clone(),
            wifi: wifi.clone(),
        };
        write(&files, &file, folder, (&arguments.package, package))
            .map_err(|error| refused(format!("cannot write to {}: {error}", folder.display())))?;
        output::line(&format!("{}: {}", folder.display(), files.units().join(" ")));
    }
    output::line(&format!(
        "Copy everything in each folder to the boot partition of its card, next to cmdline.txt. The boards found cluster {:?} \
         once, when {} of its servers are on. Each folder gives full access to the cluster: keep it secret.",
        file.name,
        texts::founding_servers(of)
    ));
    Ok(())
}

fn usage(text: String) -> Failure {
    Failure::new(Exit::Usage, text)
}

fn refused(text: String) -> Failure {
    Failure::new(Exit::Refused, text)
}

/// Reads the cluster file of an earlier run, or creates one.
fn cluster_file(arguments: &ImageFilesArgs) -> Result<ClusterFile, Failure> {
    let path = ClusterFile::path_in(&arguments.to);
    if path.exists() {
        return ClusterFile::read(&path);
    }
    // Without addresses: the boards get theirs from a router, and find each other.
    let file = ClusterFile::new(arguments.name.clone(), Vec::new());
    write_file::make_folder(&arguments.to)
        .and_then(|()| file.create(&path))
        .map_err(|error| refused(format!("cannot write the cluster file {}: {error}", path.display())))?;
    Ok(file)
}

fn write(
    files: &BoardFiles,
    cluster: &ClusterFile,
    folder: &Path,
    (package, name): (&Path, &str),
) -> io::Result<()> {
    let ours = folder.join("ribbit");
    write_file::make_folder(&ours)?;
    fs::copy(package, ours.join(name))?;
    for (name, text) in [
        ("cmdline.txt", texts::CMDLINE.to_string()),
        ("first-boot.sh", files.first_boot()),
        ("cluster.ribbit", cluster.to_text()),
    ] {
        write_file::create(&ours.join(name), &text)?;
    }
    for (name, text) in [
        ("user-data", files.user_data()),
        ("meta-data", files.meta_data()),
        ("network-config", files.network_config()),
        ("firstrun.sh", files.firstrun()),
    ] {
        write_file::create(&folder.join(name), &text)?;
    }
    Ok(())
}

/// Returns the name that a package has on the boards.
fn package_name(path: &Path) -> Result<&'static str, Failure> {
    let mut start = [0; 8];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.map_err(|error| refused(format!("cannot read {}: {error}", path.display())))?;
    match &start {
        b"!<arch>\n" => Ok("ribbit.deb"),
        [0x1f, 0x8b, ..] => Ok("ribbit.tar.gz"),
        _ => Err(usage(format!("{} is no package of ribbit, which is a .deb or a .tar.gz", path.display()))),
    }
}

fn read_text(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(INPUT_BYTES_MAX).read_to_string(&mut text));
    read.map_err(|error| refused(format!("cannot read {}: {error}", path.display())))?;
    Ok(text)
}

fn ssh_keys(path: &Path) -> Result<Vec<String>, Failure> {
    let text = read_text(path)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys: Vec<String> = lines.map(str::to_string).collect();
    let is_key = |line: &String| {
        ["ssh-", "ecdsa-", "sk-"].iter().any(|kind| line.starts_with(kind))
            && !line.contains(char::is_control)
    };
    match !keys.is_empty() && keys.iter().all(is_key) {
        true => Ok(keys),
        false => Err(usage(format!("{} has no public keys of SSH, one a line", path.display()))),
    }
}

fn wifi(arguments: &ImageFilesArgs) -> Result<Option<Wifi>, Failure> {
    let (Some(ssid), Some(country)) = (&arguments.wifi_ssid, &arguments.wifi_country) else {
        return Ok(None);
    };
    let password = match &arguments.wifi_password_file {
        Some(path) => read_text(path)?.trim_end_matches(['\r', '\n']).to_string(),
        None => match secret_input::ask(&format!("Password of {ssid}: ")) {
            Ok(SecretInput::Line(line)) => line,
            _ => return Err(usage("no password of the Wi-Fi network was given".to_string())),
        },
    };
    if !(8..=63).contains(&password.len()) || !password.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(usage("a password of Wi-Fi has 8 to 63 letters, digits and signs of ASCII".to_string()));
    }
    Ok(Some(Wifi { ssid: ssid.clone(), password, country: country.clone() }))
}

fn parsed(text: &str, is_valid: bool, expected: &str) -> Result<String, String> {
    if is_valid { Ok(text.to_string()) } else { Err(format!("expected {expected}")) }
}

fn host(text: &str) -> Result<String, String> {
    let is_plain =
        text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let is_valid = is_plain && text.len() <= 50 && text.starts_with(|first: char| first.is_ascii_lowercase());
    parsed(text, is_valid, "a name of letters a to z, digits and -, such as board")
}

fn time_zone(text: &str) -> Result<String, String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte));
    let is_valid =
        is_plain && text.len() <= 64 && text.starts_with(|first: char| first.is_ascii_alphabetic());
    parsed(text, is_valid, "a time zone, such as Europe/Vienna")
}

fn ssid(text: &str) -> Result<String, String> {
    let is_valid = (1..=32).contains(&text.len()) && !text.contains(char::is_control);
    parsed(text, is_valid, "the name of a Wi-Fi network, of at most 32 bytes")
}

fn country(text: &str) -> Result<String, String> {
    let is_valid = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    parsed(text, is_valid, "two letters, such as AT")
}
