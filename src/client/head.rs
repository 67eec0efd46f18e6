//! What is known of a response before its body.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version};

use crate::model::{Failure, Hop, Outcome, ResponseHead, Timings, WebUrl};

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
            redirects: head.job.extra.as_ref().map(|extra| extra.hops.clone()).unwrap_or_default(),
            status: head.status,
            version: head.version,
            headers: head.headers.clone(),
            remote: head.remote,
            reused: head.reused,
            attempts: head.job.attempts() + 1,
            timings: head.timings,
            saved: None,
        }
    }

    /// Of a response that is complete, with its body.
    pub(super) fn and_body(outcome: Outcome) -> Result<(Self, Bytes), Failure> {
        let Outcome { job, attempts, last } = outcome;
        let response = last.result?;
        let head = Self {
            url: job.url,
            redirects: job.extra.map(|extra| extra.hops).unwrap_or_default(),
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
