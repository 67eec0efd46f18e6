//! A response's head as it was sent, where hyper's map does not tell: the order of the headers (it groups repeated names),
//! and the lines that it passed over. Pure.

use http::HeaderName;

/// The names in the last head of `bytes`, which hold it whole, any informational (1xx) heads before it, and perhaps the
/// beginning of the body.
pub(super) fn names(bytes: &[u8]) -> Vec<HeaderName> {
    lines(last_head(bytes)).filter_map(name).collect()
}

/// How many lines of the last head of `bytes` say, or try to say, where the body ends.
pub(super) fn framing_lines(bytes: &[u8]) -> usize {
    let says = |line: &&[u8]| begins_with(line, b"content-length") || begins_with(line, b"transfer-encoding");
    lines(last_head(bytes)).filter(says).count()
}

/// How many bytes at the beginning of `bytes` are whole informational heads: another head follows them.
pub(super) fn informational(bytes: &[u8]) -> usize {
    let mut passed = 0;
    loop {
        let mut rest = &bytes[passed..];
        let status_line = std::iter::from_fn(|| next_line(&mut rest)).find(|line| !line.is_empty());
        if !status_line.is_some_and(is_informational) {
            return passed;
        }
        // The empty line that ends it has to be there whole.
        let mut ended = false;
        while let Some(line) = next_line(&mut rest) {
            if line.is_empty() {
                ended = bytes[..bytes.len() - rest.len()].ends_with(b"\n");
                break;
            }
        }
        if !ended {
            return passed;
        }
        passed = bytes.len() - rest.len();
    }
}

/// The header lines of the last head.
fn last_head(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    loop {
        let status_line = std::iter::from_fn(|| next_line(&mut rest)).find(|line| !line.is_empty());
        let head = rest;
        while next_line(&mut rest).is_some_and(|line| !line.is_empty()) {}
        if !status_line.is_some_and(is_informational) {
            return &head[..head.len() - rest.len()];
        }
    }
}

fn lines(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || next_line(&mut bytes))
}

/// The line that `bytes` begin with, without its end. They begin with the next one then.
fn next_line<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    if bytes.is_empty() {
        return None;
    }
    let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    let line = &bytes[..end];
    *bytes = bytes.get(end + 1..).unwrap_or_default();
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

/// The name in a header line; `None` for what is none (a folded line, say).
fn name(line: &[u8]) -> Option<HeaderName> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    HeaderName::from_bytes(line[..colon].trim_ascii_end()).ok()
}

/// Whether a line begins with `name`, and not with a longer one.
fn begins_with(line: &[u8], name: &[u8]) -> bool {
    let Some((own, rest)) = line.split_at_checked(name.len()) else { return false };
    own.eq_ignore_ascii_case(name) && !rest.first().is_some_and(|byte| is_token(*byte))
}

/// RFC 9110 §5.6.2.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

/// Whether more heads follow: 1xx other than 101.
fn is_informational(status_line: &[u8]) -> bool {
    let status = status_line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    status.starts_with(b"1") && status != b"101"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(bytes: &[u8]) -> Vec<String> {
        names(bytes).iter().map(|name| name.as_str().into()).collect()
    }

    #[test]
    fn the_final_head_counts_and_the_body_does_not() {
        let bytes =
            b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nB: 1\r\nSet-Cookie : a\r\n folded\r\n\
            A: 2\r\nset-cookie: b\r\n\r\nbody: not a header\r\n\r\n";
        assert_eq!(list(bytes), ["b", "set-cookie", "a", "set-cookie"]);
    }

    #[test]
    fn lines_about_the_bodys_end_are_counted_valid_or_not() {
        let heads = "HTTP/1.1 103 Early Hints\r\nContent-Length: 1\r\n\r\n\r\nHTTP/1.1 200 OK\r\n";
        let count = |lines: &str| framing_lines(format!("{heads}{lines}\r\n\r\nContent-Length: 7\r\n").as_bytes());
        assert_eq!(count("A: b"), 0);
        assert_eq!(count("content-Length : 5\r\nTransfer-Encoding: chunked"), 2);
        assert_eq!(count("Content-Length: 5\x01\r\nContent-Length 5\r\nContent-Length\x01: 5\r\nContent-Length"), 4);
        assert_eq!(
            count("Content-Lengths: 5\r\nX-Content-Length: 5\r\nContent-Length-X: 5\r\nA: b\r\n Content-Length: 5"),
            0
        );
    }

    #[test]
    fn whole_informational_heads_are_passed() {
        let early = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
        let last = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
        let passed = |text: &str| informational(text.as_bytes());
        assert_eq!(passed(&format!("{early}\r\n{early}{last}")), 2 * early.len() + 2);
        assert_eq!(passed(&format!("{early}{}", &early[..early.len() - 1])), early.len());
        assert_eq!(passed(&format!("{early}{}", &early[..early.len() - 2])), early.len());
        assert_eq!(passed(last), 0);
        assert_eq!(passed("HTTP/1.1 101 Switching Protocols\r\n\r\n"), 0, "it is the last one");
        assert!((0..early.len()).all(|at| passed(&early[..at]) == 0));
        for text in ["", "\n", "\r\n\r\n", "HTTP/1.1 103"] {
            assert_eq!(passed(text), 0, "{text:?}");
        }
    }

    #[test]
    fn no_head_has_no_names_and_nothing_panics() {
        for bytes in [&b""[..], b"\n", b"HTTP/1.1", b"HTTP/1.1 100\r\n\r\n", b":\r\n:\r\n", b"\xff\xff\n\xff:\n\n"] {
            assert!(names(bytes).is_empty(), "{bytes:?}");
        }
    }
}
