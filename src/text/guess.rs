//! The charset of bytes that nothing is said about.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, ISO_2022_JP};

/// Bytes that are shown to the detector from the first one on that is not ASCII: more of the same says nothing more, and
/// it takes 30 times as long as decoding.
const ENOUGH: usize = 256 << 10;
/// Bytes shown to it at a time.
const PIECE: usize = 16 << 10;
/// Characters beyond ASCII that stand against one broken one. Text in another charset has fewer than one that happens to be
/// a whole character in UTF-8.
const AGAINST_ONE: usize = 8;

/// Whether the body is UTF-8. ISO-2022-JP is made of ASCII bytes alone, but is no such thing.
pub(super) fn is_utf_8(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok()
        && !(memchr::memchr(0x1b, body).is_some() && body.is_ascii() && guessed(body, "") == ISO_2022_JP)
}

/// Whether a body that is not UTF-8 is so but for a few bytes: cut off in a character, or put together from parts in several charsets.
pub(super) fn is_nearly_utf_8(body: &[u8]) -> bool {
    let (mut whole, mut broken) = (0_usize, 0_usize);
    for chunk in body.utf8_chunks() {
        whole += chunk.valid().bytes().filter(|byte| *byte >= 0xc0).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    broken > 0 && whole >= broken.saturating_mul(AGAINST_ONE)
}

/// The best guess. The country that a host's name ends with says something about its languages.
pub(super) fn guessed(body: &[u8], host: &str) -> &'static Encoding {
    // Scripts that may be in the text are not run here, so there is no reason to leave ISO-2022-JP out.
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    let mut shown = 0;
    let mut pieces = body.chunks(PIECE).peekable();
    while let Some(piece) = pieces.next() {
        let telling = detector.feed(piece, pieces.peek().is_none());
        shown += if telling { piece.len() } else { 0 };
        if shown >= ENOUGH {
            break;
        }
    }
    detector.guess(top_level(host), Utf8Detection::Allow)
}

/// The last label of a host's name, where it has one that is no number.
fn top_level(host: &str) -> Option<&[u8]> {
    let label = host.strip_suffix('.').unwrap_or(host).rsplit('.').next()?.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    (label.first()?.is_ascii_lowercase() && label.iter().all(plain)).then_some(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_have_a_top_level() {
        for (host, expected) in [
            ("example.ru", Some("ru")),
            ("example.ru.", Some("ru")),
            ("xn--e1afmkfd.xn--p1ai", Some("xn--p1ai")),
            ("localhost", Some("localhost")),
            ("127.0.0.1", None),
            ("[::1]", None),
            ("[fe80::a]", None),
            ("EXAMPLE.RU", None),
            ("", None),
            (".", None),
        ] {
            assert_eq!(top_level(host), expected.map(str::as_bytes), "{host}");
            // The detector panics at a label that is none.
            guessed(b"\xe9", host);
        }
    }

    #[test]
    fn a_few_broken_bytes_make_no_other_charset() {
        let text = "Ещё один текст — «в кавычках».".as_bytes();
        assert!(is_nearly_utf_8(&text[..text.len() - 2]));
        assert!(is_nearly_utf_8(&[text, b" caf\xe9 "].concat()));
        assert!(!is_nearly_utf_8(b"caf\xe9"));
        assert!(!is_nearly_utf_8("Ä\u{fffd}".as_bytes()[..3].as_ref()));
    }

    #[test]
    fn text_in_another_charset_is_not_nearly_utf_8() {
        let texts = [
            ("windows-1251", "Привет, мир. Это обычный русский текст."),
            ("koi8-r", "Привет, мир. Это обычный русский текст."),
            ("shift_jis", "これは日本語の文章です。文字コードを判別します。"),
            ("euc-jp", "これは日本語の文章です。文字コードを判別します。"),
            ("gbk", "这是一个普通的中文句子，用来检测编码。"),
            ("big5", "這是一個普通的中文句子，用來檢測編碼。"),
            ("euc-kr", "이것은 평범한 한국어 문장입니다."),
            ("windows-1253", "Αυτό είναι ένα απλό ελληνικό κείμενο."),
            ("windows-1252", "Größe, Öl, Übermut; l’été déjà à Orléans"),
        ];
        for (label, text) in texts {
            let encoding = Encoding::for_label(label.as_bytes()).expect("a label");
            let (bytes, _, failed) = encoding.encode(text);
            assert!(!failed && !is_utf_8(&bytes) && !is_nearly_utf_8(&bytes), "{label}");
            assert_eq!(guessed(&bytes, "a.example").decode(&bytes).0, text, "{label}");
        }
    }

    #[test]
    fn iso_2022_jp_is_told_from_ascii_and_from_colours() {
        let (bytes, _, _) = ISO_2022_JP.encode("これは日本語の文章です。");
        assert!(bytes.is_ascii() && !is_utf_8(&bytes));
        assert!(is_utf_8(b"\x1b[31mred\x1b[0m"));
        assert!(is_utf_8(b"\x1b"));
        assert!(is_utf_8("\u{1b}$B é".as_bytes()));
    }

    #[test]
    fn the_end_of_a_long_body_is_not_needed() {
        let russian = encoding_rs::WINDOWS_1251.encode("Привет, мир. Это обычный русский текст.").0;
        let late = [&b"ascii ".repeat(100_000)[..], &russian.repeat(20_000)].concat();
        assert_eq!(guessed(&late, "").name(), "windows-1251");
    }
}
