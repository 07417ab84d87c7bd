//! Arguments of `ribbit client gateway`.

use super::protocol::Protocol;
use super::registry::Advertised;
use super::table::PROTOCOLS;
use crate::common::address;
use crate::common::cluster_selection::{ClusterFlags, path_of_cluster_file, select_with_key};
use crate::common::defaults::data_dir_or_default;
use crate::common::failure::{Exit, Failure};
use crate::common::joining::JoinArgs;
use crate::common::service::is_loopback;
use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use ribbit_net::keys::Keys;
use std::collections::BTreeMap;

/// Host of a listener that is given by its port alone.
const LOOPBACK: &str = "127.0.0.1";

/// Arguments of `client gateway`.
#[derive(Debug, Args)]
pub struct GatewayArgs {
    #[command(flatten)]
    pub(crate) listeners: ListenerFlags,
    /// Hosts that are handed to clients which ask for servers: HOST with the ports of this gateway, or FLAG=HOST:PORT
    /// [default: all gateways of the cluster]
    #[arg(long, value_name = "HOST[,…]", value_delimiter = ',', value_parser = advertised)]
    pub(crate) advertise: Vec<Advertised>,
    /// Open protocols without passwords: a client acts for any account that has no password by giving its name
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub names_without_password: bool,
    /// Open protocols without passwords on addresses that other machines can reach
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub yes_without_encryption: bool,
    #[command(flatten)]
    pub join: JoinArgs,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// Listeners of all protocols as typed, by the name of the protocol: one flag for each row of the table.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListenerFlags(BTreeMap<&'static str, Vec<String>>);

impl Args for ListenerFlags {
    fn augment_args(command: Command) -> Command {
        PROTOCOLS.iter().fold(command, |command, protocol| {
            command.arg(
                Arg::new(protocol.name)
                    .long(protocol.name)
                    .value_name("[HOST:]PORT[,…]")
                    .value_delimiter(',')
                    .value_parser(listener)
                    .help(protocol.help),
            )
        })
    }
    fn augment_args_for_update(command: Command) -> Command {
        ListenerFlags::augment_args(command)
    }
}

impl FromArgMatches for ListenerFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<ListenerFlags, clap::Error> {
        let typed = |protocol: &Protocol| {
            let addresses = matches.get_many::<String>(protocol.name)?;
            Some((protocol.name, with_hosts(addresses.map(String::as_str))))
        };
        Ok(ListenerFlags(PROTOCOLS.iter().filter_map(typed).collect()))
    }
    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = ListenerFlags::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Options of `client gateway`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GatewayOptions {
    /// Never empty.
    pub(crate) listeners: Vec<ProtocolListeners>,
    pub(crate) advertise: Vec<Advertised>,
    /// Balancers or backends.
    pub(crate) servers: Vec<String>,
    /// Keys of the cluster, with the cluster key.
    pub(crate) keys: Keys,
    /// Source of the servers' addresses, for messages.
    pub(crate) found_in: String,
}

/// Listen addresses of one protocol, HOST:PORT; port 0 picks a free port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProtocolListeners {
    pub(crate) protocol: &'static Protocol,
    pub(crate) addresses: Vec<String>,
}

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
Examples:
  ribbit client gateway --ribbit-tcp 8084,8081,8082,8083
  ribbit client gateway --chirper 1337,1338,1339 --names-without-password --sns 9000,10000
  ribbit client gateway --ribbit-tcp 192.168.1.20:8084,8081,8082,8083

A port without a host listens on the host before it, and the first one on
127.0.0.1. The gateway stores no data; it needs the cluster file, because it
speaks for people who have no password.";

impl GatewayArgs {
    /// Returns the options of the gateway.
    ///
    /// # Errors
    /// 2: listeners that do not fit together. 3, 78: as [`select_with_key`], and 78 if no server is known.
    pub(crate) fn options(self, matches: &ArgMatches) -> Result<GatewayOptions, Failure> {
        let listeners = self.listeners()?;
        let data_dir = data_dir_or_default(self.cluster.data_dir.clone());
        let path = path_of_cluster_file(self.cluster.cluster_file.clone(), &data_dir);
        self.join.fetch_to(&path, self.cluster.discovery)?;
        let cluster = select_with_key(self.cluster, matches)?;
        if cluster.servers.is_empty() {
            let message =
                format!("{} lists no balancer: pass balancers or backends with --server", cluster.found_in);
            return Err(Failure::new(Exit::Configuration, message));
        }
        let (servers, keys, found_in) = (cluster.servers, cluster.keys, cluster.found_in);
        Ok(GatewayOptions { listeners, advertise: self.advertise, servers, keys, found_in })
    }

