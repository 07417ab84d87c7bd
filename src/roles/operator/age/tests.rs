//! Round trips, damage at each byte, and the example files of the format.

use super::header::ReadHeader;
use super::*;
use std::io::{Read, Write};

fn identity(byte: u8) -> Identity {
    Identity([byte; 32])
}

fn sealed(lock: &Lock, contents: &[u8]) -> Vec<u8> {
    let mut out = Sealed::begin(Vec::new(), lock).unwrap();
    out.write_all(contents).unwrap();
    out.finish().unwrap()
}

fn opened(mut bytes: &[u8], unlock: &Unlock) -> Result<Vec<u8>, AgeError> {
    let header = ReadHeader::read(&mut bytes)?;
    let mut contents = Vec::new();
    Opened::begin(bytes, &header, unlock)?.read_to_end(&mut contents)?;
    Ok(contents)
}

fn to(identity: &Identity) -> Lock {
    Lock::Recipients(vec![identity.recipient()])
}

#[test]
fn what_is_sealed_for_several_is_opened_by_each_and_by_no_other() {
    let lock = Lock::Recipients(vec![identity(1).recipient(), identity(2).recipient()]);
    let file = sealed(&lock, b"frogs");
    for one in [1, 2] {
        let unlock = Unlock::Identities(vec![identity(9), identity(one)]);
        assert_eq!(opened(&file, &unlock).unwrap(), b"frogs");
    }
    let other = opened(&file, &Unlock::Identities(vec![identity(3)])).unwrap_err();
    assert!(matches!(other, AgeError::OtherKey), "{other}");
}

#[test]
fn contents_of_each_length_around_a_chunk() {
    for length in [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000] {
        let contents: Vec<u8> = (0..length).map(|at: u32| at.to_le_bytes()[0]).collect();
        let file = sealed(&to(&identity(1)), &contents);
        let back = opened(&file, &Unlock::Identities(vec![identity(1)])).unwrap();
        assert!(back == contents, "{length}");
        // Cut at each border of a chunk, it is not taken for a whole file.
        for cut in [1, 16, 17, 65_552] {
            if let Some(length) = file.len().checked_sub(cut) {
                assert!(opened(&file[..length], &Unlock::Identities(vec![identity(1)])).is_err(), "{cut}");
            }
        }
    }
}

#[test]
fn a_passphrase_opens_and_another_one_does_not() {
    let file = sealed(&Lock::Passphrase("frogs at night".into()), b"croak");
    assert_eq!(opened(&file, &Unlock::Passphrase("frogs at night".into())).unwrap(), b"croak");
    let wrong = opened(&file, &Unlock::Passphrase("toads".into())).unwrap_err();
    assert!(matches!(wrong, AgeError::Passphrase), "{wrong}");
    let key = opened(&file, &Unlock::Identities(vec![identity(1)])).unwrap_err();
    assert!(matches!(key, AgeError::OtherKey), "{key}");
    let text = String::from_utf8_lossy(&file).replace(" 15\n", " 19\n");
    let work = ReadHeader::read(&mut text.as_bytes()).unwrap();
    let work = work.file_key(&Unlock::Passphrase("frogs at night".into())).unwrap_err();
    assert!(matches!(work, AgeError::Work(19)), "{work}");
}

#[test]
fn a_changed_byte_is_noticed_wherever_it_is() {
    let contents = vec![7; 300];
    let file = sealed(&to(&identity(1)), &contents);
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 1;
        assert!(opened(&changed, &Unlock::Identities(vec![identity(1)])).is_err(), "byte {at}");
    }
    let mut longer = file;
    longer.push(0);
    assert!(opened(&longer, &Unlock::Identities(vec![identity(1)])).is_err());
}

#[test]
fn keys_are_read_as_they_are_written() {
    let key = identity(5);
    assert_eq!(key.recipient().to_string().parse::<Recipient>().unwrap(), key.recipient());
    let file = format!("# created: never\r\n\n{}\r\n", key.secret_text());
    assert!(identities(&file).unwrap() == std::slice::from_ref(&key));
    assert!(!format!("{key:?}").contains("SECRET"));
    assert!("age1qqq".parse::<Recipient>().is_err());
    assert!(key.secret_text().parse::<Recipient>().is_err(), "a secret key is no recipient");
    assert!(identities("# nothing\n").unwrap_err().contains("no secret key"));
    assert!(identities(&key.recipient().to_string()).unwrap_err().starts_with("line 1"));
    assert!(identities(&format!("{}\n", key.secret_text()).repeat(21)).unwrap_err().contains("more than 20"));
}

#[test]
fn what_no_header_may_be_is_refused() {
    let file = sealed(&to(&identity(1)), b"frogs");
    let text = String::from_utf8_lossy(&file[..200]).into_owned();
    let endless = [MAGIC, &b"-> X25519 ".repeat(4_000)].concat();
    let wrong = [
        "",
        "age-encryption.org/v2\n",
        "age-encryption.org/v1\n",
        "age-encryption.org/v1\nwhat\n",
        "age-encryption.org/v1\n-> X25519 !\n\n--- aaaa\n",
        "age-encryption.org/v1\n-> X25519\n",
        &text.replace("X25519 ", "X25519 a "),
    ];
    let unlock = Unlock::Identities(vec![identity(1)]);
    for bytes in wrong.iter().map(|text| text.as_bytes()).chain([&endless[..]]) {
        assert!(opened(bytes, &unlock).is_err());
    }
    // A second way into a file with a passphrase is none.
    let with_passphrase = sealed(&Lock::Passphrase("frogs".into()), b"croak");
    let lines: Vec<&[u8]> = with_passphrase.splitn(4, |byte| *byte == b'\n').collect();
    let twice = [lines[0], lines[1], lines[2], lines[1], lines[2], lines[3]].join(&b'\n');
    let refused = opened(&twice, &Unlock::Passphrase("frogs".into())).unwrap_err();
    assert!(matches!(refused, AgeError::Header), "{refused}");
}
