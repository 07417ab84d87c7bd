//! `ribbit init`: creates the cluster file and prints the next steps. It never overwrites a cluster file, whose key may be in
//! use on a machine that is switched off.

use crate::common::address;
use crate::common::cluster_file::ClusterFile;
use crate::common::command_line::command_line;
use crate::common::defaults::data_dir_or_default;
use crate::common::defaults::{DATA_DIR, INSTALLED};
use crate::common::discovery::DiscoveryArgs;
use crate::common::failure::{Exit, Failure};
use crate::common::joining::JoinArgs;
use crate::common::output;
use crate::common::write_file;
use clap::Args;
use ribbit_net::keys::PublicKey;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// Arguments of `init`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Display name of the cluster
    #[arg(long, default_value = "ribbit")]
    pub name: String,
    /// Addresses of the coordinators, as every machine reaches them
    #[arg(long, value_name = "HOST:PORT[,…]", required_unless_present = "join", conflicts_with = "join", value_delimiter = ',', value_parser = address::peer)]
    pub coordinator: Vec<String>,
    /// Write cluster.ribbit to this folder [default: ribbit-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Write to this file instead
    #[arg(long, value_name = "FILE")]
    pub cluster_file: Option<PathBuf>,
    #[command(flatten)]
    pub join: JoinArgs,
}

/// Options of `init`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InitOptions {
    /// Join code with which to get the file of an existing cluster.
    pub join: JoinArgs,
    /// Name of the cluster, for display only.
    pub name: String,
    /// Addresses of the coordinators, as every machine reaches them.
    pub coordinators: Vec<String>,
    /// File to write.
    pub cluster_file: PathBuf,
    /// Data folder of the file; `None` if the file is not where members look for it.
    pub data_dir: Option<PathBuf>,
}

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
Examples:
  ribbit init --name frogs --coordinator board1:9000,board2:9001
  ribbit init --coordinator 10.0.0.4:9000 --cluster-file frogs.ribbit
  sudo ribbit init --join K7QX2-9MRT4@board1 --cluster-file /etc/ribbit/cluster.ribbit

The last one gets the file of an existing cluster with a code of
`ribbit invite-board`.

The file contains the cluster's secret key. Copy it to every machine of the
cluster over an encrypted connection, such as scp.";

impl InitArgs {
    /// Returns the options, with the default folder filled in.
    pub(crate) fn options(self) -> InitOptions {
        let name = self.name;
        let (coordinators, join) = (self.coordinator, self.join);
        match self.cluster_file {
            Some(cluster_file) => InitOptions { join, name, coordinators, cluster_file, data_dir: None },
            None => {
                let data_dir = data_dir_or_default(self.data_dir);
                let cluster_file = ClusterFile::path_in(&data_dir);
                InitOptions { join, name, coordinators, cluster_file, data_dir: Some(data_dir) }
            }
        }
    }
}

/// Creates the cluster file and prints the next steps.
///
/// # Errors
/// 1: the file exists, or cannot be written. With a join code, as [`JoinArgs::fetch_to`].
pub(crate) fn run(options: &InitOptions) -> Result<(), Failure> {
    let path = &options.cluster_file;
    if options.join.join.is_some() {
        if !options.join.fetch_to(path, DiscoveryArgs::default())? {
            output::line(&format!("{} exists already: the join code was not used", path.display()));
        }
        return Ok(());
    }
    if let Some(data_dir) = &options.data_dir {
        write_file::make_folder(data_dir).map_err(|error| {
            Failure::new(Exit::Refused, format!("cannot create the folder {}: {error}", data_dir.display()))
        })?;
    }
    let file = ClusterFile::new(options.name.clone(), options.coordinators.clone());
    file.create(path).map_err(|error| {
        let shown = path.display();
        let message = match error.kind() {
            io::ErrorKind::AlreadyExists => {
                format!("{shown} exists already and was not changed, because its key may be in use")
            }
            _ => format!("cannot write the cluster file {shown}: {error}"),
        };
        Failure::new(Exit::Refused, message)
    })?;
    output::line(&next_steps(options, file.keys().public()));
    Ok(())
}

/// Returns the commands to type on each machine, with systemd and by hand.
fn next_steps(options: &InitOptions, key: Option<PublicKey>) -> String {
    let key = key.map_or_else(String::new, |key| key.to_string());
    let shown = options.cluster_file.display();
    let other = options.coordinators.get(1).and_then(|address| address::split(address).ok());
    let other = other.map_or("board2", |(host, _)| host);
    let mut text = format!(
        "Created the cluster file {shown} of cluster {:?}. It gives full access to the cluster: keep it secret.\n\n\
         With the package's services:\n\
         1. Copy the file to every machine over an encrypted connection:\n  \
         scp -p {shown} {other}:cluster.ribbit\n\
         2. Install it there, and on this machine ({shown}) if it is part of the cluster:\n  \
         sudo install -D -m 600 cluster.ribbit {INSTALLED}\n\
         3. Create the cluster, once, on the machine of the first address:\n  \
         sudo systemctl start ribbit-found@1\n\
         4. Start the coordinators, each on the machine of its address:\n",
        options.name
    );
    for (number, address) in options.coordinators.iter().enumerate() {
        text.push_str(&format!(
            "  sudo systemctl enable --now ribbit-coordinator@{}    # {address}\n",
            number + 1
        ));
    }
    text.push_str(&format!(
        "5. Start the backends, each with a number of its own:\n  \
         sudo systemctl enable --now ribbit-backend@1\n\
         6. Start the balancer and the web pages where users connect:\n  \
         sudo systemctl enable --now ribbit-balancer\n  \
         echo RIBBIT_PUBLIC_KEY={key} | sudo tee -a /etc/ribbit/web.conf\n  \
         sudo systemctl enable --now ribbit-web\n\n\
         Or by hand, with the file at {shown} on every machine:\n"
    ));
    for number in 1..=options.coordinators.len() {
        // Exactly one member gets `--found`.
        let id = number.to_string();
        let words = ["coordinator", "--id", &id, "--found"];
        let typed = server(options, if number == 1 { &words } else { &words[..3] });
        text.push_str(&format!("  {}\n", command_line(&typed)));
    }
    text.push_str(&format!("  {}\n", command_line(&server(options, &["backend", "--id", "1"]))));
    text.push_str(&format!("  {}\n", command_line(&server(options, &["balancer"]))));
    text.push_str(&format!("  ribbit client web --server 127.0.0.1:8081 --public-key {key}\n"));
    text.push_str("--found creates the cluster: leave it out when you start that coordinator again.");
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
    fn each_machine_gets_its_command_and_one_has_found() {
        let coordinators = vec!["board1:9000".to_string(), "board2:9500".to_string()];
        let options = InitOptions {
            join: JoinArgs::default(),
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
