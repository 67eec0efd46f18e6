//! Control characters, which have no place in a request: a line break in the wrong place begins another header or another
//! request. Pure.

use std::fmt;

/// A control character in a text: which, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control {
    byte: u8,
    at: usize,
}

impl Control {
    /// The first in `text`, but for those that `allowed` lets pass.
    pub fn find(text: &str, allowed: &[u8]) -> Option<Self> {
        let wrong = |byte: u8| byte.is_ascii_control() && !allowed.contains(&byte);
        let at = text.bytes().position(wrong)?;
        Some(Self { byte: text.as_bytes()[at], at })
    }
}

impl fmt::Display for Control {
    /// Goes on after "… holds": `a line break at its byte 5`, counted from 1.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.at + 1;
        match self.byte {
            b'\r' | b'\n' => write!(f, "a line break at its byte {place}"),
            byte => write!(f, "the control character 0x{byte:02x} at its byte {place}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_with_its_place() {
        let told = |text| Control::find(text, b"\t").map(|found| found.to_string());
        assert_eq!(told("plain é\ttext"), None);
        assert_eq!(told("é\r\n").as_deref(), Some("a line break at its byte 3"));
        assert_eq!(told("\0\n").as_deref(), Some("the control character 0x00 at its byte 1"));
        assert_eq!(told("a\x7f").as_deref(), Some("the control character 0x7f at its byte 2"));
        assert!(Control::find("a\tb", b"").is_some());
    }
}
