//! Raw flags of `ribbit client web` and `ribbit web-cert`, and the checks of their combinations.

use crate::common::cluster_selection::ClusterFlags;

use crate::common::address;
use crate::common::failure::{Exit, Failure};
use crate::common::network::Network;
use crate::common::options::{CertOptions, TlsFiles};
use crate::common::values;
use clap::{Args, value_parser};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct WebFlags {
    /// Listen address; port 0 picks a free port [default: that of `up` in its data folder, else 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT", value_parser = address::listen)]
    pub listen: Option<String>,
    /// Serve HTTPS with this certificate chain, in PEM; reloaded on SIGHUP
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate, in PEM, with mode 0600
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Also accept TLS 1.2, with modern cipher suites only, for devices from before 2019
    #[arg(long)]
    pub tls12: bool,
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
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

#[derive(Debug, Args)]
pub struct CertFlags {
    /// Names and addresses of the site [default: this machine's name, the same with .local, and localhost]
    #[arg(value_name = "NAME|ADDRESS", value_parser = values::host_or_address)]
    pub names: Vec<String>,
    /// Validity in days; browsers reject certificates of more than 397 days
    #[arg(long, value_name = "DAYS", default_value_t = CERT_DAYS_MAX, value_parser = value_parser!(u32).range(1..=i64::from(CERT_DAYS_MAX)))]
    pub days: u32,
    /// Certificate file to write
    #[arg(long, value_name = "FILE", default_value = "web.pem")]
    pub cert: PathBuf,
    /// Private key file to write, with mode 0600
    #[arg(long, value_name = "FILE", default_value = "web.key")]
    pub key: PathBuf,
    /// Replace the certificate, keeping its private key
    #[arg(long)]
    pub renew: bool,
}

/// Longest validity, in days, that browsers accept since 2020.
const CERT_DAYS_MAX: u32 = 397;

impl CertFlags {
    pub fn options(self) -> CertOptions {
        let CertFlags { names, days, cert, key, renew } = self;
        CertOptions { names, days, cert, key, renew }
    }
}

impl WebFlags {
    /// Returns the TLS files, or `None` for plain HTTP. `credentials` is the folder of systemd's `LoadCredential`.
    ///
    /// # Errors
    /// 2: a certificate without a key, a key without a certificate, or a flag that needs both.
    pub fn tls(&self, credentials: Option<&Path>) -> Result<Option<TlsFiles>, Failure> {
        let alone = |given: &str, missing: &str| {
            let message = format!("{given} requires {missing}: HTTPS needs a certificate and its key");
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
