//! HTTP/2 frames: their order, their streams, their sizes.

use haul::model::{FailureKind, Phase};

use super::case::{Group, complete, failed};
use super::h2::{
    CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PRIORITY, PUSH_PROMISE,
    RST_STREAM, SETTINGS, STATUS_200, WINDOW_UPDATE, answer, case, data, field, frame, hello, last, lying, ok, reset,
};

pub(crate) fn group() -> Group {
    let cases = [order(), streams(), sizes(), ignored()].into_iter().flatten().collect();
    Group { title: "HTTP/2: order, streams and sizes of frames", cases }
}

type Cases = Vec<super::case::Case>;

fn order() -> Cases {
    let bad = failed(Phase::Head, FailureKind::Malformed);
    let bad_body = failed(Phase::Body, FailureKind::Malformed);
    let begun = || frame(HEADERS, 0, 1, [STATUS_200]);
    vec![
        answer("sends a body of five bytes", "RFC 9113 §8.1", complete(200, 5), hello(1)),
        answer("sends DATA before HEADERS", "RFC 9113 §8.1", bad, last(1, "hello")),
        answer(
            "sends CONTINUATION without HEADERS",
            "RFC 9113 §6.10",
            bad,
            frame(CONTINUATION, END_HEADERS, 1, [STATUS_200]),
        ),
        answer("sends DATA where CONTINUATION is due", "RFC 9113 §6.10", bad, [begun(), last(1, "hello")].concat()),
        answer(
            "sends CONTINUATION of another stream",
            "RFC 9113 §6.10",
            bad,
            [begun(), frame(CONTINUATION, END_HEADERS, 3, [])].concat(),
        ),
        answer(
            "sends PING between HEADERS and CONTINUATION",
            "RFC 9113 §6.10",
            bad,
            [begun(), frame(PING, 0, 0, [0; 8]), frame(CONTINUATION, END_HEADERS, 1, []), last(1, "hello")].concat(),
        ),
        answer(
            "sends a head in three frames",
            "RFC 9113 §6.10",
            complete(200, 5),
            [
                begun(),
                frame(CONTINUATION, 0, 1, &field("a", "b")[..2]),
                frame(CONTINUATION, END_HEADERS, 1, &field("a", "b")[2..]),
                last(1, "hello"),
            ]
            .concat(),
        ),
        answer("sends DATA after END_STREAM", "RFC 9113 §5.1", complete(200, 5), [hello(1), data(1, "more")].concat()),
        answer(
            "sends DATA after trailers",
            "RFC 9113 §5.1",
            complete(200, 5),
            [
                ok(1, []),
                data(1, "hello"),
                frame(HEADERS, END_HEADERS | END_STREAM, 1, field("a", "b")),
                data(1, "more"),
            ]
            .concat(),
        ),
        answer(
            "sends the body on a stream of its own",
            "RFC 9113 §5.1",
            bad_body,
            [ok(1, []), data(3, "hello")].concat(),
        ),
    ]
}

fn streams() -> Cases {
    let bad = failed(Phase::Head, FailureKind::Malformed);
    let head = |stream| frame(HEADERS, END_HEADERS, stream, [STATUS_200]);
    let promise = [&2_u32.to_be_bytes()[..], &field(":method", "GET"), &field(":path", "/x")].concat();
    vec![
        answer("sends HEADERS on stream 0", "RFC 9113 §6.2", bad, head(0)),
        answer("sends DATA on stream 0", "RFC 9113 §6.1", bad, last(0, "hello")),
        answer("sends RST_STREAM on stream 0", "RFC 9113 §6.4", bad, reset(0, CANCEL)),
        answer("sends PRIORITY on stream 0", "RFC 9113 §6.3", bad, frame(PRIORITY, 0, 0, [0; 5])),
        answer("sends CONTINUATION on stream 0", "RFC 9113 §6.10", bad, frame(CONTINUATION, END_HEADERS, 0, [])),
        answer("sends SETTINGS on stream 1", "RFC 9113 §6.5", bad, frame(SETTINGS, 0, 1, [])),
        answer("sends PING on stream 1", "RFC 9113 §6.7", bad, frame(PING, 0, 1, [0; 8])),
        answer("sends GOAWAY on stream 1", "RFC 9113 §6.8", bad, frame(GOAWAY, 0, 1, [0; 8])),
        answer("sends HEADERS on a stream never opened", "RFC 9113 §5.1", bad, head(7)),
        answer("sends HEADERS on an even stream", "RFC 9113 §5.1.1", bad, head(2)),
        answer("sends DATA on a stream never opened", "RFC 9113 §5.1", bad, last(7, "hello")),
        answer("sends DATA on an even stream", "RFC 9113 §5.1.1", bad, last(2, "hello")),
        answer("resets a stream never opened", "RFC 9113 §6.4", bad, reset(7, CANCEL)),
        answer("opens a stream's window that was never opened", "RFC 9113 §5.1", bad, super::h2::window_update(7, 9)),
        answer("pushes, although push is off", "RFC 9113 §8.4", bad, frame(PUSH_PROMISE, END_HEADERS, 1, promise)),
    ]
}

