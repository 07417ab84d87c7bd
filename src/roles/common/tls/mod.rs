//! Certificate and key of a server, which are read at the start and on SIGHUP, and the flags that name them.
//!
//! Only TLS 1.3, which clients have supported since about 2019, unless `--tls12` adds TLS 1.2 with the elliptic-curve key exchanges
//! and the AEAD ciphers of rustls. A certificate that is read again counts for new connections; if it is invalid the old one stays. It
//! is checked that the key fits, not that clients will trust the certificate. An expired certificate is logged and still served: a page
//! with a browser warning is better than none.

pub(crate) mod validity;

use crate::common::defaults::CREDENTIALS;
use crate::common::failure::{Exit, Failure};
use crate::common::machine::wall_ms;
use crate::common::signals::received;
use async_signal::Signals;
use clap::Args;
use ribbit_state::sync::MutexExt;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, SupportedProtocolVersion, version};
use smol::future::pending;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use validity::Validity;

/// Maximum size of a certificate or key file, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Time before a certificate expires at which a warning is logged, in seconds.
const WARNING_S: i64 = 14 * 24 * 3600;

static TLS13_ALONE: [&SupportedProtocolVersion; 1] = [&version::TLS13];
static WITH_TLS12: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];

/// Flags that name certificate and key.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct TlsFlags {
    /// Encrypt with this certificate chain, in PEM; reloaded on SIGHUP
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate, in PEM, with mode 0600
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Also accept TLS 1.2, with modern cipher suites only, for devices from before 2019
    #[arg(long)]
    tls12: bool,
}

/// Files for TLS, both in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain, the server's certificate first.
    pub cert: PathBuf,
    /// Private key.
    pub key: PathBuf,
    /// The key is a systemd credential, so its file's group may be able to open it.
    pub key_is_credential: bool,
    /// TLS 1.2 is accepted as well.
    pub tls12: bool,
}

impl TlsFlags {
    /// Returns the TLS files, or `None` without encryption. `needing` are further flags that need both files, as far as they are
    /// given.
    ///
    /// # Errors
    /// 2: a certificate without a key, a key without a certificate, or a flag that needs both.
    pub(crate) fn files(&self, needing: Option<&str>) -> Result<Option<TlsFiles>, Failure> {
        // The folder of systemd's `LoadCredential`.
        let credentials =
            std::env::var_os(CREDENTIALS).filter(|folder| !folder.is_empty()).map(PathBuf::from);
        let alone = |given: &str, missing: &str| {
            let message = format!("{given} requires {missing}: encryption needs a certificate and its key");
            Err(Failure::new(Exit::Usage, message))
        };
        match (&self.tls_cert, &self.tls_key) {
            (None, None) if self.tls12 => alone("--tls12", "--tls-cert and --tls-key"),
            (None, None) => match needing {
                Some(flag) => alone(flag, "--tls-cert and --tls-key"),
                None => Ok(None),
            },
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

/// Certificate and key of a server.
pub(crate) struct ServerTls {
    files: TlsFiles,
    /// Name of the protocol for the negotiation (ALPN), if it has one.
    protocol: &'static [u8],
    /// Configuration of new connections.
    config: Mutex<Arc<ServerConfig>>,
}

impl ServerTls {
    /// Reads certificate and key. `protocol` is the name for the negotiation of the protocol (ALPN).
    ///
    /// # Errors
    /// `Configuration` (78), naming the file and what is wrong with it.
    pub(crate) fn read(files: TlsFiles, protocol: &'static [u8]) -> Result<ServerTls, Failure> {
        let config = Mutex::new(read(&files, protocol)?);
        Ok(ServerTls { files, protocol, config })
    }

    /// Reads the files again. Keeps the old certificate if they are invalid.
    pub(crate) fn read_again(&self) {
        match read(&self.files, self.protocol) {
            Ok(config) => {
                *self.config.locked() = config;
                log::info!("certificate reloaded: {}", self.files.cert.display());
            }
            Err(failure) => log::error!("keeping the old certificate: {failure}"),
        }
    }

    /// Returns the configuration of a new connection.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.locked().clone()
    }
}

fn wrong(message: String) -> Failure {
    Failure::new(Exit::Configuration, message)
}

fn read(files: &TlsFiles, protocol: &[u8]) -> Result<Arc<ServerConfig>, Failure> {
    let (cert, key) = (files.cert.display(), files.key.display());
    let chain = certificates(&files.cert)?;
    say_validity(&chain, &files.cert);
    let private = private_key(files)?;
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(if files.tls12 { &WITH_TLS12 } else { &TLS13_ALONE })
        .map_err(|error| wrong(format!("cannot speak TLS: {error}")))?
        .with_no_client_auth()
        .with_single_cert(chain, private);
    let mut config = config.map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            wrong(format!("the key in {key} does not belong to the certificate in {cert}"))
        }
        rustls::Error::InvalidCertificate(_) => wrong(format!("{cert} contains an invalid certificate")),
        error => wrong(format!("cannot use {cert} and {key}: {error}")),
    })?;
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let shown = path.display();
    let (bytes, _) = file(path, "the certificate")?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(wrong(format!(
            "{shown} contains no certificate: expected PEM with a line -----BEGIN CERTIFICATE-----{}",
            swapped(&bytes, "PRIVATE KEY")
        ))),
        Err(error) => Err(wrong(format!("{shown} is not a certificate in PEM: {error}"))),
    }
}