    /// Checks the listeners of all protocols.
    fn listeners(&self) -> Result<Vec<ProtocolListeners>, Failure> {
        let wrong = |message: String| Err(Failure::new(Exit::Usage, message));
        let given = PROTOCOLS.iter().filter_map(|protocol| {
            let addresses = self.listeners.0.get(protocol.name)?.clone();
            Some(ProtocolListeners { protocol, addresses })
        });
        let given: Vec<ProtocolListeners> = given.collect();
        if given.is_empty() {
            let flags: Vec<String> =
                PROTOCOLS.iter().map(|protocol| format!("--{}", protocol.name)).collect();
            return wrong(format!("no protocol to serve: pass at least one of {}", flags.join(", ")));
        }
        for ProtocolListeners { protocol, addresses } in &given {
            let (name, (min, max)) = (protocol.name, protocol.ports_range);
            if !(min..=max).contains(&addresses.len()) {
                let ports: Vec<String> = protocol.ports.iter().map(u16::to_string).collect();
                let example = ports.join(",");
                return wrong(format!("--{name} takes {min} to {max} ports, for example --{name} {example}"));
            }
            let exposed = addresses.iter().find(|address| !is_loopback(address));
            match exposed {
                _ if protocol.trusts_names && !self.names_without_password => {
                    return wrong(format!(
                        "--{name} lets everyone act under any name that has no password: pass --names-without-password to \
                         allow that"
                    ));
                }
                Some(address) if protocol.trusts_names && !self.yes_without_encryption => {
                    return wrong(format!(
                        "--{name} {address} can be reached by other machines, without passwords and without encryption: \
                         pass --yes-without-encryption to allow that"
                    ));
                }
                _ => {}
            }
        }
        Ok(given)
    }
}

/// Checks a listener: PORT, or HOST:PORT.
fn listener(text: &str) -> Result<String, String> {
    let is_port = !text.contains(':');
    address::listen(&if is_port { format!("{LOOPBACK}:{text}") } else { text.to_string() })?;
    Ok(text.to_string())
}

/// Returns the listeners of one flag as HOST:PORT. A port alone is on the host before it, the first one on this machine.
fn with_hosts<'a>(listeners: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut host = LOOPBACK;
    let mut addresses = Vec::new();
    for text in listeners {
        let port = match text.rsplit_once(':') {
            Some((own, port)) => {
                host = own;
                port
            }
            None => text,
        };
        addresses.push(format!("{host}:{port}"));
    }
    addresses
}

/// Parses a value of `--advertise`.
fn advertised(text: &str) -> Result<Advertised, String> {
    if let Some((name, address)) = text.split_once('=') {
        let Some(protocol) = PROTOCOLS.iter().find(|protocol| protocol.name == name) else {
            return Err(format!("{name} is not the flag of a protocol"));
        };
        address::peer(address)?;
        let (host, port) = address::split(address)?;
        return Ok(Advertised::Server(protocol.name, host.to_string(), port));
    }
    match address::split(&format!("{text}:1")) {
        Ok((host, _)) => Ok(Advertised::Host(host.to_string())),
        Err(_) => Err("expected HOST, or FLAG=HOST:PORT such as sns=board1:10000".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_on_the_host_before_it() {
        let hosts = |typed: &str| with_hosts(typed.split(',')).join(" ");
        assert_eq!(hosts("8084,8081"), "127.0.0.1:8084 127.0.0.1:8081");
        assert_eq!(hosts("0.0.0.0:8084,8081"), "0.0.0.0:8084 0.0.0.0:8081");
        assert_eq!(hosts("8084,[::1]:8081,8082"), "127.0.0.1:8084 [::1]:8081 [::1]:8082");
        assert_eq!(listener("0.0.0.0:0"), Ok("0.0.0.0:0".to_string()));
        assert!(listener("").is_err() && listener("70000").is_err() && listener("-1").is_err());
    }

    #[test]
    fn advertised_hosts_and_servers() {
        assert_eq!(advertised("board1"), Ok(Advertised::Host("board1".into())));
        assert_eq!(
            advertised("ribbit-tcp=board1:9"),
            Ok(Advertised::Server("ribbit-tcp", "board1".into(), 9))
        );
        for wrong in ["", "a b", "frogs=a:1", "ribbit-tcp=a", "ribbit-tcp=a:0"] {
            assert!(advertised(wrong).is_err(), "{wrong}");
        }
    }
}
