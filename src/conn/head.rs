//! The order of a response's headers, read from the head as it was sent: hyper's map groups repeated names. Pure.

use http::HeaderName;

/// The names in the last head of `bytes`, which hold it whole, any informational (1xx) heads before it, and perhaps the
/// beginning of the body.
pub(super) fn names(bytes: &[u8]) -> Vec<HeaderName> {
    let mut names = Vec::new();
    let mut lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    while let Some(status_line) = lines.next() {
        names.clear();
        for line in lines.by_ref() {
            if line.is_empty() {
                break;
            }
            names.extend(name(line));
        }
        if !is_informational(status_line) {
            break;
        }
    }
    names
}

/// The name in a header line; `None` for what is none (a folded line, say).
fn name(line: &[u8]) -> Option<HeaderName> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    HeaderName::from_bytes(line[..colon].trim_ascii_end()).ok()
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
    fn no_head_has_no_names_and_nothing_panics() {
        for bytes in [&b""[..], b"\n", b"HTTP/1.1", b"HTTP/1.1 100\r\n\r\n", b":\r\n:\r\n", b"\xff\xff\n\xff:\n\n"] {
            assert!(names(bytes).is_empty(), "{bytes:?}");
        }
    }
}
