//! One JSON object: a job with more than a URL.
//!
//! `url` is required. A misspelt field would be lost without a word, so unknown fields are refused, with the nearest
//! known one named. Values are first taken as raw text, so that a bad field still leaves the URL and the `id` for the
//! record, and so that `id` is copied unchanged.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;

use super::request::{header, method};
use crate::model::{FailureKind, RequestOverrides};

/// The fields of an input object.
const FIELDS: [&str; 6] = ["url", "method", "headers", "body", "body_base64", "id"];

/// Why an object can't become a job.
#[derive(Debug)]
pub(super) struct Refusal<'a> {
    /// Its URL, when that could be read.
    pub(super) url: Option<Cow<'a, str>>,
    pub(super) kind: FailureKind,
    pub(super) message: String,
}

impl Refusal<'_> {
    fn json(message: impl Into<String>) -> Self {
        Self { url: None, kind: FailureKind::BadJson, message: message.into() }
    }

    fn request(message: impl Into<String>) -> Self {
        Self { url: None, kind: FailureKind::BadRequest, message: message.into() }
    }
}

/// What an object asks for.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) url: Cow<'a, str>,
    pub(super) overrides: Option<RequestOverrides>,
}

/// Reads the object in `text`: its `id`, whenever that could be read, and what it asks for. `body_method` is the
/// method of an object with a body and without a method.
pub(super) fn parse<'a>(
    text: &'a str,
    body_method: Option<&Method>,
) -> (Option<&'a str>, Result<Request<'a>, Refusal<'a>>) {
    let mut fields = Fields::default();
    let request = read_fields(text, &mut fields)
        .and_then(|()| fields.request(body_method))
        .map_err(|refusal| Refusal { url: fields.url().ok(), ..refusal });
    (fields.raw("id"), request)
}

/// Fills `fields` as far as `text` is readable.
fn read_fields<'a>(text: &'a str, fields: &mut Fields<'a>) -> Result<(), Refusal<'a>> {
    let mut json = serde_json::Deserializer::from_str(text);
    let seen = json.deserialize_map(ObjectVisitor(fields)).and_then(|()| json.end());
    seen.map_err(|error| Refusal::json(format!("not a JSON object: {}", located(&error))))?;
    match fields.problem.take() {
        Some(problem) => Err(Refusal::json(problem)),
        None => Ok(()),
    }
}

/// The error's text with its column only: the line is always the first of its text.
fn located(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let suffix = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&suffix) {
        Some(what) => format!("{what} at column {}", error.column()),
        None => text,
    }
}

/// The raw values, and the first thing wrong with the names.
#[derive(Default)]
struct Fields<'a> {
    values: [Option<&'a RawValue>; FIELDS.len()],
    problem: Option<String>,
}

impl<'a> Fields<'a> {
    /// The value of a field, unless absent or `null`.
    fn raw(&self, name: &str) -> Option<&'a str> {
        let at = FIELDS.iter().position(|field| *field == name)?;
        self.values[at].map(RawValue::get).filter(|raw| *raw != "null")
    }

    fn url(&self) -> Result<Cow<'a, str>, Refusal<'a>> {
        string("url", self.raw("url").ok_or_else(|| Refusal::json("field 'url' is missing"))?)
    }

    fn request(&self, body_method: Option<&Method>) -> Result<Request<'a>, Refusal<'a>> {
        let url = self.url()?;
        let mut headers = self.headers()?;
        let body = self.body(&mut headers)?;
        let method = match self.raw("method") {
            Some(raw) => Some(
                method(&string("method", raw)?)
                    .map_err(|error| Refusal::request(format!("field 'method': {error}")))?,
            ),
            None => body_method.filter(|_| body.is_some()).cloned(),
        };
        let plain = method.is_none() && body.is_none() && headers.is_empty();
        let overrides = (!plain).then(|| RequestOverrides { method, headers, body, ..RequestOverrides::default() });
        Ok(Request { url, overrides })
    }

    fn headers(&self) -> Result<HeaderMap, Refusal<'a>> {
        let mut headers = HeaderMap::new();
        let Some(raw) = self.raw("headers") else { return Ok(headers) };
        let pairs: Pairs = serde_json::from_str(raw).map_err(|error: serde_json::Error| {
            // Not the error's own text: it quotes the value, which may be a credential.
            let column = error.column();
            let form = "an object of strings or lists of strings, or a list of [name, value]";
            Refusal::json(format!("field 'headers': invalid type at its column {column}; write {form}"))
        })?;
        for (name, value) in &pairs.0 {
            let (name, value) =
                header(name, value).map_err(|error| Refusal::request(format!("field 'headers': {error}")))?;
            headers
                .try_append(name, value)
                .map_err(|_| Refusal::request("field 'headers': more than 24,000 headers; send fewer"))?;
        }
        Ok(headers)
    }

    fn body(&self, headers: &mut HeaderMap) -> Result<Option<Bytes>, Refusal<'a>> {
        match (self.raw("body"), self.raw("body_base64")) {
            (Some(_), Some(_)) => Err(Refusal::request("fields 'body' and 'body_base64' exclude each other; give one")),
            (Some(raw), None) if raw.starts_with(['{', '[']) => {
                headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
                Ok(Some(Bytes::copy_from_slice(raw.as_bytes())))
            }
            (Some(raw), None) => Ok(Some(Bytes::from(string("body", raw)?.into_owned()))),
            (None, Some(raw)) => STANDARD
                .decode(&*string("body_base64", raw)?)
                .map(|bytes| Some(Bytes::from(bytes)))
                .map_err(|error| Refusal::request(format!("field 'body_base64': not standard base64: {error}"))),
            (None, None) => Ok(None),
        }
    }
}

