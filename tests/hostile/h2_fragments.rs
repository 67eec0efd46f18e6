//! HTTP/2 heads that come in fragments (CONTINUATION): cut anywhere, a head is what it is whole, and its neighbours live.

use haul::model::{FailureKind, Phase};

use super::case::{Case, Group, Verdict, complete, failed};
use super::h2::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PADDED, PING, PUSH_PROMISE, STATUS_200, answer, block, data,
    field, frame, hello, int, lab, last, ok, serve, together,
};

const FINE: Verdict = complete(200, 5);
const BAD: Verdict = failed(Phase::Head, FailureKind::Malformed);
const BAD_BODY: Verdict = failed(Phase::Body, FailureKind::Malformed);
const TOO_LARGE: Verdict = failed(Phase::Head, FailureKind::HeadTooLarge);
const PRIORITISED: u8 = 0x20;

pub(crate) fn group() -> Group {
    let cases = [cut_heads(), neighbours(), other_heads(), many(), broken()];
    Group { title: "HTTP/2: heads in fragments", cases: cases.into_iter().flatten().collect() }
}

/// HEADERS with these flags and the first of the pieces, CONTINUATION with the others.
fn pieces(stream: u32, flags: u8, pieces: &[&[u8]]) -> Vec<u8> {
    let (first, rest) = pieces.split_first().expect("there is one");
    let mut frames = frame(HEADERS, flags, stream, first);
    for (n, piece) in rest.iter().enumerate() {
        let last = if n + 1 == rest.len() { END_HEADERS } else { 0 };
        frames.extend(frame(CONTINUATION, last, stream, piece));
    }
    frames
}

/// URLs one after another on one connection. The answer to each second one is this head, cut in two at every place, and a body;
/// the others are answered well. The verdict is that on the cut ones, if it is one, and the others came whole.
fn cut(what: &str, rule: &'static str, expected: Verdict, head: Vec<u8>) -> Case {
    cut_on(true, what, rule, expected, head)
}

/// The same; `kept`: one connection has carried all of it.
fn cut_on(kept: bool, what: &str, rule: &'static str, expected: Verdict, head: Vec<u8>) -> Case {
    Case::new(format!("{what}, cut in two at every byte, between good answers"), rule, expected, move || {
        let cuts = head.len() + 1;
        let peer = serve(move |conn| {
            conn.greet(&[])?;
            for at in 0..cuts {
                let bad = conn.request()?;
                conn.send([pieces(bad, 0, &[&head[..at], &head[at..]]), last(bad, "hello")].concat())?;
                let good = conn.request()?;
                conn.send(hello(good))?;
            }
            Ok(())
        });
        let outcomes = lab().fetch_all((0..2 * cuts).map(|n| peer.url(&format!("/{n}"))));
        let verdicts: Vec<_> = outcomes.iter().map(Verdict::of).collect();
        let (bad, good): (Vec<_>, Vec<_>) = verdicts.chunks(2).map(|pair| (pair[0], pair[1])).unzip();
        assert!(kept == (peer.connections() == 1), "{} connections", peer.connections());
        let other = bad.into_iter().find(|verdict| *verdict != expected);
        other.or_else(|| good.into_iter().find(|verdict| *verdict != FINE)).unwrap_or(expected)
    })
}

fn cut_heads() -> Vec<Case> {
    const CONNECTION: &str = "RFC 9113 §8.2.2";
    const PSEUDO: &str = "RFC 9113 §8.3";
    const FIELD: &str = "RFC 9113 §8.2.1";
    let with = |fields: Vec<u8>| [vec![STATUS_200], fields, field("server", "x")].concat();
    // What h2 takes for an error of HPACK ends the connection, cut or not.
    let ends = |what, rule, expected, head| cut_on(false, what, rule, expected, head);
    vec![
        cut("sends a good head", "RFC 9113 §6.10", FINE, with(block([("a", "b"), ("content-length", "5")]))),
        cut("sends connection: close", CONNECTION, BAD, with(field("connection", "close"))),
        cut("sends keep-alive", CONNECTION, BAD, with(field("keep-alive", "timeout=5"))),
        cut("sends transfer-encoding: chunked", CONNECTION, BAD, with(field("transfer-encoding", "chunked"))),
        cut("sends upgrade", CONNECTION, BAD, with(field("upgrade", "h2c"))),
        cut("sends :status twice", PSEUDO, BAD, with(vec![STATUS_200])),
        cut("sends :status after a field", PSEUDO, BAD, [field("a", "b"), with(vec![])].concat()),
        cut("sends no :status", "RFC 9113 §8.3.2", BAD, block([("a", "b"), ("c", "d")])),
        ends("sends an unknown pseudo-header", PSEUDO, BAD, with(field(":reason", "OK"))),
        ends("sends an upper-case name", "RFC 9113 §8.2", BAD, with(field("Server", "x"))),
        ends("sends a value with NUL", FIELD, BAD, with(field("a", "x\0y"))),
        cut(
            "says five bytes and six",
            "RFC 9110 §8.6",
            BAD,
            with(block([("content-length", "5"), ("content-length", "6")])),
        ),
    ]
}