fn private_key(files: &TlsFiles) -> Result<PrivateKeyDer<'static>, Failure> {
    let path = &files.key;
    let shown = path.display();
    let (bytes, mode) = file(path, "the key")?;
    let others = if files.key_is_credential { 0o007 } else { 0o077 };
    if mode & others != 0 {
        return Err(wrong(format!(
            "other users can open the key {shown} (mode {mode:04o}), and with it impersonate this server: run \
             `chmod 600 {shown}`"
        )));
    }
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
        pem::Error::NoItemsFound if holds(&bytes, "ENCRYPTED PRIVATE KEY") => wrong(format!(
            "the key {shown} is protected by a passphrase, which cannot be entered here: \
             `openssl pkey -in {shown} -out NEW` writes a key without one"
        )),
        pem::Error::NoItemsFound => wrong(format!(
            "{shown} contains no key: expected PEM with a line -----BEGIN PRIVATE KEY-----{}",
            swapped(&bytes, "CERTIFICATE")
        )),
        // Without the parser's text, which could contain parts of the key.
        _ => wrong(format!("{shown} is not a key in PEM")),
    })
}

/// Returns the content and the mode of a file.
fn file(path: &Path, what: &str) -> Result<(Vec<u8>, u32), Failure> {
    let unreadable = |error: io::Error| wrong(format!("cannot read {what} {}: {error}", path.display()));
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok((bytes, mode))
}

fn holds(bytes: &[u8], words: &str) -> bool {
    bytes.windows(words.len()).any(|window| window == words.as_bytes())
}

fn swapped(bytes: &[u8], words: &str) -> &'static str {
    if holds(bytes, words) { "; are --tls-cert and --tls-key swapped?" } else { "" }
}

/// Logs a warning if a certificate has expired, expires soon, or is not valid yet.
fn say_validity(chain: &[CertificateDer<'_>], path: &Path) {
    let shown = path.display();
    let now_s = i64::try_from(wall_ms() / 1000).unwrap_or(i64::MAX);
    let Some(validity) = chain.first().and_then(|first| Validity::of(first)) else {
        log::warn!("cannot read when the certificate {shown} expires");
        return;
    };
    let days = |seconds: i64| seconds / (24 * 3600);
    if now_s > validity.ends_s {
        log::warn!(
            "the certificate {shown} expired {} days ago; clients warn about this server until it is renewed",
            days(now_s - validity.ends_s)
        );
    } else if now_s < validity.begins_s {
        log::warn!("the certificate {shown} is not valid yet, or this machine's clock is wrong");
    } else if validity.ends_s - now_s < WARNING_S {
        log::warn!("the certificate {shown} expires in {} days", days(validity.ends_s - now_s));
    }
}

/// Reads certificate and key again on each SIGHUP. Does not return. Without a certificate it only logs, since `systemctl reload` sends
/// the signal to any service.
pub(crate) async fn reload_on_hangup(tls: Option<&ServerTls>, hangups: io::Result<Signals>) {
    match hangups {
        Ok(mut hangups) => {
            while received(&mut hangups).await.is_some() {
                match tls {
                    Some(tls) => tls.read_again(),
                    None => log::info!("SIGHUP ignored: there is no certificate to read again"),
                }
            }
        }
        Err(error) => log::warn!("cannot handle SIGHUP, so the certificate cannot be reloaded: {error}"),
    }
    pending::<()>().await;
}
