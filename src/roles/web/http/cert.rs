//! `ribbit web-cert`: makes a self-signed certificate for the web pages. Browsers ask about it once on each device.
//!
//! The certificate is for a server only (no CA, `serverAuth`) and valid for at most 397 days: strict clients accept no others.

use crate::common::failure::{Exit, Failure};
use crate::common::machine::{host_name, wall_ms};
use crate::common::output;
use crate::common::tls::validity::Validity;
use crate::common::values;
use crate::common::write_file;
use clap::{Args, value_parser};
use rcgen::{
    Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use ribbit_ui::time;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `web-cert`.
#[derive(Debug, Args)]
pub struct CertArgs {
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

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
Examples:
  ribbit web-cert board1 board1.local 192.168.7.1
  ribbit client web --listen 0.0.0.0:8443 --tls-cert web.pem --tls-key web.key
  ribbit web-cert --renew board1 board1.local 192.168.7.1 && kill -HUP PID

The certificate is self-signed: each browser asks once whether to accept it. The
command prints the expiry date. `ribbit client web` logs a warning two weeks
before it.";

const DAY_S: u64 = 24 * 3600;
/// Time by which the validity begins before now, for devices whose clocks are behind, in seconds.
const BEFORE_S: u64 = DAY_S;
/// Maximum length of the common name, in characters (RFC 5280).
const COMMON_NAME_CHARS_MAX: usize = 64;

/// Makes the files and prints how to use them.
///
/// # Errors
/// `Refused` if a file already exists or is missing, a name is invalid, or this machine's clock was never set.
pub fn run(options: &CertArgs) -> Result<(), Failure> {
    let (cert, key) = (&options.cert, &options.key);
    let names = if options.names.is_empty() { own_names() } else { options.names.clone() };
    if time::shown(wall_ms()).is_none() {
        return Err(refused(
            "this machine's clock was never set, so browsers would consider the certificate expired; set the clock first, or make \
             the certificate on another machine and copy both files",
        ));
    }
    let pair = if options.renew { read_key(key)? } else { KeyPair::generate().map_err(unmade)? };
    let made = make(&names, &pair, options.days, wall_ms() / 1000)?;
    if options.renew {
        write_file::replace(cert, &made.pem()).map_err(|error| unwritten(cert, &error))?;
    } else {
        // A refused command must not leave files behind.
        if cert.symlink_metadata().is_ok() {
            return Err(unwritten(cert, &io::ErrorKind::AlreadyExists.into()));
        }
        write_file::create(key, &pair.serialize_pem()).map_err(|error| unwritten(key, &error))?;
        write_file::create(cert, &made.pem()).map_err(|error| unwritten(cert, &error))?;
    }
    output::line(&said(options, &names, &made));
    Ok(())
}

/// Returns the names of this machine in its network.
fn own_names() -> Vec<String> {
    let name = host_name();
    let label = name.split('.').next().unwrap_or_default();
    let mut names = vec![name.clone(), format!("{label}.local"), "localhost".to_string()];
    names.retain(|name| !name.is_empty() && !name.starts_with('.'));
    names.dedup();
    names
}

fn make(names: &[String], key: &KeyPair, days: u32, now_s: u64) -> Result<Certificate, Failure> {
    let mut params = CertificateParams::new(names.to_vec()).map_err(unmade)?;
    let begins = date_time_ymd(1970, 1, 1) + Duration::from_secs(now_s.saturating_sub(BEFORE_S));
    params.not_before = begins;
    params.not_after = begins + Duration::from_secs(u64::from(days) * DAY_S);
    params.distinguished_name = DistinguishedName::new();
    let first: String = names.iter().flat_map(|name| name.chars()).take(COMMON_NAME_CHARS_MAX).collect();
    let common = names.first().filter(|name| name.len() <= COMMON_NAME_CHARS_MAX).unwrap_or(&first);
    params.distinguished_name.push(DnType::CommonName, common);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.self_signed(key).map_err(unmade)
}

fn read_key(path: &Path) -> Result<KeyPair, Failure> {
    let text = fs::read_to_string(path).map_err(|error| {
        refused(&format!(
            "cannot read the key {}: {error}; leave out --renew to make a new one",
            path.display()
        ))
    })?;
    // Without the parser's text, which could contain parts of the key.
    KeyPair::from_pem(&text).map_err(|_| refused(&format!("{} is not a key in PEM", path.display())))
}

fn said(options: &CertArgs, names: &[String], made: &Certificate) -> String {
    let (cert, key) = (options.cert.display(), options.key.display());
    let ends = Validity::of(made.der()).and_then(|validity| u64::try_from(validity.ends_s).ok());
    let until = ends.and_then(|ends_s| time::shown(ends_s * 1000));
    let until = until.map_or(String::new(), |at| at.people.chars().take("2027-01-01".len()).collect());
    format!(
        "{cert}: the certificate, for {}, until {until}\n\
         {key}: its key; keep it secret, because it allows anyone to impersonate this site\n\
         \n\
         Serve the pages with it:\n\
         \x20 ribbit client web --listen 0.0.0.0:8443 --tls-cert {cert} --tls-key {key}\n\
         Browsers ask about it once on each device. Renew it before {until}:\n\
         \x20 ribbit web-cert --renew --cert {cert} --key {key} {}\n\
         then run `systemctl reload ribbit-web`, or send SIGHUP to the web process.",
        names.join(", "),
        names.join(" "),
    )
}

fn refused(what: &str) -> Failure {
    Failure::new(Exit::Refused, what.to_string())
}

fn unmade(error: rcgen::Error) -> Failure {
    refused(&format!("cannot make a certificate: {error}"))
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::AlreadyExists => refused(&format!(
            "{shown} already exists; --renew makes a new certificate for the existing key, --cert and --key name other files"
        )),
        _ => refused(&format!("cannot write {shown}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(der: &[u8], bytes: &[u8]) -> bool {
        der.windows(bytes.len()).any(|window| window == bytes)
    }

    #[test]
    fn it_is_a_servers_alone_and_valid_for_a_year() {
        let key = KeyPair::generate().unwrap();
        let names = ["board1.local".to_string(), "192.168.7.1".to_string(), "fd00::7".to_string()];
        let now_s = 1_800_000_000;
        let made = make(&names, &key, 397, now_s).unwrap();
        let validity = Validity::of(made.der()).unwrap();
        assert_eq!(validity.begins_s, i64::try_from(now_s - BEFORE_S).unwrap());
        assert_eq!(validity.ends_s - validity.begins_s, 397 * i64::try_from(DAY_S).unwrap());
        // basicConstraints, critical and empty: no CA.
        assert!(holds(made.der(), &[0x55, 0x1d, 0x13, 0x01, 0x01, 0xff, 0x04, 0x02, 0x30, 0x00]));
        // extendedKeyUsage: only serverAuth.
        let server_auth = [0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
        assert!(holds(made.der(), &server_auth));
        // The names have the right types.
        assert!(holds(made.der(), b"\x82\x0cboard1.local") && holds(made.der(), &[0x87, 4, 192, 168, 7, 1]));
        assert!(holds(made.der(), &[0x87, 16, 0xfd, 0]));
    }
}
