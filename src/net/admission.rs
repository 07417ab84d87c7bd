//! Admission: every request enters a process here, and is validated before it is processed.
//!
//! ```text
//!   bytes ──▶ read ──▶ Admission::Ask ──▶ the node or the balancer answers
//!                └───▶ Admission::Refused ──▶ a refusal with the tag of the request; the connection stays open
//! ```
//!
//! A request that is too long, cannot be decoded, or has a field beyond its bounds is refused on its own: many callers share
//! a connection, and the requests of the others go on. Clients make the same checks before they send ([`super::client`]).

use super::frame::{self, FrameError};
use super::limits::{ASK_BYTES_MAX, ASK_SKIPPED_BYTES_MAX, FRAME_DEADLINE, PIN_KEY_BYTES_MAX};
use super::pinned::PinAsk;
use super::protocol::{Ask, AskFrame, DirectoryAsk, NewAccount};
use ribbit_state::limits::{PASSWORD_CHARS_MAX, TYPED_BYTES_MAX};
use ribbit_state::{Code, Denied, Field, check, text};
use smol::io::{AsyncRead, AsyncReadExt};

/// The longest requests fit: a form of three lines and a password, two keys of pinned rows, or a replicated command.
const _: () = assert!(3 * TYPED_BYTES_MAX + 4 * PASSWORD_CHARS_MAX + 256 <= ASK_BYTES_MAX);
const _: () = assert!(2 * PIN_KEY_BYTES_MAX + 256 <= ASK_BYTES_MAX);
const _: () = assert!(ribbit_state::limits::REQUEST_BYTES_MAX + 256 <= ASK_BYTES_MAX);

/// Refusal of an invalid request.
const INVALID: Denied = Denied::new(Code::InvalidEntry);

/// Result of reading a request.
#[derive(Debug, PartialEq)]
pub enum Admission {
    /// A request within all bounds.
    Ask(AskFrame),
    /// An invalid request and its refusal.
    Refused { tag: u32, denied: Denied },
}

/// Reads and validates the next request.
///
/// # Errors
/// The connection has to end: `Closed` at its end, `TooLong` for more than `ASK_SKIPPED_BYTES_MAX`, `TimedOut` when the
/// request is not complete after `FRAME_DEADLINE`, `Malformed` without a tag, `Io` when reading fails.
pub async fn read<R: AsyncRead + Unpin>(reader: &mut R) -> Result<Admission, FrameError> {
    let length = frame::read_length(reader, ASK_SKIPPED_BYTES_MAX).await?;
    let bytes = frame::with_timeout(FRAME_DEADLINE, read_and_skip(reader, length)).await?;
    // The tag comes first.
    let Ok((tag, _)) = postcard::take_from_bytes::<u32>(&bytes) else { return Err(FrameError::Malformed) };
    if length > ASK_BYTES_MAX {
        log::debug!("refused a request of {length} bytes: the maximum is {ASK_BYTES_MAX}");
        return Ok(Admission::Refused { tag, denied: INVALID });
    }
    let Ok(asked) = frame::decode::<AskFrame>(&bytes) else {
        log::debug!("refused a request that cannot be decoded");
        return Ok(Admission::Refused { tag, denied: INVALID });
    };
    Ok(match asked.ask.check() {
        Ok(()) => Admission::Ask(asked),
        Err(denied) => Admission::Refused { tag, denied },
    })
}

/// Reads `length` bytes, and returns the first `ASK_BYTES_MAX` of them.
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
    /// Checks every field against its bounds.
    ///
    /// # Errors
    /// [`Denied`] with the code that the node or the rules would give.
    pub fn check(&self) -> Result<(), Denied> {
        match self {
            Ask::Join { region, member, .. } => {
                check::region(*region)?;
                check::new_member(member)
            }
            Ask::Lose { name, .. } | Ask::Transfer { name } => check::region(name.region),
            Ask::Write(request) => request.check(),
            Ask::CreateAccount {
                submitted_at,
                form: NewAccount { name, username, email, password, .. },
                ..
            } => {
                check::submitted_at(*submitted_at)?;
                check::name(name)?;
                check::username(username)?;
                check::email(email)?;
                text::check_password(&password.0)
            }
            Ask::LogIn { submitted_at, username, password, device, .. } => {
                check::submitted_at(*submitted_at)?;
                text::check_device(device)?;
                // The same refusal as for an unknown name.
                check::username(username).map_err(|_| Denied::of(Code::NoSuchUser, Field::Username))?;
                check::tried_password(&password.0)
            }
            Ask::DeleteAccount { submitted_at, password, .. }
            | Ask::Confirm { submitted_at, password, .. } => {
                check::submitted_at(*submitted_at)?;
                check::tried_password(&password.0)
            }
            Ask::ChangePassword { submitted_at, old, new, .. } => {
                check::submitted_at(*submitted_at)?;
                text::check_password(&new.0)
                    .map_err(|_| Denied::of(Code::InvalidEntry, Field::NewPassword))?;
                check::tried_password(&old.0)
            }
            Ask::SetPassword { submitted_at, username, password, .. } => {
                check::submitted_at(*submitted_at)?;
                check::username(username).map_err(|_| Denied::of(Code::NoSuchUser, Field::Username))?;
                text::check_password(&password.0)
            }
            Ask::ResetPassword { submitted_at, password, .. } => {
                check::submitted_at(*submitted_at)?;
                text::check_password(&password.0)
                    .map_err(|_| Denied::of(Code::InvalidEntry, Field::NewPassword))
            }
            Ask::Read { query, .. } => query.check(),
            Ask::GetServer { before, .. } => before.as_deref().map_or(Ok(()), check::address),
            Ask::Directory(DirectoryAsk::Down { address }) => check::address(address),
            Ask::Pin(ask) => ask.check(),
            Ask::Subscribe { wanted, .. } => wanted.check(),
            // The first key of a cluster follows none.
            Ask::TakeKey(key) if key.generation < 2 => Err(INVALID),
            Ask::NodeStatus
            | Ask::NewestKey
            | Ask::TakeKey(_)
            | Ask::Renew { .. }
            | Ask::History
            | Ask::Directory(DirectoryAsk::Read { .. } | DirectoryAsk::Write | DirectoryAsk::Left { .. }) => {
                Ok(())
            }
        }
    }

    /// Returns true if the request changes no stored state, so that a lost answer does no harm.
    pub(crate) fn is_read(&self) -> bool {
        match self {
            Ask::NodeStatus
            | Ask::NewestKey
            | Ask::Read { .. }
            | Ask::Subscribe { .. }
            | Ask::GetServer { .. }
            | Ask::History
            | Ask::Directory(_)
            | Ask::Pin(_) => true,
            Ask::TakeKey(_)
            | Ask::Join { .. }
            | Ask::Lose { .. }
            | Ask::Transfer { .. }
            | Ask::Write(_)
            | Ask::CreateAccount { .. }
            | Ask::LogIn { .. }
            | Ask::DeleteAccount { .. }
            | Ask::Confirm { .. }
            | Ask::Renew { .. }
            | Ask::ChangePassword { .. }
            | Ask::SetPassword { .. }
            | Ask::ResetPassword { .. } => false,
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
