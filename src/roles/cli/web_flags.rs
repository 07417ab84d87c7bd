//! The flags of `ribbit client web`, as they were typed, and what they say together.

use super::flags::GroupFlags;
use super::typed;
use crate::common::address;
use crate::common::failure::{Exit, Failure};
use crate::common::network::Network;
use crate::common::options::{CertOptions, TlsFiles};
use clap::{Args, value_parser};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct WebFlags {
    /// Where browsers come in; port 0 takes a free one [default: where `up` had it, or 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT", value_parser = address::listen)]
    pub listen: Option<String>,
    /// Serve HTTPS with this certificate, PEM, and those that vouch for it; read again on SIGHUP
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's key, PEM, mode 0600
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Also speak TLS 1.2, with modern suites alone: for phones and tablets from before 2019
    #[arg(long)]
    pub tls12: bool,
    /// Also listen for plain HTTP there, and lead browsers to HTTPS
    #[arg(long, value_name = "HOST:PORT", value_parser = address::listen)]
    pub http: Option<String>,
    /// Tell browsers to use HTTPS alone for this site, for so many days: they then let nobody past a certificate that is no good
    #[arg(long, value_name = "DAYS", value_parser = value_parser!(u32).range(1..=730))]
    pub hsts: Option<u32>,
    /// Where to report a hole in this site, for /.well-known/security.txt: mailto:…, https://… or tel:…
    #[arg(long, value_name = "URI", value_parser = typed::contact)]
    pub security_contact: Option<String>,
    /// A name that browsers may know this site by, besides addresses, this machine's name and names without a dot
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = typed::host)]
    pub host: Vec<String>,
    /// Proxies in front of the pages, whose X-Forwarded-For and X-Forwarded-Proto are believed [default: none]
    #[arg(long, value_name = "ADDR[/BITS]", value_delimiter = ',', value_parser = Network::parse)]
    pub trusted_proxies: Vec<Network>,
    #[command(flatten)]
    pub group: GroupFlags,
}

#[derive(Debug, Args)]
pub struct CertFlags {
    /// Names and addresses that people type to come here [default: this machine's name, that with .local, and localhost]
    #[arg(value_name = "NAME|ADDRESS", value_parser = typed::host_or_address)]
    pub names: Vec<String>,
    /// How long it is valid; browsers take no certificate of more than 397 days
    #[arg(long, value_name = "DAYS", default_value_t = CERT_DAYS_MAX, value_parser = value_parser!(u32).range(1..=i64::from(CERT_DAYS_MAX)))]
    pub days: u32,
    /// Where the certificate goes
    #[arg(long, value_name = "FILE", default_value = "web.pem")]
    pub cert: PathBuf,
    /// Where its key goes, mode 0600
    #[arg(long, value_name = "FILE", default_value = "web.key")]
    pub key: PathBuf,
    /// Make a new certificate for the key that is there, in the place of the old one
    #[arg(long)]
    pub renew: bool,
}

/// What browsers have taken at most since 2020.
const CERT_DAYS_MAX: u32 = 397;

impl CertFlags {
    pub fn options(self) -> CertOptions {
        let CertFlags { names, days, cert, key, renew } = self;
        CertOptions { names, days, cert, key, renew }
    }
}

impl WebFlags {
    /// Certificate and key: both or neither. `credentials` is where systemd keeps what it hands to this process.
    ///
    /// # Errors
    /// One without the other.
    pub fn tls(&self, credentials: Option<&Path>) -> Result<Option<TlsFiles>, Failure> {
        let alone = |given: &str, missing: &str| {
            let message = format!("{given} needs {missing}: HTTPS takes a certificate and its key");
            Err(Failure::new(Exit::Usage, message))
        };
        match (&self.tls_cert, &self.tls_key) {
            (None, None) if self.tls12 => alone("--tls12", "--tls-cert and --tls-key"),
            (None, None) if self.http.is_some() => alone("--http", "--tls-cert and --tls-key"),
            (None, None) => Ok(None),
            (Some(_), None) => alone("--tls-cert", "--tls-key"),
            (None, Some(_)) => alone("--tls-key", "--tls-cert"),
            (Some(cert), Some(key)) => {
                let key_is_credential = credentials.is_some_and(|folder| key.starts_with(folder));
                let (cert, key, tls12) = (cert.clone(), key.clone(), self.tls12);
                Ok(Some(TlsFiles { cert, key, key_is_credential, tls12 }))
            }
        }
    }
}
