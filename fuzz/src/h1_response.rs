//! The first line is a plan: a byte of flags, then the lengths of the pieces that the server's bytes come in (0 ends what
//! comes before the next request). All after it are the server's bytes. A flag asks for a whole run of the engine besides,
//! which takes twenty times as long as a connection alone.
//!
//! Promise: whatever a server sends, each request has one outcome; a success is one by [`naive_h1`] too, with the same body;
//! it does not depend on the pieces; and a connection is used again only when a response ended where the server stopped.

use http::{Method, Version};

use super::naive_h1::{self, Complete};
use super::peer::{End, Script};
use super::receive::{self, Verdict};

/// Plays one server.
pub fn run(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (plan, bytes) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
    let Some((flags, lengths)) = plan.split_first() else { return };
    let method = if flags & 1 != 0 { Method::HEAD } else { Method::GET };
    let turns = Script::cut(bytes, lengths);
    let script = Script {
        end: [End::Close, End::Silence, End::Close, End::Reset][usize::from(flags >> 1 & 3)],
        requests: |heard| heard.windows(4).filter(|window| window == b"\r\n\r\n").count(),
        speaks_first: flags & 8 != 0 && turns.len() == 1,
        turns,
    };
    let verdicts = receive::h1(&script, &method);
    let allowed = allowed(&script, &method);
    assert!(verdicts.len() <= allowed.len().max(1), "{verdicts:?}, after {allowed:?}");
    for (place, verdict) in verdicts.iter().enumerate() {
        check(verdict, allowed.get(place).and_then(Option::as_ref));
    }
    check_alike(&receive::h1(&script.in_one_piece(), &method), &verdicts);
    if flags & 16 != 0 && script.end != End::Silence && !verdicts.iter().any(Verdict::is_timeout) {
        let ran = receive::run(&script, &method, Version::HTTP_11, 2);
        assert_eq!(ran[0], verdicts[0], "in a run");
        assert!(ran[1] == verdicts[0] || Some(&ran[1]) == verdicts.get(1), "{ran:?} in a run, {verdicts:?}");
    }
}

/// The pieces change nothing but the name of what is wrong with a head that is malformed and cut off as well.
fn check_alike(at_once: &[Verdict], verdicts: &[Verdict]) {
    let alike = |(at_once, verdict): (&Verdict, &Verdict)| {
        at_once == verdict || at_once.failed_in().is_some() && at_once.failed_in() == verdict.failed_in()
    };
    let same = at_once.len() == verdicts.len() && at_once.iter().zip(verdicts).all(alike);
    assert!(same, "{verdicts:?}, in one piece {at_once:?}");
}

/// What may be made of each turn, as far as connections may be used again.
fn allowed(script: &Script, method: &Method) -> Vec<Option<Complete>> {
    let turns = script.said();
    let mut allowed = Vec::new();
    for (place, said) in turns.iter().enumerate() {
        let is_last = place + 1 == turns.len();
        let complete = naive_h1::judge(said, *method == Method::HEAD, is_last && script.end == End::Close);
        let ends_here = complete.as_ref().is_some_and(|complete| complete.end == Some(said.len()));
        allowed.push(complete);
        if !ends_here {
            break;
        }
    }
    allowed
}

fn check(verdict: &Verdict, allowed: Option<&Complete>) {
    let Verdict::Success { status, body, wire } = verdict else { return };
    let complete = allowed.unwrap_or_else(|| panic!("{verdict:?}, and the response is not complete"));
    assert_eq!((*status, *wire), (complete.status, complete.body.len() as u64));
    assert!(complete.coded || *body == complete.body, "{body:?} of {:?}", complete.body);
}