/// Where the head that h2 takes for the end of the connection stands among those of its neighbours, all sent at once.
#[derive(Clone, Copy)]
enum Place {
    /// Before their heads.
    First,
    /// Between their heads and their ends.
    Between,
    /// After one that is whole, before one that is not there.
    Amid,
}

/// Four URLs at once, of which the second's head is this. The verdict is the second's, if the others, which are asked again where
/// they were cut off, come whole.
fn beside(what: &str, head: Vec<u8>, place: Place) -> Case {
    let when = match place {
        Place::First => "before its neighbours' heads",
        Place::Between => "between their heads and their ends",
        Place::Amid => "after one whole response and before another",
    };
    let what = format!("{what} on one stream of four, {when}: the others are asked again");
    Case::new(what, "RFC 9113 §8.1.1", BAD, move || {
        let peer = serve(move |conn| {
            conn.greet(&[])?;
            if conn.number > 0 {
                loop {
                    let stream = conn.request()?;
                    conn.send(hello(stream))?;
                }
            }
            let first = conn.request()?;
            conn.send(hello(first))?;
            let [bad, second, third] = [conn.request()?, conn.request()?, conn.request()?];
            let bad = frame(HEADERS, END_HEADERS, bad, &head);
            conn.send(match place {
                Place::First => [bad, hello(second), hello(third)].concat(),
                Place::Between => [ok(second, []), ok(third, []), bad, last(third, ""), last(second, "")].concat(),
                Place::Amid => [hello(second), bad, hello(third)].concat(),
            })
        });
        let lab = lab().with(|config| {
            config.limits.per_host = 4.try_into().expect("not zero");
            config.retries.retries = 2;
        });
        let mut outcomes = lab.fetch_all((0..4).map(|n| peer.url(&format!("/{n}"))));
        let bad = Verdict::of(&outcomes.remove(1));
        match together(outcomes) {
            Verdict::Complete { bytes: 15, .. } => bad,
            other => other,
        }
    })
}

fn neighbours() -> Vec<Case> {
    let with = |fields: Vec<u8>| [vec![STATUS_200], fields].concat();
    let mut cases = Vec::new();
    for place in [Place::First, Place::Between, Place::Amid] {
        cases.push(beside("sends an upper-case name", with(field("Server", "x")), place));
        cases.push(beside("sends a value with NUL", with(field("a", "x\0y")), place));
        cases.push(beside("sends :status: abc", block([(":status", "abc")]), place));
        cases.push(beside("names an entry that is not in the table", with(vec![0x80 | 62]), place));
    }
    cases
}

fn other_heads() -> Vec<Case> {
    const RULE: &str = "RFC 9113 §6.10";
    let ending = END_STREAM;
    let trailers = |block: &[u8]| {
        [ok(1, []), data(1, "hello"), pieces(1, ending, &[&block[..3], &block[3..7], &block[7..]])].concat()
    };
    let early = [(":status", "103"), ("link", "</x>")];
    let begun = |flags, first: &[u8]| [pieces(1, flags, &[first, &field("a", "b")]), last(1, "hello")].concat();
    vec![
        answer("sends trailers in three fragments", RULE, FINE, trailers(&field("trailer", "x"))),
        answer("sends connection: close in trailers in three", RULE, BAD_BODY, trailers(&field("connection", "close"))),
        answer(
            "sends 103 in two fragments, then a head in two",
            RULE,
            FINE,
            [pieces(1, 0, &[&block(early)[..5], &block(early)[5..]]), begun(0, &[STATUS_200])].concat(),
        ),
        answer("pads the first fragment", RULE, FINE, begun(PADDED, &[3, STATUS_200, 0, 0, 0])),
        answer("gives the first fragment a priority", RULE, FINE, begun(PRIORITISED, &[0, 0, 0, 0, 9, STATUS_200])),
        answer("does both", RULE, FINE, begun(PADDED | PRIORITISED, &[1, 0, 0, 0, 0, 9, STATUS_200, 0])),
        answer(
            "ends the stream with the first fragment",
            RULE,
            complete(200, 0),
            pieces(1, ending, &[&[STATUS_200], &[]]),
        ),
    ]
}

