//! Admission: the one place where every question enters a process, and is refused before anything looks at it.
//!
//! ```text
//!   bytes ──▶ read ──▶ Incoming::Ask ──▶ the node or the balancer answers
//!                └───▶ Incoming::Refused ──▶ a refusal under the question's tag; the connection goes on
//! ```
//!
//! A question that is too long, cannot be read, or has a field beyond its bound is refused by itself: many askers share
//! a connection, and none of the others is disturbed. Whoever asks checks the same before anything is sent
//! ([`super::client`]).

use super::frame::{self, FrameError};
use super::limits::{ASK_BYTES_MAX, ASK_SKIPPED_BYTES_MAX, FRAME_DEADLINE, PIN_KEY_BYTES_MAX};
use super::pinned::PinAsk;
use super::protocol::{Ask, AskFrame, Directory, NewAccount};
use ribbit_state::limits::{PASSWORD_CHARS_MAX, TYPED_BYTES_MAX};
use ribbit_state::{Code, Denied, Field, check, text};
use smol::io::{AsyncRead, AsyncReadExt};

/// The longest questions: three entries of one line and a password, or two keys of pinned rows.
const _: () = assert!(3 * TYPED_BYTES_MAX + 4 * PASSWORD_CHARS_MAX + 256 <= ASK_BYTES_MAX);
const _: () = assert!(2 * PIN_KEY_BYTES_MAX + 256 <= ASK_BYTES_MAX);
const _: () = assert!(ribbit_state::limits::REQUEST_BYTES_MAX + 256 <= ASK_BYTES_MAX);

const INVALID: Denied = Denied::new(Code::InvalidEntry);

/// A question as it came in.
#[derive(Debug, PartialEq)]
pub enum Incoming {
    /// Within all bounds.
    Ask(AskFrame),
    Refused {
        tag: u32,
        denied: Denied,
    },
}

/// Reads the next question.
///
/// # Errors
/// The connection cannot go on: it ended, or what came does not even begin like a question, or would take too much to
/// pass over.
pub async fn read<R: AsyncRead + Unpin>(reader: &mut R) -> Result<Incoming, FrameError> {
    let length = frame::read_length(reader, ASK_SKIPPED_BYTES_MAX).await?;
    let bytes = frame::within(FRAME_DEADLINE, read_and_skip(reader, length)).await?;
    // The tag comes first.
    let Ok((tag, _)) = postcard::take_from_bytes::<u32>(&bytes) else { return Err(FrameError::Malformed) };
    if length > ASK_BYTES_MAX {
        log::debug!("a question of {length} bytes is refused: at most {ASK_BYTES_MAX} are read");
        return Ok(Incoming::Refused { tag, denied: INVALID });
    }
    let Ok(asked) = frame::decode::<AskFrame>(&bytes) else {
        log::debug!("a question that cannot be read is refused");
        return Ok(Incoming::Refused { tag, denied: INVALID });
    };
    Ok(match asked.ask.check() {
        Ok(()) => Incoming::Ask(asked),
        Err(denied) => Incoming::Refused { tag, denied },
    })
}

/// The first `ASK_BYTES_MAX` of so many bytes; what lies behind them is passed over.
async fn read_and_skip<R: AsyncRead + Unpin>(reader: &mut R, length: usize) -> Result<Vec<u8>, FrameError> {
    let mut bytes = vec![0; length.min(ASK_BYTES_MAX)];
    reader.read_exact(&mut bytes).await.map_err(frame::closed)?;
    let mut left = length - bytes.len();
    let mut skipped = [0; 1_024];
    while left > 0 {
        let piece = left.min(skipped.len());
        reader.read_exact(&mut skipped[..piece]).await.map_err(frame::closed)?;
        left -= piece;
    }
    Ok(bytes)
}

impl Ask {
    /// Checks every field against its bound.
    ///
    /// # Errors
    /// The refusal, as the node or the rules would give it.
    pub fn check(&self) -> Result<(), Denied> {
        match self {
            Ask::Join { site, member, .. } => {
                check::site(*site)?;
                check::new_member(member)
            }
            Ask::Lose { name, .. } | Ask::Drain { name, .. } | Ask::Transfer { name } => {
                check::site(name.site)
            }
            Ask::Write(request) => request.check(),
            Ask::CreateAccount { born, form: NewAccount { name, username, email, password }, .. } => {
                check::born(*born)?;
                check::name(name)?;
                check::username(username)?;
                check::email(email)?;
                text::check_password(&password.0)
            }
            Ask::LogIn { born, username, password, .. } => {
                check::born(*born)?;
                // As any name that nobody has.
                check::username(username).map_err(|_| Denied::of(Code::NoSuchUser, Field::Username))?;
                check::tried_password(&password.0)
            }
            Ask::DeleteAccount { born, password, .. } => {
                check::born(*born)?;
                check::tried_password(&password.0)
            }
            Ask::ChangePassword { born, old, new, .. } => {
                check::born(*born)?;
                text::check_password(&new.0)
                    .map_err(|_| Denied::of(Code::InvalidEntry, Field::NewPassword))?;
                check::tried_password(&old.0)
            }
            Ask::SetPassword { born, username, password, .. } => {
                check::born(*born)?;
                check::username(username).map_err(|_| Denied::of(Code::NoSuchUser, Field::Username))?;
                text::check_password(&password.0)
            }
            Ask::Read { query, .. } => query.check(),
            Ask::GetServer { before, .. } => before.as_deref().map_or(Ok(()), check::address),
            Ask::Directory(Directory::Down { address }) => check::address(address),
            Ask::Pin(ask) => ask.check(),
            // A path that is followed is checked when it is decoded.
            Ask::NodeStatus
            | Ask::Subscribe { .. }
            | Ask::Renew { .. }
            | Ask::History
            | Ask::Directory(Directory::Read { .. } | Directory::Write | Directory::Left { .. }) => Ok(()),
        }
    }

    /// Whether it changes nothing that lasts: an answer that was lost is no loss.
    pub fn is_read(&self) -> bool {
        match self {
            Ask::NodeStatus
            | Ask::Read { .. }
            | Ask::Subscribe { .. }
            | Ask::GetServer { .. }
            | Ask::History
            | Ask::Directory(_)
            | Ask::Pin(_) => true,
            Ask::Join { .. }
            | Ask::Lose { .. }
            | Ask::Drain { .. }
            | Ask::Transfer { .. }
            | Ask::Write(_)
            | Ask::CreateAccount { .. }
            | Ask::LogIn { .. }
            | Ask::DeleteAccount { .. }
            | Ask::Renew { .. }
            | Ask::ChangePassword { .. }
            | Ask::SetPassword { .. } => false,
        }
    }
}

impl PinAsk {
    fn check(&self) -> Result<(), Denied> {
        let fits = |key: &[u8]| key.len() <= PIN_KEY_BYTES_MAX;
        let fit = match self {
            PinAsk::Rows { after, .. } => fits(after),
            PinAsk::Sum { after, to, .. } | PinAsk::Marks { after, to, .. } => {
                fits(after) && to.as_deref().is_none_or(fits)
            }
            PinAsk::Begin { .. } | PinAsk::BeginAt { .. } | PinAsk::End { .. } => true,
        };
        if fit { Ok(()) } else { Err(INVALID) }
    }
}
