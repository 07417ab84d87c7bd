//! `ribbit init`: makes the cluster file and says what to type next. Never overwrites one: the key in it may be
//! in use on a board that is off.

use crate::cli::{DATA_DIR, INSTALLED, words_for};
use crate::common::address;
use crate::common::cluster_file::ClusterFile;
use crate::common::failure::{Exit, Failure};
use crate::common::options::InitOptions;
use crate::common::output;
use crate::common::write_file;
use ribbit_net::keys::PublicKey;
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

/// What to type on each board, where systemd runs it and where a person does.
fn next_steps(options: &InitOptions, key: Option<PublicKey>) -> String {
    let key = key.map_or_else(String::new, |key| key.to_string());
    let shown = options.cluster_file.display();
    let other = options.coordinators.get(1).and_then(|address| address::split(address).ok());
    let other = other.map_or("board2", |(host, _)| host);
    let mut text = format!(
        "{shown} makes the cluster {:?}. Whoever has it has the cluster: keep it secret.\n\n\
         With the package's services. Every board gets the file, by a way that nobody else can read:\n  \
         scp -p {shown} {other}:cluster.ribbit\n\
         and there, and on this board where it is one of them (here the file is {shown}):\n  \
         sudo install -D -m 600 cluster.ribbit {INSTALLED}\n\
         Then found the group, once, on the board of the first address:\n  \
         sudo systemctl start ribbit-found@1\n\
         and start what each board is for. Coordinators, on the board of each address:\n",
        options.name
    );
    for (number, address) in options.coordinators.iter().enumerate() {
        text.push_str(&format!(
            "  sudo systemctl enable --now ribbit-coordinator@{}    # {address}\n",
            number + 1
        ));
    }
    text.push_str(&format!(
        "Backends, on each board that keeps the data, with a number of its own:\n  \
         sudo systemctl enable --now ribbit-backend@1\n\
         Where people come in:\n  \
         sudo systemctl enable --now ribbit-balancer\n  \
         echo RIBBIT_PUBLIC_KEY={key} | sudo tee -a /etc/ribbit/web.conf\n  \
         sudo systemctl enable --now ribbit-web\n\n\
         Or by hand, with the file at {shown} on every board:\n"
    ));
    for number in 1..=options.coordinators.len() {
        // `--found` belongs to exactly one member, once.
        let id = number.to_string();
        let words = ["coordinator", "--id", &id, "--found"];
        let typed = server(options, if number == 1 { &words } else { &words[..3] });
        text.push_str(&format!("  {}\n", words_for(&typed)));
    }
    text.push_str(&format!("  {}\n", words_for(&server(options, &["backend", "--id", "1"]))));
    text.push_str(&format!("  {}\n", words_for(&server(options, &["balancer"]))));
    text.push_str(&format!("  ribbit client web --server 127.0.0.1:8081 --public-key {key}\n"));
    text.push_str("--found founds the group: leave it out when that coordinator is started again.");
    text
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
        for line in [
            "  scp -p ribbit-data/cluster.ribbit board2:cluster.ribbit\n",
            "  sudo systemctl start ribbit-found@1\n",
            "  sudo systemctl enable --now ribbit-coordinator@1    # board1:9000\n",
            "  sudo systemctl enable --now ribbit-coordinator@2    # board2:9500\n",
            "  ribbit coordinator --id 1 --found\n",
            "  ribbit coordinator --id 2\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
        let elsewhere = InitOptions { cluster_file: "f".into(), data_dir: None, ..options };
        assert!(next_steps(&elsewhere, None).contains("ribbit backend --id 1 --cluster-file f\n"));
    }
}