fn many() -> Vec<Case> {
    const RULE: &str = "RFC 9113 §6.10";
    let large = |fields: usize| -> Vec<u8> {
        [vec![STATUS_200], (0..fields).flat_map(|n| field(format!("n{n:04}"), "v".repeat(1000))).collect()].concat()
    };
    let body = |head: Vec<u8>| [head, last(1, "hello")].concat();
    let chunks = |head: &[u8], size: usize| pieces(1, 0, &head.chunks(size).collect::<Vec<_>>());
    let small = [vec![STATUS_200], block([("server", "x"), ("date", "today"), ("content-length", "5")])].concat();
    let empty_ones = [&small[..9]].into_iter().chain([&[][..]; 5000]).chain([&small[9..]]).collect::<Vec<_>>();
    vec![
        answer("sends a small head, a byte a frame", RULE, FINE, body(chunks(&small, 1))),
        answer("sends five thousand empty fragments among it", RULE, FINE, body(pieces(1, 0, &empty_ones))),
        answer("sends a head of 60 KiB, a byte a frame", RULE, FINE, body(chunks(&large(60), 1))),
        answer("sends a head of 60 KiB in frames of 1 KiB", RULE, FINE, body(chunks(&large(60), 1024))),
        answer("sends a head of 100 KiB in frames of 1 KiB", RULE, TOO_LARGE, body(chunks(&large(99), 1024))),
        answer("sends a head of 200 KiB in frames of 16 KiB", RULE, TOO_LARGE, body(chunks(&large(199), 16 << 10))),
    ]
}

fn broken() -> Vec<Case> {
    const RULE: &str = "RFC 9113 §6.10";
    let begun = || frame(HEADERS, 0, 1, [STATUS_200]);
    let within = |what: &str, other: Vec<u8>| {
        let rest = [other, frame(CONTINUATION, END_HEADERS, 1, []), last(1, "hello")].concat();
        answer(format!("sends {what} within a head"), RULE, BAD, [begun(), rest].concat())
    };
    vec![
        within("PING", frame(PING, 0, 0, [0; 8])),
        within("DATA", frame(DATA, 0, 1, "x")),
        within("CONTINUATION of another stream", frame(CONTINUATION, 0, 3, [])),
        within("a second HEADERS", begun()),
        within("a frame of an unknown type", frame(0xee, 0, 1, [])),
        answer(
            "sends CONTINUATION after a whole head",
            RULE,
            BAD_BODY,
            [ok(1, []), frame(CONTINUATION, 4, 1, [])].concat(),
        ),
        answer("sends CONTINUATION first", RULE, BAD, frame(CONTINUATION, END_HEADERS, 1, [STATUS_200])),
        answer(
            "pads the first fragment with more than it has",
            "RFC 9113 §6.2",
            BAD,
            [pieces(1, PADDED, &[&[5, STATUS_200], &field("a", "b")]), last(1, "hello")].concat(),
        ),
        answer(
            "promises a push in two fragments",
            "RFC 9113 §6.6",
            BAD,
            [frame(PUSH_PROMISE, 0, 1, [0, 0, 0, 2]), frame(CONTINUATION, END_HEADERS, 1, [STATUS_200])].concat(),
        ),
        answer(
            "sends a string of 4 GiB, and its fragments without end",
            "RFC 7541 §5.2",
            BAD,
            [begun(), frame(CONTINUATION, 0, 1, [vec![0], int(0, 7, 1 << 32)].concat()), {
                frame(CONTINUATION, 0, 1, [b'x'; 16_000]).repeat(30)
            }]
            .concat(),
        ),
    ]
}
