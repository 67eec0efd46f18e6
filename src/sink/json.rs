//! JSON text with little ado: an object's fields one after the other into a buffer.
//!
//! serde_json spends more on a record's fixed keys, each escaped anew, than on all of its values. Keys are literals here;
//! numbers go through itoa; plain text is copied, and whatever else there is goes through serde_json.

use std::io::{self, Write};
use std::net::SocketAddr;

use serde::Serialize;

/// A key as it stands in the text, with the comma before and the colon after it: made by [`key!`].
#[derive(Clone, Copy)]
pub(super) struct Key(pub(super) &'static str);

/// The key of this name, which must be a plain word.
macro_rules! key {
    ($name:literal) => {
        $crate::sink::json::Key(concat!(",\"", $name, "\":"))
    };
}
pub(super) use key;

/// An object that is being written.
pub(super) struct Object<'o> {
    out: &'o mut Vec<u8>,
    /// Takes what there is from time to time.
    drain: Option<&'o mut Drain<'o>>,
    empty: bool,
}

/// Takes all of a buffer and leaves it empty.
pub(super) type Drain<'o> = dyn FnMut(&mut Vec<u8>) + 'o;

/// So much is drained at once.
const PIECE: usize = 256 << 10;

impl<'o> Object<'o> {
    /// Opens an object at the end of `out`.
    pub(super) fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, drain: None, empty: true }
    }

    /// The same, with a place for what would else make a long value twice: the value, and its text with all that is escaped.
    pub(super) fn draining(out: &'o mut Vec<u8>, drain: &'o mut Drain<'o>) -> Self {
        Self { drain: Some(drain), ..Self::open(out) }
    }

    /// Writes a key and hands out the place for its value.
    pub(super) fn key(&mut self, key: Key) -> &mut Vec<u8> {
        // The first key has no comma before it.
        let from = usize::from(std::mem::take(&mut self.empty));
        self.out.extend_from_slice(&key.0.as_bytes()[from..]);
        self.out
    }

    pub(super) fn number(&mut self, key: Key, value: impl Into<u64>) {
        number(self.key(key), value.into());
    }

    pub(super) fn number_or_null(&mut self, key: Key, value: Option<impl Into<u64>>) {
        match value {
            Some(value) => self.number(key, value),
            None => self.null(key),
        }
    }

    pub(super) fn text(&mut self, key: Key, value: &str) {
        text(self.key(key), value);
    }

    pub(super) fn text_or_null(&mut self, key: Key, value: Option<&str>) {
        match value {
            Some(value) => self.text(key, value),
            None => self.null(key),
        }
    }

    pub(super) fn bool(&mut self, key: Key, value: bool) {
        self.key(key).extend_from_slice(if value { b"true" } else { b"false" });
    }

    pub(super) fn null(&mut self, key: Key) {
        self.key(key).extend_from_slice(b"null");
    }

    /// Anything that serde can write.
    pub(super) fn any(&mut self, key: Key, value: &impl Serialize) {
        self.key(key);
        match &mut self.drain {
            None => any(&mut *self.out, value),
            Some(drain) => any(Draining { out: self.out, drain }, value),
        }
    }

    pub(super) fn close(self) {
        self.out.push(b'}');
    }
}

fn number(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn text(out: &mut Vec<u8>, value: &str) {
    if is_plain(value) {
        out.push(b'"');
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
    } else {
        any(out, &value);
    }
}

fn any(out: impl Write, value: &impl Serialize) {
    serde_json::to_writer(out, value).expect("memory takes every byte, and every key is text");
}

/// A buffer that is drained as it fills.
struct Draining<'a, 'o> {
    out: &'a mut Vec<u8>,
    drain: &'a mut Drain<'o>,
}

impl Write for Draining<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A long piece is taken in parts, so that the buffer stays small.
        let taken = &bytes[..bytes.len().min(PIECE)];
        self.out.extend_from_slice(taken);
        if self.out.len() >= PIECE {
            (self.drain)(self.out);
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An address as text. Nearly all are IPv4, for which the general formatter is ten times the work.
pub(super) fn address(out: &mut Vec<u8>, address: SocketAddr) {
    let SocketAddr::V4(v4) = address else { return any(out, &address) };
    let mut before = b'"';
    for octet in v4.ip().octets() {
        out.push(before);
        number(out, octet.into());
        before = b'.';
    }
    out.push(b':');
    number(out, v4.port().into());
    out.push(b'"');
}

/// Whether `text` stands in JSON as it is (RFC 8259 §7). All bytes are looked at, so that the compiler can look at many
/// at once.
fn is_plain(text: &str) -> bool {
    !text.bytes().fold(false, |special, byte| special | (byte < 0x20) | (byte == b'"') | (byte == b'\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_serde_json_writes() {
        let texts = ["", "plain", "q\"uote", "back\\slash", "line\nbreak", "\u{1f}", "\u{7f}", "é€😀", "a/b?c=d&e"];
        for value in texts {
            let mut out = Vec::new();
            text(&mut out, value);
            assert_eq!(String::from_utf8(out).expect("text"), serde_json::to_string(value).expect("text"));
        }
        for value in ["127.0.0.1:80", "255.0.10.199:65535", "[::1]:443", "[2001:db8::7]:8080"] {
            let mut out = Vec::new();
            address(&mut out, value.parse().expect("an address"));
            assert_eq!(String::from_utf8(out).expect("text"), format!("\"{value}\""));
        }
        let mut out = Vec::new();
        let mut object = Object::open(&mut out);
        object.number(key!("n"), u64::MAX);
        object.number_or_null(key!("m"), None::<u64>);
        object.bool(key!("yes"), true);
        object.any(key!("list"), &[1, 2]);
        object.text_or_null(key!("t"), Some("x"));
        object.close();
        let expected = r#"{"n":18446744073709551615,"m":null,"yes":true,"list":[1,2],"t":"x"}"#;
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }
}
