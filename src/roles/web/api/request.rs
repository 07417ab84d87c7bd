//! One call of the API: its parameters, and the session of its token.

use super::admission::Caller;
use super::error::ApiError;
use crate::web::request_context::RequestContext;
use crate::web::services::SiteServices;
use hyper::HeaderMap;
use ribbit_net::secret::request_id_of;
use ribbit_state::TokenHash;
use ribbit_ui::api::params::Params;
use ribbit_ui::form::FormRequest;

/// Maximum length of an `Idempotency-Key`, in bytes.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 256;

/// A call, as its handler gets it.
pub(super) struct ApiRequest<'a> {
    pub(super) services: &'a SiteServices,
    /// Reads and writes; its session is the token's.
    pub(super) context: &'a mut RequestContext,
    pub(super) params: &'a Params,
    pub(super) headers: &'a HeaderMap,
    /// Parameter of the path, or empty.
    pub(super) named: &'a str,
    pub(super) path: &'a str,
    pub(super) caller: Caller,
}

impl ApiRequest<'_> {
    /// Returns the session of the token.
    ///
    /// # Errors
    /// 401 if the call was made without one.
    pub(super) fn session(&self) -> Result<TokenHash, ApiError> {
        self.context.session().ok_or_else(ApiError::no_token)
    }

    /// Returns the id of a write. With a session and an `Idempotency-Key` it follows from the key and the session, so that the same call with the
    /// same key takes effect once, on whichever server it arrives. `part` distinguishes the writes of one call.
    ///
    /// # Errors
    /// 422 if the key is too long, or the reason why the position of the log could not be read.
    pub(super) async fn request(&mut self, part: usize) -> Result<FormRequest, ApiError> {
        let request = self.context.new_request().await?;
        let key = self.headers.get("idempotency-key");
        let Some((key, session)) = key.zip(self.context.session()) else { return Ok(request) };
        if key.len() > IDEMPOTENCY_KEY_BYTES_MAX {
            return Err(ApiError::unprocessable("The Idempotency-Key is too long."));
        }
        let id = match part {
            0 => request_id_of(session, key.as_bytes()),
            // No key contains a line break.
            part => request_id_of(session, &[key.as_bytes(), format!("\n{part}").as_bytes()].concat()),
        };
        Ok(FormRequest { id, ..request })
    }
}
