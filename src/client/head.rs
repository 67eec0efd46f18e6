//! What is known of a response before its body.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, StatusCode, Version};
use serde::de::DeserializeOwned;

use crate::model::{Failure, Hop, Outcome, ResponseHead, Timings, WebUrl};
use crate::text::{self, Text};
use crate::work;

/// What is known of a response before its body.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) url: WebUrl,
    pub(super) redirects: Vec<Hop>,
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    pub(super) remote: Option<SocketAddr>,
    pub(super) reused: bool,
    pub(super) attempts: u32,
    pub(super) timings: Timings,
    /// Where a hook has written the body.
    pub(super) saved: Option<Box<str>>,
}

impl Head {
    /// Of a response whose body is still to come.
    pub(super) fn of(head: &ResponseHead<'_>) -> Self {
        Self {
            url: head.job.url.clone(),
            redirects: head.job.hops().to_vec(),
            status: head.status,
            version: head.version,
            headers: head.headers.clone(),
            remote: head.remote,
            reused: head.reused,
            attempts: work::attempts(head.job) + 1,
            timings: head.timings,
            saved: None,
        }
    }

    /// The body as text.
    pub(super) fn text<'b>(&self, body: &'b [u8]) -> Text<'b> {
        let content_types = self.headers.get_all(CONTENT_TYPE).iter().map(HeaderValue::as_bytes);
        let options = self.headers.get(X_CONTENT_TYPE_OPTIONS).map(HeaderValue::as_bytes);
        text::read(body, content_types, options, self.url.host())
    }

    /// The body as JSON. Nearly every one is what JSON has to be, and is read at once.
    pub(super) fn json<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, serde_json::Error> {
        // What begins a byte order mark begins no JSON.
        let is_marked = matches!(body.first(), Some(0xef | 0xfe | 0xff));
        match serde_json::from_slice(body) {
            Err(error) if is_marked || std::str::from_utf8(body).is_err() => match self.text(body) {
                // With what was replaced it would be another's words.
                Text { lossy: true, .. } => Err(error),
                Text { text, .. } => serde_json::from_str(&text),
            },
            result => result,
        }
    }

    /// Of a response that is complete, with its body.
    pub(super) fn and_body(outcome: Outcome) -> Result<(Self, Bytes), Failure> {
        let Outcome { mut job, attempts, last } = outcome;
        let response = last.result?;
        let redirects =
            if job.hops().is_empty() { Vec::new() } else { std::mem::take(&mut work::of_mut(&mut job).hops) };
        let head = Self {
            url: job.url,
            redirects,
            status: StatusCode::from_u16(response.status).unwrap_or_default(),
            version: response.version,
            headers: response.headers.map(HeaderMap::from).unwrap_or_default(),
            remote: last.remote,
            reused: last.reused,
            attempts,
            timings: last.timings,
            saved: response.saved,
        };
        Ok((head, response.body.unwrap_or_default()))
    }
}
