//! Parameters of a request to the API, whatever form they came in: query, posted form, JSON, or parts (multipart).
//!
//! All become one list of names and texts. Repeated names are arrays: `id[]=1&id[]=2`, `id=1&id=2` and `{"id": [1, 2]}` are alike.
//! What is inside of an object is named as in a form: `poll[expires_in]`.

use bytes::Bytes;
use multiparty::server::sans_io::{FormData, Read};
use serde_json::Value;
use thiserror::Error;

/// Maximum number of parameters of a request.
pub const PARAMS_MAX: usize = 256;
/// Maximum depth of objects and arrays in JSON.
pub const PARAM_DEPTH_MAX: usize = 4;
/// Maximum length of a parameter's name, in bytes.
pub const PARAM_NAME_BYTES_MAX: usize = 128;
/// Maximum length of the boundary between parts, in bytes: that of RFC 2046.
const BOUNDARY_BYTES_MAX: usize = 70;

/// Words for a picture, video or other file.
pub const NO_MEDIA: &str = "Ribbit has no pictures or other media. Post the text without them.";

/// Reason why parameters cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParamsError {
    #[error("The body is not valid JSON.")]
    NotJson,
    #[error("The body has to be a JSON object.")]
    NotAnObject,
    #[error(
        "The request has too many parameters (256 at most), or they are nested too deeply (4 levels at most)."
    )]
    TooMany,
    #[error("The body is not a valid multipart form.")]
    NotMultipart,
    #[error("{NO_MEDIA}")]
    File,
}

/// Parameters of a request, in the order in which they were added.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Adds `application/x-www-form-urlencoded` data, from a query or a body. Bytes that are not UTF-8 become replacement
    /// characters.
    ///
    /// # Errors
    /// `TooMany` if a bound is exceeded.
    pub fn add_form(&mut self, bytes: &[u8]) -> Result<(), ParamsError> {
        form_urlencoded::parse(bytes).try_for_each(|(name, value)| self.add(&name, value.into_owned()))
    }

    /// Adds the members of a JSON object. `null` counts as missing, `true` and numbers as their texts.
    ///
    /// # Errors
    /// `NotJson`, `NotAnObject`, or `TooMany` if a bound is exceeded.
    pub fn add_json(&mut self, bytes: &[u8]) -> Result<(), ParamsError> {
        match serde_json::from_slice(bytes).map_err(|_| ParamsError::NotJson)? {
            Value::Object(members) => {
                members.into_iter().try_for_each(|(name, value)| self.add_value(&name, value, 1))
            }
            _ => Err(ParamsError::NotAnObject),
        }
    }

    /// Adds the texts of a `multipart/form-data` body. `content_type` is that of its header, with the boundary. A file that is empty was
    /// not chosen, and counts as missing. Bytes that are not UTF-8 become replacement characters.
    ///
    /// # Errors
    /// `NotMultipart`, `File` if there is one, or `TooMany` if a bound is exceeded.
    pub fn add_multipart(&mut self, content_type: &str, bytes: Bytes) -> Result<(), ParamsError> {
        let mut parser = FormData::new(boundary(content_type).ok_or(ParamsError::NotMultipart)?);
        parser.write(bytes).map_err(|_| ParamsError::NotMultipart)?;
        let (mut head, mut content) = (None, Vec::new());
        loop {
            match parser.read().map_err(|_| ParamsError::NotMultipart)? {
                Read::NewPart { headers } => {
                    head = Some(headers.parse().map_err(|_| ParamsError::NotMultipart)?);
                }
                Read::Part(bytes) => content.extend_from_slice(&bytes),
                Read::PartEof => {
                    let (head, content) = (head.take(), std::mem::take(&mut content));
                    let head = head.ok_or(ParamsError::NotMultipart)?;
                    match head.filename {
                        None => self.add(&head.name, String::from_utf8_lossy(&content).into_owned())?,
                        Some(_) if content.is_empty() => {}
                        Some(_) => return Err(ParamsError::File),
                    }
                }
                Read::None => {}
                Read::Eof => return Ok(()),
                // The body ends before its last boundary.
                Read::NeedsWrite => return Err(ParamsError::NotMultipart),
            }
        }
    }

    fn add_value(&mut self, name: &str, value: Value, depth: usize) -> Result<(), ParamsError> {
        if depth > PARAM_DEPTH_MAX {
            return Err(ParamsError::TooMany);
        }
        match value {
            Value::Null => Ok(()),
            Value::Bool(value) => self.add(name, value.to_string()),
            Value::Number(number) => self.add(name, number.to_string()),
            Value::String(text) => self.add(name, text),
            Value::Array(values) => {
                values.into_iter().try_for_each(|value| self.add_value(name, value, depth + 1))
            }
            Value::Object(members) => members
                .into_iter()
                .try_for_each(|(inner, value)| self.add_value(&format!("{name}[{inner}]"), value, depth + 1)),
        }
    }

    /// Adds one parameter. The brackets of an array are left out.
    ///
    /// # Errors
    /// `TooMany` if a bound is exceeded.
    pub fn add(&mut self, name: &str, value: String) -> Result<(), ParamsError> {
        let name = name.strip_suffix("[]").unwrap_or(name);
        if self.0.len() >= PARAMS_MAX || name.len() > PARAM_NAME_BYTES_MAX {
            return Err(ParamsError::TooMany);
        }
        self.0.push((name.to_string(), value));
        Ok(())
    }

    /// Iterates over all parameters, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the number of parameters.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the first value of a parameter, or `None` if it is missing.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the first value of a parameter, or an empty text if it is missing.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// Returns all values of a parameter.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns a parameter as yes or no, as Mastodon reads it: everything but these words is yes. `None` if it is missing.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).map(|value| {
            !matches!(value.to_ascii_lowercase().as_str(), "" | "0" | "f" | "false" | "off" | "no")
        })
    }

    /// Returns a parameter as a number. `None` if it is missing or none.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }
}

