//! Parameters of a request to the API, whatever form they came in: query, posted form, JSON, or parts (multipart).
//!
//! All become one list of names and texts. Repeated names are arrays: `id[]=1&id[]=2`, `id=1&id=2` and `{"id": [1, 2]}` are alike.
//! What is inside of an object is named as in a form: `poll[expires_in]`.

use serde_json::Value;
use thiserror::Error;

/// Maximum number of parameters of a request.
pub const PARAMS_MAX: usize = 256;
/// Maximum depth of objects and arrays in JSON.
pub const PARAM_DEPTH_MAX: usize = 4;
/// Maximum length of a parameter's name, in bytes.
pub const PARAM_NAME_BYTES_MAX: usize = 128;

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
        assert_eq!(
            json(r#"{"status": "a 🐸", "id": [1, "2"], "poll": {"hide": true}, "none": null}"#),
            Ok(form)
        );
        let mut params = json(r#"{"limit": 20, "local": false}"#).unwrap();
        params.add_form(b"limit=40&only=on").unwrap();
        assert_eq!((params.number("limit"), params.number("local")), (Some(20), None), "the first counts");
        assert_eq!(params.all("limit").collect::<Vec<_>>(), ["20", "40"]);
        assert_eq!(
            (params.flag("local"), params.flag("only"), params.flag("no")),
            (Some(false), Some(true), None)
        );
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
