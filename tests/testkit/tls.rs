//! Test certificates, and a TLS client that trusts one of them.

use super::http::{Reply, parse};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use ribbit_roles::web::arguments::TlsFiles;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A self-signed certificate.
pub struct Made {
    pub der: CertificateDer<'static>,
    pub cert_pem: String,
    pub key_pem: String,
}

/// Creates a certificate for `localhost` that is valid until the end of `until_year`.
pub fn make(until_year: i32) -> Made {
    let mut params = CertificateParams::new(["localhost".to_string()]).unwrap();
    params.not_before = date_time_ymd(2015, 1, 1);
    params.not_after = date_time_ymd(until_year, 12, 31);
    let key = KeyPair::generate().unwrap();
    let cert = params.self_signed(&key).unwrap();
    Made { der: cert.der().clone(), cert_pem: cert.pem(), key_pem: key.serialize_pem() }
}

impl Made {
    /// Writes the certificate and the key; only the owner can read the key.
    pub fn write(&self, folder: &Path) -> TlsFiles {
        let (cert, key) = (folder.join("web.pem"), folder.join("web.key"));
        std::fs::write(&cert, &self.cert_pem).unwrap();
        std::fs::write(&key, &self.key_pem).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        TlsFiles { cert, key, key_is_credential: false, tls12: false }
    }
}

pub type Secure = StreamOwned<ClientConnection, TcpStream>;

/// Connects to a server with this certificate.
pub fn connect(address: &str, trusted: &Made) -> io::Result<Secure> {
    connect_speaking(address, trusted, rustls::DEFAULT_VERSIONS)
}

/// Connects with the given TLS versions only.
pub fn connect_speaking(
    address: &str,
    trusted: &Made,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> io::Result<Secure> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut stream = StreamOwned::new(session, socket);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// Sends a request over a new connection and reads to the TLS close.
#[track_caller]
pub fn ask(address: &str, trusted: &Made, request: &str) -> Reply {
    let mut stream = connect(address, trusted).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // A connection without a TLS close is an error here.
    stream.read_to_end(&mut answer).unwrap();
    parse(&answer)
}