/// The text of a JSON string.
fn string<'a>(field: &str, raw: &'a str) -> Result<Cow<'a, str>, Refusal<'a>> {
    serde_json::from_str::<JsonText<'_>>(raw)
        .map(|text| text.0)
        .map_err(|error| Refusal::json(format!("field '{field}': {}", located(&error))))
}

/// What to say about a field haul does not know.
fn unknown(name: &str) -> String {
    let shown: String = name.chars().take(40).collect();
    let nearest = FIELDS.iter().map(|field| (distance(field, &shown), field)).min();
    match nearest {
        Some((distance, field)) if distance <= 2 => {
            format!("unknown field '{}'; did you mean '{field}'?", shown.escape_debug())
        }
        _ => format!(
            "unknown field '{}'; known are {}; put data of your own into 'id', which may be any JSON value",
            shown.escape_debug(),
            FIELDS.join(", ")
        ),
    }
}

/// How many letters to add, drop or replace to make one word of the other, case aside.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replaced = corner + usize::from(a != *b);
            corner = row[j + 1];
            row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

/// Takes the fields' raw values, and goes on after an unknown or repeated one.
struct ObjectVisitor<'f, 'a>(&'f mut Fields<'a>);

impl<'de> Visitor<'de> for ObjectVisitor<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object like {\"url\": \"http://host/\"}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let fields = self.0;
        while let Some(JsonText(name)) = map.next_key()? {
            let Some(at) = FIELDS.iter().position(|field| *field == name) else {
                map.next_value::<IgnoredAny>()?;
                fields.problem.get_or_insert_with(|| unknown(&name));
                continue;
            };
            if fields.values[at].replace(map.next_value()?).is_some() {
                fields.problem.get_or_insert_with(|| format!("field '{name}' appears twice; keep one"));
            }
        }
        Ok(())
    }
}

