//! Form fields from a browser, and the request id that makes a form idempotent.

use ribbit_state::{LogIndex, RequestId};
use std::fmt;
use std::str::FromStr;

/// Name of the hidden field with the [`FormRequest`].
pub const REQUEST_FIELD: &str = "request";

/// Fields of a posted form or of a query string. If a field occurs twice, the first counts.
#[derive(Debug, Default)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Parses `application/x-www-form-urlencoded`. Bytes that are not UTF-8 become replacement characters, which the user sees
    /// in the form that comes back.
    pub fn parse(bytes: &[u8]) -> Form {
        Form(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// Returns the value of a field, or `None` if it is missing.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Returns all fields in their order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(field, value)| (field.as_str(), value.as_str()))
    }

    /// Returns the value of a field, or an empty text if it is missing.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }
}

/// Idempotency key of a form. It is the same each time the form is sent, so that a double click, a reload or a retry after a
/// failure takes effect once. Its text form is `ID.INDEX`, with the id in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormRequest {
    pub id: RequestId,
    /// Newest log index known when the form was made.
    pub submitted_at: LogIndex,
}

impl fmt::Display for FormRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.id, self.submitted_at)
    }
}

/// Error for a text that is not a [`FormRequest`].
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidFormRequest;

impl FromStr for FormRequest {
    type Err = InvalidFormRequest;
    fn from_str(text: &str) -> Result<FormRequest, InvalidFormRequest> {
        let (id, submitted_at) = text.split_once('.').ok_or(InvalidFormRequest)?;
        if id.len() != 32 {
            return Err(InvalidFormRequest);
        }
        let id = id.parse().map_err(|_| InvalidFormRequest)?;
        Ok(FormRequest { id, submitted_at: submitted_at.parse().map_err(|_| InvalidFormRequest)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded() {
        let form = Form::parse("post=a+b%0D%0A%F0%9F%90%B8%26&choice=add&post=second".as_bytes());
        assert_eq!(form.text("post"), "a b\r\n🐸&");
        assert_eq!(form.get("choice"), Some("add"));
        assert_eq!(form.get("missing"), None);
        assert_eq!(Form::parse(b"a=%ff").text("a"), "\u{fffd}");
    }

    #[test]
    fn a_request_survives_formatting_and_parsing() {
        let request = FormRequest { id: RequestId(0xf0f), submitted_at: 42 };
        assert_eq!(request.to_string().parse(), Ok(request));
        for wrong in
            ["", ".", "f.1", "00000000000000000000000000000f0f", "00000000000000000000000000000f0f.-1"]
        {
            assert_eq!(wrong.parse::<FormRequest>(), Err(InvalidFormRequest), "{wrong:?}");
        }
    }
}
