//! Encryption of backups: the flags, and the file of a key.

use crate::common::failure::{Exit, Failure};
use crate::common::secret_input::{self, SecretInput};
use crate::common::write_file;
use crate::operator::age::{self, AgeError, Identity, Lock, Opened, ReadHeader, Recipient, Unlock};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};

/// Minimum number of characters in a passphrase: a thief of the file can try as many as they like.
const PASSPHRASE_CHARS_MIN: usize = 12;
/// Maximum length of a file of keys in bytes.
const KEY_FILE_BYTES_MAX: u64 = 16 * 1024;

/// Flags that encrypt a backup.
#[derive(Debug, Args)]
pub(crate) struct EncryptionFlags {
    /// Encrypt for these public keys of age (age1…), as printed by `ribbit key for-backups`
    #[arg(long, value_name = "KEY[,…]", value_delimiter = ',', value_parser = str::parse::<Recipient>)]
    pub recipient: Vec<Recipient>,
    /// Encrypt with a passphrase, which is asked for
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub passphrase: bool,
}

/// Way in which a backup is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Encryption {
    None,
    Recipients(Vec<Recipient>),
    Passphrase,
}

impl EncryptionFlags {
    /// Returns the way.
    ///
    /// # Errors
    /// 2: both flags were given.
    pub(crate) fn encryption(self) -> Result<Encryption, Failure> {
        match (self.recipient, self.passphrase) {
            (recipients, false) if recipients.is_empty() => Ok(Encryption::None),
            (recipients, false) => Ok(Encryption::Recipients(recipients)),
            (recipients, true) if recipients.is_empty() => Ok(Encryption::Passphrase),
            (_, true) => {
                let text = "a backup is encrypted for keys or with a passphrase, not both: leave out --recipient or --passphrase";
                Err(Failure::new(Exit::Usage, text))
            }
        }
    }
}

impl Encryption {
    /// Asks for the passphrase if there is one.
    ///
    /// # Errors
    /// 1: it cannot be used. 2: there is none.
    pub(super) fn lock(&self) -> Result<Option<Lock>, Failure> {
        Ok(match self {
            Encryption::None => None,
            Encryption::Recipients(recipients) => Some(Lock::Recipients(recipients.clone())),
            Encryption::Passphrase => {
                let passphrase = ask("Passphrase: ")?;
                if passphrase.chars().count() < PASSPHRASE_CHARS_MIN {
                    let text = format!(
                        "the passphrase is too short: use at least {PASSPHRASE_CHARS_MIN} characters"
                    );
                    return Err(Failure::new(Exit::Refused, text));
                }
                if io::stdin().is_terminal() && ask("Repeat the passphrase: ")? != passphrase {
                    return Err(Failure::new(Exit::Refused, "the two passphrases do not match"));
                }
                Some(Lock::Passphrase(passphrase))
            }
        })
    }
}

fn ask(prompt: &str) -> Result<String, Failure> {
    match secret_input::ask(prompt) {
        Ok(SecretInput::Line(passphrase)) => Ok(passphrase),
        Ok(SecretInput::Interrupted) => Err(Failure::new(Exit::Refused, "stopped: no passphrase was given")),
        Ok(SecretInput::End) => {
            let text = "the passphrase is missing; type it, or pass it as a line on standard input";
            Err(Failure::new(Exit::Usage, text))
        }
        Err(error) => Err(Failure::new(Exit::Refused, format!("the passphrase cannot be read: {error}"))),
    }
}

/// Opens a backup, and decrypts it if it is encrypted. `None` is standard input.
///
/// # Errors
/// 1: it cannot be read or decrypted.
pub(crate) fn opened(file: Option<&Path>, key: Option<&Path>) -> Result<Box<dyn Read>, Failure> {
    let refused = |text: String| Failure::new(Exit::Refused, text);
    let shown = file.map_or("standard input".into(), |path| path.display().to_string());
    let unreadable = |error: &dyn std::fmt::Display| refused(format!("cannot read {shown}: {error}"));
    let mut input: Box<dyn BufRead> = match file {
        None => Box::new(io::stdin().lock()),
        Some(path) => Box::new(BufReader::new(File::open(path).map_err(|error| unreadable(&error))?)),
    };
    if !input.fill_buf().map_err(|error| unreadable(&error))?.starts_with(age::MAGIC) {
        return Ok(input);
    }
    let header = ReadHeader::read(&mut input).map_err(|error| unreadable(&error))?;
    let unlock = match (header.has_passphrase(), key) {
        (true, _) if file.is_none() => {
            let text = "it is encrypted with a passphrase, which is asked for on standard input too: save it to a file";
            return Err(unreadable(&text));
        }
        (true, _) => Unlock::Passphrase(ask("Passphrase of the backup: ")?),
        (false, None) => return Err(unreadable(&"it is encrypted: name the file of its key with --key")),
        (false, Some(path)) => Unlock::Identities(read_key(path)?),
    };
    match Opened::begin(input, &header, &unlock) {
        Ok(opened) => Ok(Box::new(opened)),
        Err(AgeError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(unreadable(&"it is truncated"))
        }
        Err(error) => Err(unreadable(&error)),
    }
}

/// Reads the file of a secret key.
fn read_key(path: &Path) -> Result<Vec<Identity>, Failure> {
    let unusable = |why: &dyn std::fmt::Display| {
        Failure::new(Exit::Refused, format!("cannot use the key in {}: {why}", path.display()))
    };
    let mut text = String::new();
    let file = File::open(path).map_err(|error| unusable(&error))?;
    file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text).map_err(|error| unusable(&error))?;
    age::identities(&text).map_err(|error| unusable(&error))
}

/// Creates the file of a new secret key, readable by its owner only, and returns the public key.
///
/// # Errors
/// 1: the file exists or cannot be written.
pub(crate) fn new_key(path: &Path) -> Result<Recipient, Failure> {
    let identity = Identity::random();
    let recipient = identity.recipient();
    let text = format!(
        "# Decrypts backups of ribbit, and anything else that was encrypted for it with age. Keep it secret.\n\
         # public key: {recipient}\n{}\n",
        identity.secret_text()
    );
    write_file::create(path, &text).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            let text = format!("{} exists and was not changed: name another file", path.display());
            Failure::new(Exit::Refused, text)
        }
        _ => Failure::new(Exit::Refused, format!("cannot write {}: {error}", path.display())),
    })?;
    Ok(recipient)
}

/// Flag that names the key of an encrypted backup.
#[derive(Debug, Args)]
pub(crate) struct BackupKeyFlag {
    /// File of the secret key that decrypts the backup
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
}
