//! Foreign text on its way to a terminal. Pure.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` as it can stand on a terminal, in a log, or in a JSON string there: on one line, and nothing in it acts.
///
/// Control characters (escape sequences begin with one), line breaks of every kind, characters that turn the direction of
/// writing and those that nobody sees are written as `\u001b`. Whoever shows a URL, a header or a message that a server wrote
/// should let it pass here.
///
/// ```
/// # extern crate haul_core as haul;
/// use haul::model::printable;
///
/// assert_eq!(printable("http://a.example/\u{1b}[2J"), "http://a.example/\\u001b[2J");
/// assert_eq!(printable("détails, 日本語 🙂"), "détails, 日本語 🙂");
/// ```
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    // Nearly every text is of this sort, and is not looked at twice.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let Some(first) = text.find(|character| !is_seen(character)) else { return Cow::Borrowed(text) };
    let mut shown = String::with_capacity(text.len() + 16);
    shown.push_str(&text[..first]);
    for character in text[first..].chars() {
        if is_seen(character) {
            shown.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string can't fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        }
    }
    Cow::Owned(shown)
}

/// Whether a character is seen as itself.
fn is_seen(character: char) -> bool {
    match character {
        ' '..='~' => true,
        '\0'..' ' | '\x7f' => false,
        // Letters by their class, blank in every font.
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}' => false,
        _ => {
            // The standard library knows what can be printed (neither a control nor a format character, nor a separator, nor
            // unassigned), and escapes a mark only where it has no letter before it.
            let mut marked = [b'a'; 5];
            let length = 1 + character.encode_utf8(&mut marked[1..]).len();
            std::str::from_utf8(&marked[..length]).is_ok_and(|marked| marked.escape_debug().count() == 2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_or_hides_is_written_out() {
        for (text, expected) in [
            ("\x1b[31mred\x1b[0m", "\\u001b[31mred\\u001b[0m"),
            ("\x1b]0;title\x07", "\\u001b]0;title\\u0007"),
            ("a\r\nb\tc\0", "a\\u000d\\u000ab\\u0009c\\u0000"),
            ("\x7f\u{80}\u{9b}2J\u{9d}\u{85}", "\\u007f\\u0080\\u009b2J\\u009d\\u0085"),
            ("\u{2028}\u{2029}", "\\u2028\\u2029"),
            ("txt.\u{202e}gpj", "txt.\\u202egpj"),
            ("\u{61c}\u{200e}\u{200f}\u{202a}\u{2066}\u{2069}", "\\u061c\\u200e\\u200f\\u202a\\u2066\\u2069"),
            ("a\u{200b}b\u{200d}c\u{2060}d\u{feff}e\u{ad}f", "a\\u200bb\\u200dc\\u2060d\\ufeffe\\u00adf"),
            ("\u{a0}\u{3000}\u{180e}", "\\u00a0\\u3000\\u180e"),
            ("\u{e0041}\u{fff9}", "\\udb40\\udc41\\ufff9"),
            ("\u{e000}\u{10ffff}\u{378}", "\\ue000\\udbff\\udfff\\u0378"),
            ("\u{3164}\u{34f}\u{115f}", "\\u3164\\u034f\\u115f"),
        ] {
            assert_eq!(printable(text), expected);
            assert_eq!(unescaped(&format!("\"{expected}\"")), text, "it is the same text in JSON");
        }
    }

    #[test]
    fn what_is_seen_stays() {
        for text in [
            "",
            "plain ~",
            "\"quoted\" 'text' \\u0041 {}",
            "é e\u{301}",
            "日本語",
            "العربية",
            "עברית",
            "🙂",
            "\u{fffd}",
        ] {
            assert!(matches!(printable(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    /// A JSON string's text, for escapes alone: the pure ranks have no JSON.
    fn unescaped(json: &str) -> String {
        let inner = json.trim_matches('"');
        let mut units = Vec::new();
        let mut rest = inner;
        while let Some(character) = rest.chars().next() {
            if let Some(escape) = rest.strip_prefix("\\u") {
                units.push(u16::from_str_radix(&escape[..4], 16).expect("four digits"));
                rest = &escape[4..];
            } else {
                units.extend(character.encode_utf16(&mut [0; 2]).iter());
                rest = &rest[character.len_utf8()..];
            }
        }
        String::from_utf16(&units).expect("whole characters")
    }
}
