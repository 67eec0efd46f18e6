//! The bytes are flags (the first), lengths of pieces (the second says how many, at most 15), and commands that make the
//! server's frames ([`frames`]). A flag asks for a whole run of the engine besides.
//!
//! Promise: whatever a server sends, each request has one outcome and the connection ends; a success is one by
//! [`naive_h2`] too, with the same body, and, of the first request, does not depend on the pieces.

use http::{Method, Version};

use super::peer::{End, Script};
use super::receive::{self, Verdict};
use super::{frames, naive_h2};

const PREFACE: usize = 24;
const FRAME_HEAD: usize = 9;
const HEADERS: u8 = 1;

/// Plays one server.
pub fn run(bytes: &[u8]) {
    let [flags, count, rest @ ..] = bytes else { return };
    let (lengths, commands) = rest.split_at(rest.len().min(usize::from(count & 15)));
    let method = if flags & 1 != 0 { Method::HEAD } else { Method::GET };
    // Settings, and the rest once there is a request; or all of it at once.
    let first = if flags & 8 != 0 { vec![Vec::new()] } else { vec![frames::settings(), Vec::new()] };
    let turns = frames::turns(commands, first);
    let script = Script {
        turns: turns.iter().map(|said| pieces(said, lengths)).collect(),
        end: [End::Close, End::Silence, End::Close, End::Reset][usize::from(flags >> 1 & 3)],
        requests,
        speaks_first: true,
    };
    let verdicts = receive::h2(&script, &method);
    let (all, is_head) = (turns.concat(), method == Method::HEAD);
    verdicts.iter().for_each(|verdict| check(verdict, &all, is_head));
    // What comes before its request, as the second's answer may, is answer or fault by the moment it comes.
    if flags & 8 == 0 {
        let at_once = &receive::h2(&script.in_one_piece(), &method)[0];
        let same = verdicts[0] == *at_once || !verdicts[0].is_success() && !at_once.is_success();
        assert!(same, "{verdicts:?}, in one piece {at_once:?}");
    }
    let can_end = script.end != End::Silence && turns.len() <= 2;
    if flags & 16 != 0 && can_end && !verdicts.iter().any(Verdict::is_timeout) {
        let ran = receive::run(&script, &method, Version::HTTP_2, 1);
        check(&ran[0], &all, is_head);
    }
}

/// `said` in pieces of these lengths, over and over.
fn pieces(said: &[u8], lengths: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = said;
    let mut pieces = Vec::new();
    for length in lengths.iter().cycle() {
        let length = usize::from(*length).max(1);
        if rest.len() <= length {
            break;
        }
        pieces.push(rest[..length].to_vec());
        rest = &rest[length..];
    }
    pieces.push(rest.to_vec());
    pieces
}

/// Requests in what a server has heard.
fn requests(heard: &[u8]) -> usize {
    let mut at = PREFACE;
    let mut requests = 0;
    while let Some([a, b, c, kind, ..]) = heard.get(at..at + FRAME_HEAD) {
        requests += usize::from(*kind == HEADERS);
        at += FRAME_HEAD + u32::from_be_bytes([0, *a, *b, *c]) as usize;
    }
    requests
}

fn check(verdict: &Verdict, said: &[u8], is_head: bool) {
    let Verdict::Success { status, body, wire } = verdict else { return };
    let allowed: Vec<_> = [1, 3].into_iter().filter_map(|stream| naive_h2::judge(said, stream, is_head)).collect();
    let fits = allowed.iter().any(|complete| {
        let same_body = complete.coded || *body == complete.body;
        complete.status.is_none_or(|own| own == *status) && *wire == complete.body.len() as u64 && same_body
    });
    assert!(fits, "{verdict:?}, and complete is {allowed:?}");
}
