//! The bytes are a value of `Content-Encoding`, a line end, and a body.
//!
//! Promise: what comes out is within the caps, as long as it says, and the body itself where nothing is decoded; all
//! else is refused.

use std::cell::Cell;

use bytes::Bytes;
use haul::config::BodySettings;
use haul::model::Phase;
use haul_net::body::{BodyError, BodyPlan, ContentCodings, ReceivedBody, receive};
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderValue};
use http_body_util::Full;

const MAX_WIRE: u64 = 2_000;
/// Beyond the 1 MiB from which the ratio is judged.
const MAX_DECODED: u64 = 3 << 19;
const MAX_RATIO: u32 = 1_000;
const RATIO_FROM: u64 = 1 << 20;

/// Takes one body in.
pub fn run(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let Ok(coding) = HeaderValue::from_bytes(&bytes[..end]) else { return };
    let headers = HeaderMap::from_iter([(CONTENT_ENCODING, coding)]);
    let wire = Bytes::copy_from_slice(bytes.get(end + 1..).unwrap_or_default());
    let settings = BodySettings {
        keep: true,
        digest: true,
        max_wire: MAX_WIRE,
        max_decoded: MAX_DECODED,
        max_ratio: MAX_RATIO,
        ..BodySettings::default()
    };
    let plan = BodyPlan::new(&settings, &headers);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without a driver");
    match runtime.block_on(receive(Full::new(wire.clone()), plan, None, None, &Cell::new(0))) {
        Ok(received) => check(&received, &wire, ContentCodings::of(&headers).is_empty()),
        Err(BodyError::Refused(failure)) => assert!(matches!(failure.phase, Phase::Body | Phase::Decode), "{failure}"),
        Err(BodyError::Transport(never)) => match never {},
    }
}

fn check(received: &ReceivedBody, wire: &Bytes, as_sent: bool) {
    let body = received.body.as_ref().expect("it is kept");
    let decoded = received.body_bytes;
    assert_eq!((received.wire_bytes, decoded), (wire.len() as u64, body.len() as u64));
    assert!(received.wire_bytes <= MAX_WIRE, "{} bytes on the wire", received.wire_bytes);
    assert!(decoded <= MAX_DECODED, "{decoded} bytes decoded");
    assert!(decoded < RATIO_FROM || decoded <= received.wire_bytes * u64::from(MAX_RATIO), "{decoded} bytes decoded");
    assert!(received.sha256.is_some());
    assert!(!as_sent || body == wire, "changed on the way");
}
