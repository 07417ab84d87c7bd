//! Arguments of `ribbit client web`.

use crate::balancer::arguments::floating;
use crate::common::address;
use crate::common::cluster_selection::{ClusterFlags, select};
use crate::common::defaults::{WEB_LISTEN, data_dir_or_default};
use crate::common::failure::{Exit, Failure};
use crate::common::network::Network;
use crate::common::ports::Ports;
pub use crate::common::tls::TlsFiles;
use crate::common::tls::TlsFlags;
use crate::common::values;
use clap::{ArgMatches, Args, value_parser};
use ribbit_net::keys::Keys;
use std::net::Ipv4Addr;

/// Arguments of `client web`.
#[derive(Debug, Args)]
pub(crate) struct WebArgs {
    /// Listen address; port 0 picks a free port [default: that of `up` in its data folder, else 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT", value_parser = address::listen)]
    pub listen: Option<String>,
    #[command(flatten)]
    pub tls: TlsFlags,
    /// Also listen for plain HTTP here and redirect browsers to HTTPS
    #[arg(long, value_name = "HOST:PORT", value_parser = address::listen)]
    pub http: Option<String>,
    /// Send Strict-Transport-Security for this many days, 1 to 730: browsers then use HTTPS only, and users cannot bypass
    /// a certificate error
    #[arg(long, value_name = "DAYS", value_parser = value_parser!(u32).range(1..=730))]
    pub hsts: Option<u32>,
    /// Contact for vulnerability reports, published in /.well-known/security.txt: mailto:…, https://… or tel:…
    #[arg(long, value_name = "URI", value_parser = values::contact)]
    pub security_contact: Option<String>,
    /// Host names to accept, besides IP addresses, this machine's name and names without a dot
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = values::host)]
    pub host: Vec<String>,
    /// Reverse proxies whose X-Forwarded-For and X-Forwarded-Proto headers are trusted [default: none]
    #[arg(long, value_name = "ADDR[/BITS]", value_delimiter = ',', value_parser = Network::parse)]
    pub trusted_proxies: Vec<Network>,
    /// Also serve the addresses of Chirper's web server: /register /home /post /browse /user/NAME /follow /delete_account
    #[arg(long)]
    pub chirper_pages: bool,
    /// Let everyone read each person's croaks for everyone at /@NAME.atom, without logging in
    #[arg(long)]
    pub public_feeds: bool,
    /// Do not serve the Mastodon client API, with which people use their own apps
    #[arg(long)]
    pub no_api: bool,
    /// Floating address of the balancers on these boards: the board that has it answers for ribbit.local, with this address
    #[arg(long, value_name = "ADDR/BITS", value_parser = floating)]
    pub floating: Option<(Ipv4Addr, u8)>,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// Options of `client web`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOptions {
    /// Listen address of the web pages, HOST:PORT; port 0 picks a free port.
    pub listen: String,
    /// Balancers or backends, tried in this order.
    pub servers: Vec<String>,
    /// Keys that authenticate these servers.
    pub keys: Keys,
    /// Certificate and key for HTTPS; plain HTTP if `None`.
    pub tls: Option<TlsFiles>,
    /// Host names to accept, besides those that only this machine or the local network can have.
    pub hosts: Vec<String>,
    /// Networks of reverse proxies that may name the client they forward for.
    pub trusted_proxies: Vec<Network>,
    /// Address that redirects plain HTTP to HTTPS, HOST:PORT; only together with `tls`.
    pub http: Option<String>,
    /// Validity of Strict-Transport-Security, in days; not sent if `None`.
    pub hsts_days: Option<u32>,
    /// Contact URI for `/.well-known/security.txt`.
    pub security_contact: Option<String>,
    /// Chirper's addresses are served, too.
    pub chirper_pages: bool,
    /// Announce the pages in their network.
    pub discovery: bool,
    /// Answer `ribbit.local` with this address, and only while this machine has it.
    pub floating: Option<Ipv4Addr>,
    /// Croaks for everyone can be read without logging in, in a feed reader.
    pub public_feeds: bool,
    /// The Mastodon client API is served, too.
    pub api: bool,
}

impl WebOptions {
    /// Returns options for plain HTTP without a proxy.
    pub fn new(listen: String, servers: Vec<String>, keys: Keys) -> WebOptions {
        WebOptions {
            listen,
            discovery: false,
            floating: None,
            servers,
            keys,
            tls: None,
            hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            http: None,
            hsts_days: None,
            security_contact: None,
            chirper_pages: false,
            public_feeds: false,
            api: true,
        }
    }
}

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
Examples:
  ribbit client web
  ribbit client web --listen 0.0.0.0:8080 --server board1:8081
  ribbit client web --listen 0.0.0.0:8443 --tls-cert web.pem --tls-key web.key
  ribbit client web --trusted-proxies 127.0.0.1 --host frogs.example.org
  ribbit client web --listen 0.0.0.0:443 --http 0.0.0.0:80 \\
    --tls-cert web.pem --tls-key web.key

The web process stores no data. Without HTTPS, everyone on the network can read
what users type; the pages warn about it. `ribbit web-cert` creates a certificate
for names on your own network. Send SIGHUP after replacing the files.";

impl WebArgs {
    /// Returns the options of the web role.
    ///
    /// # Errors
    /// 2: TLS flags that do not fit together. 3, 78: as [`select`], and 78 if no server is known.
    pub(crate) fn options(self, matches: &ArgMatches) -> Result<WebOptions, Failure> {
        let tls = self.tls.files(self.http.as_ref().map(|_| "--http"))?;
        let data_dir = self.cluster.data_dir.clone();
        let cluster = select(self.cluster.clone(), matches)?;
        if cluster.servers.is_empty() {
            let message =
                format!("{} lists no balancer: pass balancers or backends with --server", cluster.found_in);
            return Err(Failure::new(Exit::Configuration, message));
        }
        let ports = Ports::read(&data_dir_or_default(data_dir))?;
        // The port in that folder is for the pages of the cluster in that folder, not for those of another cluster.
        let ports = ports.filter(|ports| ports.balancer.as_ref() == cluster.servers.first());
        let listen = self.listen.clone().or_else(|| ports?.web).unwrap_or_else(|| WEB_LISTEN.into());
        let WebArgs { host: hosts, trusted_proxies, http, hsts: hsts_days, security_contact, .. } = self;
        let discovery = !self.cluster.discovery.no_discovery;
        let (chirper_pages, public_feeds, api) = (self.chirper_pages, self.public_feeds, !self.no_api);
        let (servers, keys) = (cluster.servers, cluster.keys);
        Ok(WebOptions {
            discovery,
            floating: self.floating.map(|(address, _)| address),
            listen,
            servers,
            keys,
            tls,
            hosts,
            trusted_proxies,
            http,
            hsts_days,
            security_contact,
            chirper_pages,
            public_feeds,
            api,
        })
    }
}