/// Returns the boundary that a content type names.
fn boundary(content_type: &str) -> Option<&str> {
    let mut parts = content_type.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let boundary = parts
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("boundary"))
        .map(|(_, value)| value.trim_matches('"'));
    let is_one = |boundary: &&str| (1..=BOUNDARY_BYTES_MAX).contains(&boundary.len());
    boundary.filter(is_one).filter(|_| kind.eq_ignore_ascii_case("multipart/form-data"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Result<Params, ParamsError> {
        let mut params = Params::default();
        params.add_json(text.as_bytes()).map(|()| params)
    }

    #[test]
    fn forms_and_json_become_the_same_list() {
        let mut form = Params::default();
        form.add_form(b"status=a+%F0%9F%90%B8&id[]=1&id[]=2&poll[hide]=true").unwrap();
        let mut read =
            json(r#"{"status": "a 🐸", "id": [1, "2"], "poll": {"hide": true}, "none": null}"#).unwrap();
        // The members of an object have no order.
        form.0.sort();
        read.0.sort();
        assert_eq!(read, form);
        let mut params = json(r#"{"limit": 20, "local": false}"#).unwrap();
        params.add_form(b"limit=40&only=on").unwrap();
        assert_eq!((params.number("limit"), params.number("local")), (Some(20), None), "the first counts");
        assert_eq!(params.all("limit").collect::<Vec<_>>(), ["20", "40"]);
        assert_eq!(
            (params.flag("local"), params.flag("only"), params.flag("no")),
            (Some(false), Some(true), None)
        );
    }

    const MULTIPART: &str = "multipart/form-data; boundary=\"b\"";

    /// Reads parts, each given by what follows `name=` in its head, and its content.
    fn multipart(parts: &[(&str, &str)]) -> Result<Params, ParamsError> {
        let part = |(name, content): &(&str, &str)| {
            format!("--b\r\nContent-Disposition: form-data; name={name}\r\n\r\n{content}\r\n")
        };
        let mut body = parts.iter().map(part).collect::<String>();
        body.push_str("--b--\r\n");
        let mut params = Params::default();
        params.add_multipart(MULTIPART, body.into()).map(|()| params)
    }

    #[test]
    fn the_texts_of_multipart_forms_are_parameters_and_files_are_refused() {
        let read = multipart(&[
            ("\"status\"", "a\r\n🐸 &amp; --b"),
            ("\"id[]\"", "1"),
            ("id[]", "2"),
            ("\"avatar\"; filename=\"\"", ""),
        ]);
        let mut params = Params::default();
        params.add_form("status=a%0D%0A🐸+%26amp;+--b&id=1&id=2".as_bytes()).unwrap();
        assert_eq!(read, Ok(params));
        assert_eq!(multipart(&[("file; filename=\"frog.png\"", "PNG")]), Err(ParamsError::File));
        assert_eq!(multipart(&[("file; filename=\"\"", "PNG")]), Err(ParamsError::File));
    }

    #[test]
    fn a_multipart_body_is_whole_or_refused() {
        let mut params = Params::default();
        let mut add = |kind: &str, body: &'static str| params.add_multipart(kind, body.into());
        let whole = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--b--";
        for end in 0..whole.len() {
            assert_eq!(add(MULTIPART, &whole[..end]), Err(ParamsError::NotMultipart), "{end} bytes");
        }
        for kind in [
            "multipart/form-data",
            "multipart/mixed; boundary=b",
            "multipart/form-data; boundary=c",
            "multipart/form-data; boundary=",
        ] {
            assert_eq!(add(kind, whole), Err(ParamsError::NotMultipart), "{kind}");
        }
        assert_eq!(add(MULTIPART, "--b\r\n\r\n1\r\n--b--"), Err(ParamsError::NotMultipart), "no name");
        assert_eq!(add(MULTIPART, whole), Ok(()));
        let part = ("a", "1");
        assert!(multipart(&[part; PARAMS_MAX]).is_ok());
        assert_eq!(multipart(&[part; PARAMS_MAX + 1]), Err(ParamsError::TooMany));
        assert_eq!(multipart(&[(&*"a".repeat(PARAM_NAME_BYTES_MAX + 1), "1")]), Err(ParamsError::TooMany));
    }

    #[test]
    fn everything_is_bounded() {
        assert_eq!(json("[1]"), Err(ParamsError::NotAnObject));
        assert_eq!(json("{"), Err(ParamsError::NotJson));
        assert_eq!(json(&"[".repeat(60_000)), Err(ParamsError::NotJson));
        assert_eq!(json(r#"{"a": [[[["b"]]]]}"#), Err(ParamsError::TooMany));
        assert!(json(r#"{"a": [[["b"]]]}"#).is_ok());
        assert_eq!(json(&format!(r#"{{"a": [{}1]}}"#, "1,".repeat(PARAMS_MAX))), Err(ParamsError::TooMany));
        let long = "a".repeat(PARAM_NAME_BYTES_MAX);
        assert!(json(&format!(r#"{{"{long}": 1}}"#)).is_ok());
        assert_eq!(json(&format!(r#"{{"{long}": {{"b": 1}}}}"#)), Err(ParamsError::TooMany));
        assert_eq!(Params::default().add_form("a&".repeat(257).as_bytes()), Err(ParamsError::TooMany));
    }
}
