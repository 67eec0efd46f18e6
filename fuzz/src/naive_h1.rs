//! A second opinion on the bytes of an HTTP/1.x response: is it complete, and where does it end?
//!
//! Written from RFC 9112 §6 and §7 alone. Lenient where leniency can't lose or add a byte of a body (line ends, folded
//! lines, blanks), and strict on everything that says where a body ends. It decodes nothing and keeps no limits: what it
//! calls complete may still be refused, but nothing else may be called complete.

/// A complete response.
#[derive(Debug, PartialEq, Eq)]
pub struct Complete {
    /// Its status.
    pub status: u16,
    /// Its body, as it is on the wire.
    pub body: Vec<u8>,
    /// Whether the body has a coding, or may have one.
    pub coded: bool,
    /// Where the next response begins; `None` when the end of the connection was its end.
    pub end: Option<usize>,
}

/// The first response in `bytes`, to a request by HEAD or another method. `closed`: the connection is closed, in good
/// order, after the last byte. `None`: there is no complete one.
pub fn judge(bytes: &[u8], is_head: bool, closed: bool) -> Option<Complete> {
    let mut at = 0;
    loop {
        let head = Head::read(bytes, &mut at)?;
        match head.status {
            101 => return None,
            100..200 => {}
            _ => return body(bytes, at, &head, is_head, closed),
        }
    }
}

fn body(bytes: &[u8], at: usize, head: &Head, is_head: bool, closed: bool) -> Option<Complete> {
    let complete =
        |body: Vec<u8>, end| Complete { status: head.status, body, coded: head.has("content-encoding"), end };
    if is_head || matches!(head.status, 204 | 304) {
        return Some(complete(Vec::new(), Some(at)));
    }
    if head.has("transfer-encoding") && head.is_1_0 {
        return None;
    }
    let codings = head.values("transfer-encoding").flat_map(|value| value.split(|byte| *byte == b','));
    let codings: Vec<_> = codings.map(blankless).filter(|coding| !coding.is_empty()).collect();
    let is = |coding: &[u8], name: &str| coding.eq_ignore_ascii_case(name.as_bytes());
    // `identity` is no coding, and one that is named twice is there once.
    if !codings.iter().all(|coding| is(coding, "identity")) {
        let known = codings.iter().all(|coding| is(coding, "identity") || is(coding, "chunked"));
        let (body, end) =
            chunked(bytes, at).filter(|_| known && codings.last().is_some_and(|last| is(last, "chunked")))?;
        return Some(complete(body, Some(end)));
    }
    if head.has("content-length") {
        let end = at.checked_add(head.length()?)?;
        return Some(complete(bytes.get(at..end)?.to_vec(), Some(end)));
    }
    closed.then(|| complete(bytes[at..].to_vec(), None))
}

/// Status and header lines.
struct Head {
    status: u16,
    is_1_0: bool,
    /// Names in lower case, values without blanks around them.
    fields: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Head {
    /// Reads the head that begins `at`, which is moved behind it.
    fn read(bytes: &[u8], at: &mut usize) -> Option<Self> {
        let mut first = line(bytes, at)?;
        while first.is_empty() {
            first = line(bytes, at)?;
        }
        let (name, rest) = first.split_at_checked("HTTP/1.".len())?;
        let after = rest.get(1..).filter(|after| name.eq_ignore_ascii_case(b"HTTP/1.") && after.starts_with(b" "))?;
        let blanks = after.iter().take_while(|byte| **byte == b' ').count();
        let status = std::str::from_utf8(after.get(blanks..blanks + 3)?).ok()?.parse().ok()?;
        let mut fields: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        loop {
            let line = line(bytes, at)?;
            if line.is_empty() {
                return Some(Self { status, is_1_0: rest[0] == b'0', fields });
            }
            match (line[0], fields.last_mut()) {
                (b' ' | b'\t', Some((_, value))) => value.extend_from_slice(line),
                // RFC 9112 §2.2: no part of the head.
                (b' ' | b'\t', None) => {}
                _ => fields.push(field(line)),
            }
        }
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields.iter().filter(move |(own, _)| own == name.as_bytes()).map(|(_, value)| value.trim_ascii())
    }

    fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// The one length that all members of all `Content-Length` fields give.
    fn length(&self) -> Option<usize> {
        let mut members = self.values("content-length").flat_map(|value| value.split(|byte| *byte == b','));
        let first = number(members.next()?, 10)?;
        members.all(|other| number(other, 10) == Some(first)).then_some(first)
    }
}

/// The name that a line begins with, and its value; one that means nothing where there is no colon.
fn field(line: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let (name, rest) = line.split_at(line.iter().take_while(|byte| is_token(byte)).count());
    let value = rest.trim_ascii_start().strip_prefix(b":").unwrap_or(b"?");
    (name.to_ascii_lowercase(), value.to_vec())
}

/// The line that begins `at`, without its end; `at` is moved behind it.
fn line<'a>(bytes: &'a [u8], at: &mut usize) -> Option<&'a [u8]> {
    let rest = &bytes[*at..];
    let length = rest.iter().position(|byte| *byte == b'\n')?;
    *at += length + 1;
    Some(rest[..length].strip_suffix(b"\r").unwrap_or(&rest[..length]))
}

/// Without blanks around it.
fn blankless(text: &[u8]) -> &[u8] {
    let from = text.iter().position(|byte| !b" \t".contains(byte)).unwrap_or(text.len());
    let to = text.iter().rposition(|byte| !b" \t".contains(byte)).map_or(from, |at| at + 1);
    &text[from..to]
}

/// Digits and nothing else but blanks around them.
fn number(text: &[u8], radix: u32) -> Option<usize> {
    let text = std::str::from_utf8(text).ok()?.trim_matches([' ', '\t']);
    let digits = !text.is_empty() && text.chars().all(|char| char.is_digit(radix));
    usize::from_str_radix(text, radix).ok().filter(|_| digits)
}

/// The chunks that begin `at`, put together, and where they end.
fn chunked(bytes: &[u8], mut at: usize) -> Option<(Vec<u8>, usize)> {
    let mut body = Vec::new();
    loop {
        let size = crlf_line(bytes, &mut at)?;
        let digits = size.split(|byte| *byte == b';').next()?;
        let size = number(digits, 16)?;
        if size == 0 {
            while !line(bytes, &mut at)?.is_empty() {}
            return Some((body, at));
        }
        body.extend_from_slice(bytes.get(at..at.checked_add(size)?)?);
        at += size;
        crlf_line(bytes, &mut at).filter(|rest| rest.is_empty())?;
    }
}

/// As [`line`], ended by CR and LF and nothing less.
fn crlf_line<'a>(bytes: &'a [u8], at: &mut usize) -> Option<&'a [u8]> {
    let from = *at;
    line(bytes, at)?;
    bytes[from..*at - 1].strip_suffix(b"\r")
}
