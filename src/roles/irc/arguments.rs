//! Arguments of `ribbit client irc`.

use crate::common::address;
use crate::common::cluster_selection::{ClusterFlags, select};
use crate::common::failure::{Exit, Failure};
use crate::common::service::is_loopback;
use crate::common::tls::{TlsFiles, TlsFlags};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, ArgMatches, Args};
use ribbit_net::keys::Keys;

/// Arguments of `client irc`.
#[derive(Debug, Args)]
pub struct IrcArgs {
    /// Listen address; port 0 picks a free port
    #[arg(long, value_name = "HOST:PORT", default_value = LISTEN, value_parser = address::listen)]
    listen: String,
    #[command(flatten)]
    tls: TlsFlags,
    /// Serve without encryption on an address that other machines can reach
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    yes_without_encryption: bool,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// Options of `client irc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IrcOptions {
    /// HOST:PORT; port 0 picks a free port.
    pub(crate) listen: String,
    /// Certificate and key; plain text if `None`.
    pub(crate) tls: Option<TlsFiles>,
    /// Balancers or backends.
    pub(crate) servers: Vec<String>,
    /// Keys that authenticate these servers.
    pub(crate) keys: Keys,
}

/// Default listen address, with the port of IRC.
pub(crate) const LISTEN: &str = "127.0.0.1:6667";

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
Examples:
  ribbit client irc
  ribbit client irc --listen 0.0.0.0:6697 --tls-cert irc.pem --tls-key irc.key
  ribbit client irc --server board1:8081,board2:8081

Any IRC client connects with the user name as its nick and the ribbit password:
  irssi: /connect -tls_verify HOST 6697 NAME:PASSWORD
Rooms are channels (/join #frogs), direct messages are messages, and the feed is
the channel &feed. The process stores no data. `ribbit web-cert` creates a
certificate; send SIGHUP after replacing the files.";

impl IrcArgs {
    /// Returns the options of the role.
    ///
    /// # Errors
    /// 2: TLS flags that do not fit together, or an exposed listener without encryption. 3, 78: as [`select`], and 78 if no server is
    /// known.
    pub(crate) fn options(self, matches: &ArgMatches) -> Result<IrcOptions, Failure> {
        let tls = self.tls.files(None)?;
        if tls.is_none() && !is_loopback(&self.listen) && !self.yes_without_encryption {
            let message = format!(
                "--listen {} can be reached by other machines, without encryption: pass --tls-cert and --tls-key, or \
                 --yes-without-encryption to let everyone on the network read passwords",
                self.listen
            );
            return Err(Failure::new(Exit::Usage, message));
        }
        let cluster = select(self.cluster, matches)?;
        if cluster.servers.is_empty() {
            let message =
                format!("{} lists no balancer: pass balancers or backends with --server", cluster.found_in);
            return Err(Failure::new(Exit::Configuration, message));
        }
        Ok(IrcOptions { listen: self.listen, tls, servers: cluster.servers, keys: cluster.keys })
    }
}
