//! `ribbit init`: makes the cluster file and says what to type next. Never overwrites one: the key in it may be
//! in use on a board that is off.

use super::cli::{DATA_DIR, default_port, words_for};
use super::cluster_file::ClusterFile;
use super::failure::{Exit, Failure};
use super::options::InitOptions;
use super::{address, output, write_file};
use crate::net::keys::PublicKey;
use crate::state::Role;
use std::ffi::OsString;
use std::io;
use std::path::Path;

/// # Errors
/// 1: the file exists, or cannot be written.
pub fn run(options: &InitOptions) -> Result<(), Failure> {
    let path = &options.cluster_file;
    if let Some(data_dir) = &options.data_dir {
        write_file::make_folder(data_dir).map_err(|error| {
            Failure::new(Exit::Refused, format!("cannot make the folder {}: {error}", data_dir.display()))
        })?;
    }
    let file = ClusterFile::new(options.name.clone(), options.coordinators.clone());
    file.create(path).map_err(|error| {
        let shown = path.display();
        let message = match error.kind() {
            io::ErrorKind::AlreadyExists => {
                format!("{shown} exists already, and its key may be in use: it is left as it is")
            }
            _ => format!("cannot write the cluster file {shown}: {error}"),
        };
        Failure::new(Exit::Refused, message)
    })?;
    output::line(&next_steps(options, file.keys().public()));
    Ok(())
}

/// What to type on each board.
fn next_steps(options: &InitOptions, key: Option<PublicKey>) -> String {
    let key = key.map_or_else(String::new, |key| key.to_string());
    let shown = options.cluster_file.display();
    let mut text = format!(
        "{shown} makes the cluster {:?}. Whoever has it has the cluster: keep it secret.\n\
         Copy it to every board, to the same place, by a way that nobody else can read:\n  \
         scp -p {shown} board2:{shown}\n\nThen type, on the board of each address:\n",
        options.name
    );
    for (number, address) in options.coordinators.iter().enumerate() {
        // `--found` belongs to exactly one member, once.
        let (id, found) = (number as u32 + 1, number == 0);
        text.push_str(&format!("  {}\n", words_for(&coordinator(options, id, address, found))));
    }
    text.push_str("and on each board that keeps the data, with a number of its own:\n");
    text.push_str(&format!("  {}\n", words_for(&server(options, &["backend", "--id", "1"]))));
    text.push_str("and where people come in:\n");
    text.push_str(&format!("  {}\n", words_for(&server(options, &["balancer"]))));
    text.push_str(&format!("  ribbit client web --server 127.0.0.1:8081 --public-key {key}\n"));
    text.push_str("--found founds the group: leave it out when that coordinator is started again.");
    text
}

fn coordinator(options: &InitOptions, id: u32, address: &str, found: bool) -> Vec<OsString> {
    let mut words = server(options, &["coordinator", "--id", &id.to_string()]);
    let port = address::split(address).map_or(0, |(_, port)| u32::from(port));
    if port != default_port(Role::Coordinator, crate::state::HOME, id) {
        words.extend(["--listen".into(), format!("0.0.0.0:{port}").into()]);
    }
    words.extend(["--advertise".into(), address.into()]);
    words.extend(found.then(|| "--found".into()));
    words
}

fn server(options: &InitOptions, words: &[&str]) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.iter().map(OsString::from).collect();
    match &options.data_dir {
        Some(data_dir) if data_dir == Path::new(DATA_DIR) => {}
        Some(data_dir) => words.extend(["--data-dir".into(), data_dir.into()]),
        None => words.extend(["--cluster-file".into(), (&options.cluster_file).into()]),
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_board_is_told_its_line_and_one_founds() {
        let coordinators = vec!["board1:9000".to_string(), "board2:9500".to_string()];
        let options = InitOptions {
            name: "frogs".into(),
            coordinators,
            cluster_file: "ribbit-data/cluster.ribbit".into(),
            data_dir: Some("ribbit-data".into()),
        };
        let text = next_steps(&options, None);
        assert!(text.contains("  ribbit coordinator --id 1 --advertise board1:9000 --found\n"), "{text}");
        let second = "  ribbit coordinator --id 2 --listen 0.0.0.0:9500 --advertise board2:9500\n";
        assert!(text.contains(second), "{text}");
        let elsewhere = InitOptions { cluster_file: "f".into(), data_dir: None, ..options };
        assert!(next_steps(&elsewhere, None).contains("ribbit backend --id 1 --cluster-file f\n"));
    }
}