fn sizes() -> Cases {
    let bad = failed(Phase::Head, FailureKind::Malformed);
    let bad_body = failed(Phase::Body, FailureKind::Malformed);
    let huge = (1 << 24) - 1;
    let in_body = |bytes: Vec<u8>| [ok(1, []), bytes].concat();
    vec![
        answer(
            "sends HEADERS of 16 MiB, as far as their length",
            "RFC 9113 §4.2",
            bad,
            lying(huge, HEADERS, 4, 1, &[]),
        ),
        answer(
            "sends DATA of 16 MiB, as far as its length",
            "RFC 9113 §4.2",
            bad_body,
            in_body(lying(huge, DATA, 0, 1, &[])),
        ),
        answer("sends PING of seven bytes", "RFC 9113 §6.7", bad, frame(PING, 0, 0, [0; 7])),
        answer("sends RST_STREAM of three bytes", "RFC 9113 §6.4", bad, frame(RST_STREAM, 0, 1, [0; 3])),
        answer("sends SETTINGS of seven bytes", "RFC 9113 §6.5", bad, frame(SETTINGS, 0, 0, [0; 7])),
        answer("sends WINDOW_UPDATE of three bytes", "RFC 9113 §6.9", bad, frame(WINDOW_UPDATE, 0, 0, [0; 3])),
        answer("sends GOAWAY of seven bytes", "RFC 9113 §6.8", bad, frame(GOAWAY, 0, 0, [0; 7])),
        answer("sends PRIORITY of four bytes", "RFC 9113 §6.3", bad, frame(PRIORITY, 0, 1, [0; 4])),
        answer(
            "sends HEADERS whose padding is longer than the frame",
            "RFC 9113 §6.2",
            bad,
            frame(HEADERS, END_HEADERS | PADDED, 1, [9, STATUS_200]),
        ),
        answer(
            "sends DATA whose padding is longer than the frame",
            "RFC 9113 §6.1",
            bad_body,
            in_body(frame(DATA, PADDED | END_STREAM, 1, [9, b'x'])),
        ),
        answer(
            "sends DATA whose padding leaves no room for its length",
            "RFC 9113 §6.1",
            bad_body,
            in_body(frame(DATA, PADDED | END_STREAM, 1, [])),
        ),
        answer(
            "sends HEADERS too short for the priority they announce",
            "RFC 9113 §6.2",
            bad,
            frame(HEADERS, END_HEADERS | 0x20, 1, [0; 4]),
        ),
        answer(
            "pads a body of five bytes",
            "RFC 9113 §6.1",
            complete(200, 5),
            in_body(frame(DATA, PADDED | END_STREAM, 1, b"\x03hello\0\0\0")),
        ),
    ]
}

fn ignored() -> Cases {
    let fine = complete(200, 5);
    let after = |bytes: Vec<u8>| [bytes, hello(1)].concat();
    vec![
        answer("sends a frame of an unknown type first", "RFC 9113 §4.1", fine, after(frame(0xfa, 0xff, 1, "junk"))),
        answer("sets flags that mean nothing", "RFC 9113 §4.1", fine, after(frame(PRIORITY, 0xff, 1, [0, 0, 0, 0, 9]))),
        answer(
            "sets the reserved bit of each stream number",
            "RFC 9113 §4.1",
            fine,
            [frame(HEADERS, END_HEADERS, 1 << 31 | 1, [STATUS_200]), last(1 << 31 | 1, "hello")].concat(),
        ),
        answer(
            "sends ALTSVC and ORIGIN",
            "RFC 8336 §2.1",
            fine,
            after([frame(10, 0, 1, "x"), frame(12, 0, 0, [])].concat()),
        ),
        case("answers a PING that was never sent", "RFC 9113 §6.7", fine, |conn| {
            conn.greet(&[])?;
            let stream = conn.request()?;
            conn.send([frame(PING, 1, 0, [7; 8]), hello(stream)].concat())
        }),
        case("sends its settings and the answer in one segment", "RFC 9113 §3.4", fine, |conn| {
            conn.polite = false;
            conn.preface()?;
            let stream = conn.request()?;
            conn.send([frame(SETTINGS, 0, 0, []), hello(stream)].concat())
        }),
    ]
}
