//! HTTP/2 peers that take back what they promised: GOAWAY and RST_STREAM at every moment.

use haul::model::{FailureKind, Phase};

use super::case::{Case, Group, Verdict, complete, failed};
use super::h2::{
    CANCEL, CODES, ENHANCE_YOUR_CALM, HTTP_1_1_REQUIRED, INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM, answer, case,
    case_with, data, goaway, hello, lab, last, ok, post, reset, serve,
};

const FINE: Verdict = complete(200, 5);
const CLOSED: Verdict = failed(Phase::Head, FailureKind::Closed);
const RESET: Verdict = failed(Phase::Head, FailureKind::Reset);
const RESET_BODY: Verdict = failed(Phase::Body, FailureKind::Reset);
const CUT: Verdict = failed(Phase::Body, FailureKind::Truncated);
const BAD: Verdict = failed(Phase::Head, FailureKind::Malformed);

pub(crate) fn group() -> Group {
    let cases = [leaving_early(), leaving_midway(), refusing(), resetting(), after_the_end()];
    Group { title: "HTTP/2: GOAWAY and RST_STREAM", cases: cases.into_iter().flatten().collect() }
}

/// The first connection gets these bytes in answer to its request, and is closed. All others answer well.
fn first(what: &str, rule: &'static str, expected: Verdict, bytes: Vec<u8>) -> Case {
    case(what, rule, expected, on_first(bytes))
}

fn on_first(bytes: Vec<u8>) -> impl super::h2::Script {
    move |conn| {
        conn.greet(&[])?;
        let stream = conn.request()?;
        if conn.number > 0 {
            return conn.send(hello(stream));
        }
        conn.send(&bytes)?;
        conn.end()
    }
}

/// Every connection gets these bytes in answer to its request, and is closed.
fn every(what: &str, rule: &'static str, expected: Verdict, bytes: Vec<u8>) -> Case {
    case(what, rule, expected, move |conn| {
        conn.greet(&[])?;
        conn.request()?;
        conn.send(&bytes)?;
        conn.end()
    })
}

fn leaving_early() -> Vec<Case> {
    const RULE: &str = "RFC 9113 §6.8";
    vec![
        first("leaves before the request, then answers on a new connection", RULE, FINE, goaway(0, NO_ERROR)),
        every("leaves before the request, every time", RULE, CLOSED, goaway(0, NO_ERROR)),
        case_with("leaves before a POST, then takes it on a new connection", RULE, FINE, post(5), |conn| {
            on_first(goaway(0, NO_ERROR))(conn)
        }),
        every("leaves before the request with INTERNAL_ERROR, every time", RULE, RESET, goaway(0, INTERNAL_ERROR)),
        case("leaves as soon as it has greeted, then answers on a new connection", RULE, FINE, |conn| {
            conn.greet(&[])?;
            if conn.number > 0 {
                let stream = conn.request()?;
                return conn.send(hello(stream));
            }
            conn.send(goaway(0, NO_ERROR))?;
            conn.end()
        }),
        case("leaves as soon as it has greeted, every time", RULE, CLOSED, |conn| {
            conn.greet(&[])?;
            conn.send(goaway(0, NO_ERROR))?;
            conn.end()
        }),
        case("tells it is too much (ENHANCE_YOUR_CALM) as soon as it has greeted", RULE, RESET, |conn| {
            conn.greet(&[])?;
            conn.send(goaway(0, ENHANCE_YOUR_CALM))?;
            conn.end()
        }),
        first("asks for less (ENHANCE_YOUR_CALM), then answers", RULE, FINE, goaway(0, ENHANCE_YOUR_CALM)),
        case_with("asks for less before a POST, then takes it on a new connection", RULE, FINE, post(5), |conn| {
            on_first(goaway(0, ENHANCE_YOUR_CALM))(conn)
        }),
        case("sends GOAWAY where its settings are due", "RFC 9113 §3.4", PROTOCOL, |conn| {
            conn.preface()?;
            conn.send(goaway(0, NO_ERROR))?;
            conn.end()
        }),
        every(
            "says that it will leave, twice, and closes",
            RULE,
            CLOSED,
            [goaway(i32::MAX as u32, 0), goaway(0, 0)].concat(),
        ),
    ]
}

const PROTOCOL: Verdict = failed(Phase::Head, FailureKind::Protocol);

