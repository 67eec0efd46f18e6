//! A short cut for the plain majority of URLs: those already in the form that parsing would give them.
//!
//! It says yes only to a small part of what is valid, byte by byte; all else goes through the full rules. Tests hold
//! each yes against them.

use std::net::Ipv4Addr;

/// The byte may stand in a plain host, path or query.
const HOST: u8 = 1;
const PATH: u8 = 2;
const QUERY: u8 = 4;

/// Where each byte may stand.
const PLACES: [u8; 256] = places();

const fn places() -> [u8; 256] {
    let mut places = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        places[byte] = match byte as u8 {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' => HOST | PATH | QUERY,
            b'A'..=b'Z' | b'_' | b'~' | b'!' | b'$' | b'&' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => {
                PATH | QUERY
            }
            b':' | b'@' | b'/' | b'%' => PATH | QUERY,
            b'\'' => PATH,
            b'?' | b'[' | b']' => QUERY,
            _ => 0,
        };
        byte += 1;
    }
    places
}

/// Where the path begins in `text`, if `text` is an `http:` or `https:` URL that parsing would leave as it is:
/// lower-case name for a host, no default port, no credentials, no dot segments, no fragment, nothing to encode.
pub(super) fn path_at(text: &str) -> Option<u32> {
    let bytes = text.as_bytes();
    let (host_at, default_port) = match bytes {
        [b'h', b't', b't', b'p', b's', b':', b'/', b'/', ..] => (8, 443),
        [b'h', b't', b't', b'p', b':', b'/', b'/', ..] => (7, 80),
        _ => return None,
    };
    let host_end = host_at + run(HOST, &bytes[host_at..]);
    let host = &text[host_at..host_end];
    // The standard library reads only the one form of an address that parsing would give: four decimal numbers.
    if !is_plain_name(host.as_bytes()) && host.parse::<Ipv4Addr>().is_err() {
        return None;
    }
    // Perhaps a second scheme and no host: the full rules judge that.
    if host.ends_with("http") || host.ends_with("https") {
        return None;
    }
    let path_at = host_end + port_length(&bytes[host_end..], default_port)?;
    let path_end = path_at + run(PATH, &bytes[path_at..]);
    let path = &bytes[path_at..path_end];
    let query_end = path_end + run(QUERY, &bytes[path_end..]);
    let whole = query_end == bytes.len() && matches!(bytes.get(path_end), None | Some(b'?'));
    (whole && path.first() == Some(&b'/') && !has_dot_segment(path)).then(|| u32::try_from(path_at).ok())?
}

/// How many bytes from the start may stand in `place`.
fn run(place: u8, bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| PLACES[usize::from(byte)] & place == 0).unwrap_or(bytes.len())
}

/// Whether `host` is a name that stays as it is: no empty label, no punycode, and a last label that can't be read as a
/// part of an IPv4 address.
fn is_plain_name(host: &[u8]) -> bool {
    let mut previous = b'.';
    let mut label_at = 0;
    for (at, &byte) in host.iter().enumerate() {
        if byte == previous && matches!(byte, b'.' | b'-') {
            return false;
        }
        if byte == b'.' {
            label_at = at + 1;
        }
        previous = byte;
    }
    host.get(label_at).is_some_and(u8::is_ascii_lowercase)
}

/// The length of the port that `rest` begins with: 0 if there is none; `None` if it would be changed or refused.
fn port_length(rest: &[u8], default: u32) -> Option<usize> {
    let Some(after_colon) = rest.strip_prefix(b":") else { return Some(0) };
    let digits = after_colon.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
    let port = after_colon[..digits].iter().fold(0, |port, digit| port * 10 + u32::from(digit - b'0'));
    let plain = after_colon.first() != Some(&b'0') && (1..=0xffff).contains(&port) && port != default;
    plain.then_some(1 + digits)
}

/// Whether a segment may be `.` or `..`, perhaps percent-encoded. Also true for hidden files, which are rare.
fn has_dot_segment(path: &[u8]) -> bool {
    path.windows(2).any(|pair| pair == b"/.")
        || path.windows(3).any(|triple| triple[..2] == *b"%2" && triple[2].eq_ignore_ascii_case(&b'e'))
}
