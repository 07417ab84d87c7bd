//! Join codes as people type them: `K7QX2-9MRT4`.
//!
//! ```text
//!   slot of its row (1 letter) ‖ secret (8 letters, 40 bits) ‖ check letter
//! ```
//!
//! The letters are Crockford's base32, in which `O` is 0, and `I` and `L` are 1. The check letter finds almost every typing error
//! before it counts as a try. It is a sum over the other letters, so it tells nothing to one who guesses them.
//!
//! 40 bits are enough because nothing can be guessed offline ([`super::joining`]) and three wrong tries end a code: an attacker who
//! uses all of them finds it once in 2^38.

use super::key_ring::{KEY_BYTES, derived};
use ribbit_state::cluster::join_codes::{LETTERS, letter};
use std::fmt;
use std::str::FromStr;

/// Size of the secret, in bytes.
const SECRET_BYTES: usize = 5;
/// Number of letters of the secret.
const SECRET_LETTERS: usize = 8;
/// Number of letters of a code.
const LETTERS_COUNT: usize = 1 + SECRET_LETTERS + 1;
/// Number of letters before the hyphen.
const GROUP: usize = 5;
/// Size of a letter, in bits.
const LETTER_BITS: usize = 5;
/// Modulus of the check letter: a prime, so that a wrong letter and two that are exchanged change the sum.
const CHECK_MODULUS: usize = 31;

/// A join code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct JoinCode {
    /// Values of its letters.
    values: [u8; LETTERS_COUNT],
}

/// Reason why a text is no join code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JoinCodeError {
    #[error("a join code has ten letters and digits, such as K7QX2-9MRT4")]
    NotACode,
    #[error("the join code is mistyped: compare it with the output of `ribbit invite-board`")]
    Mistyped,
}

/// Leaves out the code.
impl fmt::Debug for JoinCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinCode {}…", letter(self.slot()))
    }
}

impl fmt::Display for JoinCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, value) in self.values.iter().enumerate() {
            if at == GROUP {
                f.write_str("-")?;
            }
            write!(f, "{}", letter(*value))?;
        }
        Ok(())
    }
}

impl FromStr for JoinCode {
    type Err = JoinCodeError;

    fn from_str(text: &str) -> Result<JoinCode, JoinCodeError> {
        let mut values = [0; LETTERS_COUNT];
        let mut count = 0;
        for typed in text.bytes().filter(|typed| !matches!(typed, b'-' | b' ')) {
            let typed = match typed.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            };
            let value = LETTERS.iter().position(|letter| *letter == typed).ok_or(JoinCodeError::NotACode)?;
            // There are 32 letters.
            *values.get_mut(count).ok_or(JoinCodeError::NotACode)? = value as u8;
            count += 1;
        }
        match count {
            LETTERS_COUNT if checked(values) == values => Ok(JoinCode { values }),
            LETTERS_COUNT => Err(JoinCodeError::Mistyped),
            _ => Err(JoinCodeError::NotACode),
        }
    }
}

/// Returns the letters with the right check letter.
fn checked(mut values: [u8; LETTERS_COUNT]) -> [u8; LETTERS_COUNT] {
    let (check, others) = values.split_last_mut().expect("a code has letters");
    let sum: usize = others.iter().enumerate().map(|(at, value)| (at + 1) * usize::from(*value)).sum();
    *check = (sum % CHECK_MODULUS) as u8;
    values
}

impl JoinCode {
    /// Derives the code of the row in this slot, from a key and the row's nonce.
    pub(super) fn derive(key: &[u8; KEY_BYTES], nonce: u128, slot: u8) -> JoinCode {
        let secret = derived(key, &nonce.to_be_bytes());
        let secret = secret[..SECRET_BYTES].iter().fold(0, |bits: u64, byte| bits << 8 | u64::from(*byte));
        let values = std::array::from_fn(|at| match at {
            0 => slot % LETTERS.len() as u8,
            _ => {
                let shift = SECRET_LETTERS.saturating_sub(at) * LETTER_BITS;
                (secret >> shift) as u8 % LETTERS.len() as u8
            }
        });
        JoinCode { values: checked(values) }
    }

    /// Returns the slot of its row.
    pub fn slot(&self) -> u8 {
        self.values[0]
    }

    /// Returns the password of the key exchange.
    pub(super) fn password(&self) -> &[u8] {
        &self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Members of several builds derive the same code.
    #[test]
    fn the_derived_code_never_changes() {
        let code = JoinCode::derive(&[1; KEY_BYTES], 7, 19);
        assert_eq!(code.to_string(), "KP93X-J3HVB");
        assert_eq!((code.slot(), format!("{code:?}")), (19, "JoinCode K…".to_string()));
        assert_ne!(code, JoinCode::derive(&[1; KEY_BYTES], 8, 19));
        assert_ne!(code, JoinCode::derive(&[2; KEY_BYTES], 7, 19));
    }

    #[test]
    fn a_code_is_read_as_it_is_typed() {
        for nonce in 0..500 {
            let code = JoinCode::derive(&[1; KEY_BYTES], nonce, nonce as u8 % 32);
            let text = code.to_string();
            let typed = text.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
            assert_eq!((text.parse(), typed.parse()), (Ok(code), Ok(code)), "{text}");
        }
        for wrong in ["", "KHZ6D-BNMX", "KHZ6D-BNMXT0", "KHZ6D-BNMXU", "KHZ6D-BNMÄT"] {
            assert_eq!(wrong.parse::<JoinCode>(), Err(JoinCodeError::NotACode), "{wrong}");
        }
    }

    #[test]
    fn a_typing_error_is_found() {
        let code = JoinCode::derive(&[1; KEY_BYTES], 7, 19);
        for at in 0..LETTERS_COUNT - 1 {
            for value in (0..31).filter(|value| *value != code.values[at] && code.values[at] != 31) {
                let mut values = code.values;
                values[at] = value;
                assert_eq!(JoinCode { values }.to_string().parse::<JoinCode>(), Err(JoinCodeError::Mistyped));
            }
        }
        let mut values = code.values;
        values.swap(3, 4);
        assert_eq!(JoinCode { values }.to_string().parse::<JoinCode>(), Err(JoinCodeError::Mistyped));
    }
}