fn leaving_midway() -> Vec<Case> {
    const RULE: &str = "RFC 9113 §6.8";
    let begun = || [ok(1, []), data(1, "he")].concat();
    vec![
        answer("leaves after this request, then answers it", RULE, FINE, [goaway(1, NO_ERROR), hello(1)].concat()),
        answer(
            "leaves after this request in mid-body, then sends the rest",
            RULE,
            FINE,
            [begun(), goaway(1, NO_ERROR), last(1, "llo")].concat(),
        ),
        answer(
            "says twice that it leaves, then answers",
            RULE,
            FINE,
            [goaway(i32::MAX as u32, NO_ERROR), goaway(1, NO_ERROR), hello(1)].concat(),
        ),
        answer("leaves and takes in more than before", RULE, BAD, [goaway(1, 0), goaway(5, 0), hello(1)].concat()),
        every("leaves after this request and closes", RULE, CLOSED, goaway(1, NO_ERROR)),
        every("leaves in mid-body and closes", RULE, CUT, [begun(), goaway(1, NO_ERROR)].concat()),
        every("leaves in mid-body with an error and closes", RULE, CUT, [begun(), goaway(1, INTERNAL_ERROR)].concat()),
        every("disowns the stream in mid-body and closes", RULE, CUT, [begun(), goaway(0, NO_ERROR)].concat()),
        every("disowns the stream in mid-body with an error", RULE, RESET_BODY, [begun(), goaway(0, 2)].concat()),
        Case::new("leaves after the first of three URLs, on each connection", RULE, complete(200, 15), || {
            let peer = serve(|conn| {
                conn.greet(&[])?;
                let stream = conn.request()?;
                conn.send([hello(stream), goaway(stream, NO_ERROR)].concat())?;
                conn.end()
            });
            super::h2::together(lab().fetch_all(["/a", "/b", "/c"].map(|path| peer.url(path))))
        }),
    ]
}

fn refusing() -> Vec<Case> {
    const RULE: &str = "RFC 9113 §8.7";
    let refused_first = |conn: &mut super::h2::Conn| {
        conn.greet(&[])?;
        let stream = conn.request()?;
        conn.send(reset(stream, REFUSED_STREAM))?;
        let stream = conn.request()?;
        conn.send(hello(stream))
    };
    vec![
        case("refuses the stream, then takes the next", RULE, FINE, refused_first),
        case_with("refuses a POST's stream, then takes the next", RULE, FINE, post(5), refused_first),
        Case::new("refuses every stream; is asked four times", RULE, CLOSED, || {
            let peer = serve(|conn| {
                conn.greet(&[])?;
                for _ in 0..4 {
                    let stream = conn.request()?;
                    conn.send(reset(stream, REFUSED_STREAM))?;
                }
                // A fifth one would be answered, and be found out.
                let stream = conn.request()?;
                conn.send(hello(stream))
            });
            lab().fetch(peer.url("/"))
        }),
    ]
}

fn resetting() -> Vec<Case> {
    let code = |n: usize| u32::try_from(n).expect("small");
    let named = || CODES.iter().enumerate().map(move |(n, name)| (code(n), *name)).chain([(0xbad, "an unknown code")]);
    let before = named().filter(|(code, _)| ![REFUSED_STREAM, HTTP_1_1_REQUIRED].contains(code)).map(|(code, name)| {
        answer(format!("resets the stream before the head: {name}"), "RFC 9113 §6.4", RESET, reset(1, code))
    });
    let midway = named().map(|(code, name)| {
        let expected = if code == NO_ERROR { CUT } else { RESET_BODY };
        let bytes = [ok(1, []), data(1, "he"), reset(1, code)].concat();
        answer(format!("resets the stream in mid-body: {name}"), "RFC 9113 §6.4", expected, bytes)
    });
    let all_but_the_end = [ok(1, [("content-length", "5")]), data(1, "hello"), reset(1, NO_ERROR)].concat();
    let with_length = answer(
        "resets the stream after all bytes it announced, but before END_STREAM: NO_ERROR",
        "RFC 9113 §8.1",
        CUT,
        all_but_the_end,
    );
    before.chain(midway).chain([with_length]).collect()
}

fn after_the_end() -> Vec<Case> {
    const RULE: &str = "RFC 9113 §8.1";
    let early = |conn: &mut super::h2::Conn, code| {
        conn.greet(&[(super::h2::INITIAL_WINDOW_SIZE, 0)])?;
        let stream = conn.request()?;
        conn.send([hello(stream), reset(stream, code)].concat())
    };
    vec![
        answer("resets the stream after its end: NO_ERROR", RULE, FINE, [hello(1), reset(1, NO_ERROR)].concat()),
        answer("resets the stream after its end: CANCEL", RULE, FINE, [hello(1), reset(1, CANCEL)].concat()),
        answer("leaves with an error after the end", RULE, FINE, [hello(1), goaway(1, INTERNAL_ERROR)].concat()),
        every("leaves and closes after the end", RULE, FINE, [hello(1), goaway(1, NO_ERROR)].concat()),
        case_with(
            "answers an upload it does not read, and resets it: NO_ERROR",
            RULE,
            FINE,
            post(100_000),
            move |conn| early(conn, NO_ERROR),
        ),
        case_with("answers an upload it does not read, and leaves it open", RULE, FINE, post(100_000), |conn| {
            conn.greet(&[(super::h2::INITIAL_WINDOW_SIZE, 0)])?;
            let stream = conn.request()?;
            conn.send(hello(stream))
        }),
    ]
}
