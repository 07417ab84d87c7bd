//! HTTPS: certificate and key, which are read at the start and on SIGHUP, and the TLS handshake.
//!
//! ```text
//!   connection ──▶ first byte ──letter──▶ plain HTTP, redirected (`https_redirect`)
//!                      └──handshake──▶ rustls, within HANDSHAKE_DEADLINE ──▶ hyper
//! ```
//!
//! Only TLS 1.3, which browsers have supported since 2019, unless `--tls12` adds TLS 1.2 with the elliptic-curve key exchanges and the
//! AEAD ciphers of rustls. A certificate that is read again counts for new connections; if it is invalid the old one stays. It is
//! checked that the key fits, not that browsers will trust the certificate. An expired certificate is logged and still served: a page
//! with a browser warning is better than none.

use super::connection::PlainOrTls;
use super::limits::{HANDSHAKE_DEADLINE, TLS_BUFFER_BYTES_MAX};
use super::request_context::wall_ms;
use super::timeouts::{ConnectionClock, TimedStream};
use super::validity::Validity;
use crate::common::failure::{Exit, Failure};
use crate::web::arguments::TlsFiles;
use async_net::TcpStream;
use futures_rustls::TlsAcceptor;
use ribbit_state::sync::MutexExt;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, SupportedProtocolVersion, version};
use smol::Timer;
use smol::future::FutureExt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Maximum size of a certificate or key file, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Time before a certificate expires at which a warning is logged, in seconds.
const WARNING_S: i64 = 14 * 24 * 3600;
/// First byte of a TLS connection: the record type of a handshake.
const HANDSHAKE_RECORD: u8 = 22;

static TLS13_ALONE: [&SupportedProtocolVersion; 1] = [&version::TLS13];
static WITH_TLS12: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];

pub(super) struct Tls {
    files: TlsFiles,
    /// Configuration of new connections.
    config: Mutex<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// `Configuration` (78), naming the file and what is wrong with it.
    pub(super) fn read(files: TlsFiles) -> Result<Tls, Failure> {
        let config = Mutex::new(read(&files)?);
        Ok(Tls { files, config })
    }

    /// Reads the files again. Keeps the old certificate if they are invalid.
    pub(super) fn read_again(&self) {
        match read(&self.files) {
            Ok(config) => {
                *self.config.locked() = config;
                log::info!("certificate reloaded: {}", self.files.cert.display());
            }
            Err(failure) => log::error!("keeping the old certificate: {failure}"),
        }
    }

    /// Performs the TLS handshake. Returns `None` if it fails. Plain HTTP is recognised by its first byte and returned as such.
    pub(super) async fn accept(&self, stream: &TcpStream, watch: &ConnectionClock) -> Option<PlainOrTls> {
        let config = self.config.locked().clone();
        let agreed = async {
            let mut first = [0];
            if stream.peek(&mut first).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let patient = TimedStream::new(stream.clone(), watch.clone());
            match first[0] {
                HANDSHAKE_RECORD => {
                    let mut stream = TlsAcceptor::from(config).accept(patient).await?;
                    stream.get_mut().1.set_buffer_limit(Some(TLS_BUFFER_BYTES_MAX));
                    Ok(PlainOrTls::Tls(Box::new(stream)))
                }
                letter if letter.is_ascii_alphabetic() => Ok(PlainOrTls::Plain(Box::new(patient))),
                _ => Err(io::Error::new(io::ErrorKind::InvalidData, "neither a TLS handshake nor HTTP")),
            }
        };
        let late = async {
            Timer::after(HANDSHAKE_DEADLINE).await;
            Err(io::ErrorKind::TimedOut.into())
        };
        match agreed.or(late).await {
            Ok(stream) => Some(stream),
            Err(error) => {
                log::debug!("TLS handshake failed: {error}");
                None
            }
        }
    }
}

fn wrong(message: String) -> Failure {
    Failure::new(Exit::Configuration, message)
}

fn read(files: &TlsFiles) -> Result<Arc<ServerConfig>, Failure> {
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
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
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
            "other users can open the key {shown} (mode {mode:04o}), and with it impersonate this site: run \
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
            "the certificate {shown} expired {} days ago; browsers warn about this site until it is renewed",
            days(now_s - validity.ends_s)
        );
    } else if now_s < validity.begins_s {
        log::warn!("the certificate {shown} is not valid yet, or this machine's clock is wrong");
    } else if validity.ends_s - now_s < WARNING_S {
        log::warn!("the certificate {shown} expires in {} days", days(validity.ends_s - now_s));
    }
}