/// A string, borrowed when it holds no escapes.
struct JsonText<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for JsonText<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = JsonText<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<JsonText<'de>, E> {
                Ok(JsonText(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<JsonText<'de>, E> {
                Ok(JsonText(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// Headers in order: an object whose values are strings or lists of strings, or a list of [name, value].
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;
        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings or lists of strings, or a list of [name, value]")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some((name, Values(values))) = map.next_entry::<String, Values>()? {
                    pairs.extend(values.into_iter().map(|value| (name.clone(), value)));
                }
                Ok(Pairs(pairs))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = list.next_element()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_any(PairsVisitor)
    }
}

/// The value or values of one header.
struct Values(Vec<String>);

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValuesVisitor;
        impl<'de> Visitor<'de> for ValuesVisitor {
            type Value = Values;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Values, E> {
                Ok(Values(vec![value.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Values, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = list.next_element()? {
                    values.push(value);
                }
                Ok(Values(values))
            }
        }
        deserializer.deserialize_any(ValuesVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(text: &'a str) -> Request<'a> {
        parse(text, Some(&Method::POST)).1.unwrap_or_else(|refusal| panic!("{text}: {}", refusal.message))
    }

    fn overrides(text: &str) -> RequestOverrides {
        request(text).overrides.expect("not plain")
    }

    fn refused(text: &str) -> (FailureKind, String) {
        let refusal = parse(text, None).1.expect_err(text);
        (refusal.kind, refusal.message)
    }

    #[test]
    fn a_url_alone_is_a_plain_job() {
        let escaped = request(r#"{"url":"http://a.example/\u00e9"}"#);
        assert_eq!(escaped.url, "http://a.example/é");
        assert!(escaped.overrides.is_none());
        assert!(request(r#"{"url":"x","method":null,"headers":null,"body":null}"#).overrides.is_none());
    }

    #[test]
    fn the_id_is_any_value_and_kept_as_written() {
        for id in ["7", "\"a\\u00e9\"", "{\"b\": [1, 2.50]}", "1e400"] {
            let text = format!(r#"{{"id":{id},"url":"http://a.example/"}}"#);
            assert_eq!(parse(&text, None).0, Some(id));
        }
    }

    #[test]
    fn method_headers_and_body_are_taken() {
        let overrides =
            overrides(r#"{"url":"x","method":"post","headers":{"X-A":"1","x-b":["2","3"]},"body":"h\u00e9"}"#);
        assert_eq!(overrides.method, Some(Method::POST));
        assert_eq!(overrides.headers["x-a"], "1");
        assert!(overrides.headers.get_all("x-b").iter().eq(["2", "3"]));
        assert_eq!(overrides.body.as_deref(), Some("hé".as_bytes()));
        assert!(!overrides.headers.contains_key("content-type"));
    }

    #[test]
    fn headers_may_be_pairs_and_methods_are_tokens() {
        let overrides = overrides(r#"{"url":"x","method":"Purge","headers":[["a","1"],["a","2"]]}"#);
        assert!(overrides.headers.get_all("a").iter().eq(["1", "2"]));
        assert_eq!(overrides.method.expect("given").as_str(), "Purge");
    }

    #[test]
    fn an_object_body_is_sent_as_json_and_makes_a_post() {
        let plain = overrides(r#"{"url":"x","body":{"a": [1,2]}}"#);
        assert_eq!(plain.body.as_deref(), Some(&br#"{"a": [1,2]}"#[..]));
        assert_eq!(plain.headers["content-type"], "application/json");
        assert_eq!(plain.method, Some(Method::POST));
        let typed = overrides(r#"{"url":"x","method":"PUT","body":[1],"headers":{"Content-Type":"text/x"}}"#);
        assert_eq!((typed.headers["content-type"].as_bytes(), typed.method), (&b"text/x"[..], Some(Method::PUT)));
        let binary = overrides(r#"{"url":"x","body_base64":"AP8="}"#);
        assert_eq!(binary.body.as_deref(), Some(&[0, 255][..]));
    }

    #[test]
    fn each_bad_object_says_what_and_where() {
        let cases = [
            (r#"{"url": nope}"#, FailureKind::BadJson, "at column 10"),
            (r#"{"url":"x"} x"#, FailureKind::BadJson, "trailing characters at column 13"),
            (r#"{"method":"GET"}"#, FailureKind::BadJson, "'url' is missing"),
            (r#"{"url":null}"#, FailureKind::BadJson, "'url' is missing"),
            (r#"{"url":7}"#, FailureKind::BadJson, "field 'url': invalid type: integer `7`, expected a string"),
            (r#"{"url":"x","url":"y"}"#, FailureKind::BadJson, "'url' appears twice"),
            (r#"{"url":"x","Metod":"GET"}"#, FailureKind::BadJson, "unknown field 'Metod'; did you mean 'method'?"),
            (r#"{"url":"x","timeout":3}"#, FailureKind::BadJson, "known are url, method"),
            (r#"{"url":"x","headers":{"a":1}}"#, FailureKind::BadJson, "field 'headers': invalid type"),
            (r#"{"url":"x","headers":"a: b"}"#, FailureKind::BadJson, "write an object of strings"),
            (r#"{"url":"x","headers":{"a":["b", 1]}}"#, FailureKind::BadJson, "at its column 12"),
            (r#"{"url":"x","headers":{"a":"b\r\nc: d"}}"#, FailureKind::BadRequest, "line break"),
            (r#"{"url":"x","headers":{"a b":"c"}}"#, FailureKind::BadRequest, "not a header name"),
            (r#"{"url":"x","method":"GET /"}"#, FailureKind::BadRequest, "not an HTTP method"),
            (r#"{"url":"x","method":"CONNECT"}"#, FailureKind::BadRequest, "tunnel"),
            (r#"{"url":"x","body":5}"#, FailureKind::BadJson, "field 'body'"),
            (r#"{"url":"x","body_base64":"*"}"#, FailureKind::BadRequest, "not standard base64"),
            (r#"{"url":"x","body":"a","body_base64":""}"#, FailureKind::BadRequest, "exclude each other"),
        ];
        for (text, kind, part) in cases {
            let (found, message) = refused(text);
            assert_eq!(found, kind, "{text}: {message}");
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn what_may_be_a_credential_is_not_quoted() {
        for headers in
            [r#""Authorization: Bearer s3cret""#, r#"[["Cookie", "s3cret", "x"]]"#, r#"[["Cookie"], "s3cret"]"#]
        {
            let (_, message) = refused(&format!(r#"{{"url":"x","headers":{headers}}}"#));
            assert!(message.contains("'headers'") && !message.contains("s3cret"), "{message}");
        }
    }

    #[test]
    fn url_and_id_survive_a_bad_field() {
        let (id, request) = parse(r#"{"url":"http://a.example/","metod":1,"id":[1]}"#, None);
        assert_eq!(id, Some("[1]"));
        assert_eq!(request.expect_err("misspelt").url.as_deref(), Some("http://a.example/"));
    }

    #[test]
    fn deep_nesting_is_refused_not_followed() {
        let text = format!(r#"{{"url":"x","id":{}}}"#, "[".repeat(100_000));
        assert_eq!(refused(&text).0, FailureKind::BadJson);
    }
}
