//! What `content-type` says: the lines of a response, which may be many, each perhaps a list.
//!
//! The steps are those of Fetch, "extract a MIME type" and "get, decode, and split"; one value is parsed by data-url, as the
//! MIME Sniffing Standard has it.

use data_url::mime::Mime;

/// The media type that these lines give: the last one that is one. Its `charset` may come from an earlier one of the same
/// type.
pub(super) fn extract<'h>(lines: impl IntoIterator<Item = &'h [u8]>) -> Option<Mime> {
    let mut lines = lines.into_iter();
    let mut value = decoded(lines.next()?);
    for line in lines {
        value.push_str(", ");
        value.push_str(&decoded(line));
    }
    let mut last: Option<Mime> = None;
    let mut charset: Option<String> = None;
    for part in split(&value) {
        let Ok(mut mime) = part.parse::<Mime>() else { continue };
        if mime.matches("*", "*") {
            continue;
        }
        let own = mime.get_parameter("charset").map(str::to_owned);
        let same = last.as_ref().is_some_and(|last| last.matches(&mime.type_, &mime.subtype));
        match (same, own, &charset) {
            (false, own, _) => charset = own,
            (true, None, Some(earlier)) => mime.parameters.push(("charset".to_owned(), earlier.clone())),
            (true, ..) => {}
        }
        last = Some(mime);
    }
    last
}

/// Whether the first line of `x-content-type-options` says that a body's beginning is not to be asked (Fetch, "determine nosniff").
pub(super) fn is_nosniff(line: Option<&[u8]>) -> bool {
    line.is_some_and(|line| split(&decoded(line)).next().is_some_and(|first| first.eq_ignore_ascii_case("nosniff")))
}

/// Each byte as the character of the same number ("isomorphic decode").
fn decoded(line: &[u8]) -> String {
    line.iter().map(|&byte| char::from(byte)).collect()
}

/// The parts between commas that are not in a quoted string.
fn split(value: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    value
        .split(move |character| {
            let was_escaped = std::mem::take(&mut escaped);
            match character {
                '"' if !was_escaped => quoted = !quoted,
                '\\' => escaped = quoted && !was_escaped,
                _ => {}
            }
            character == ',' && !quoted
        })
        .map(|part| part.trim_matches([' ', '\t']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> String {
        extract(lines.iter().map(|line| line.as_bytes())).map_or_else(|| "none".to_owned(), |mime| mime.to_string())
    }

    #[test]
    fn one_value_is_read_as_the_mime_sniffing_standard_has_it() {
        for (line, expected) in [
            ("text/html", "text/html"),
            (" TEXT/Html ; Charset = utf-8", "text/html"),
            ("TEXT/HTML;CHARSET=Utf-8", "text/html;charset=Utf-8"),
            ("text/html;charset=\"utf-8\"", "text/html;charset=utf-8"),
            ("text/html;charset=\"u\\tf-8\"; x", "text/html;charset=utf-8"),
            ("text/html;charset=\"utf-8", "text/html;charset=utf-8"),
            ("text/html;charset=\"a;b\";x=y", "text/html;charset=\"a;b\";x=y"),
            ("text/html;;;;charset=gbk", "text/html;charset=gbk"),
            ("text/html;charset=;charset=gbk", "text/html;charset=gbk"),
            ("text/html;charset=gbk;charset=utf-8", "text/html;charset=gbk"),
            ("text/html charset=gbk", "none"),
            ("text/html;xcharset=gbk", "text/html;xcharset=gbk"),
            ("text/html;charset =gbk", "text/html"),
            ("text", "none"),
            ("text/", "none"),
            ("/html", "none"),
            ("", "none"),
            ("charset=utf-8", "none"),
        ] {
            assert_eq!(read(&[line]), expected, "{line}");
        }
    }

    /// Our own data, in the shape of Fetch's: lines, and what they come to.
    #[test]
    fn lists_and_several_lines_are_one_list() {
        for (lines, expected) in [
            // The last type wins, and takes the charset of one before it of the same type.
            (&["text/html; charset=windows-1251, text/html"][..], "text/html;charset=windows-1251"),
            (&["text/html; charset=windows-1251", "text/html"], "text/html;charset=windows-1251"),
            (&["text/html;charset=koi8-r, text/html;charset=windows-1251"], "text/html;charset=windows-1251"),
            (&["windows-1251, text/html"], "text/html"),
            (&["text/html, charset=windows-1251"], "text/html"),
            (&["text/html;charset=gb18030, text/plain"], "text/plain"),
            (&["text/html;charset=gb18030, text/plain, text/html"], "text/html"),
            // A charset is inherited from the first of its type, however many are between.
            (&["text/html;charset=a", "text/html;charset=b", "text/html"], "text/html;charset=a"),
            // What is no type, or any type, is passed over.
            (&["text/html;charset=euc-kr", "", "  ", "*/*", "*/*;charset=gbk", "nonsense"], "text/html;charset=euc-kr"),
            (&["*/*"], "none"),
            (&["", ""], "none"),
            // A comma in quotes parts nothing; quotes that are not closed reach into the next line.
            (&["text/html;x=\"a, text/plain\";charset=gbk"], "text/html;x=\"a, text/plain\";charset=gbk"),
            (&["text/html;x=\"\\\", text/plain\""], "text/html;x=\"\\\", text/plain\""),
            (&["text/html;x=\"", "text/plain"], "text/html;x=\", text/plain\""),
            (&["text/html;charset=gbk\\, text/plain"], "text/plain"),
            (&["\ttext/html\t,\t"], "text/html"),
        ] {
            assert_eq!(read(lines), expected, "{lines:?}");
        }
        assert_eq!(extract(std::iter::empty()), None);
        let latin = extract([&b"text/html;x=\xe9;charset=gbk"[..]]).expect("a type");
        assert_eq!((latin.get_parameter("x"), latin.get_parameter("charset")), (Some("\u{e9}"), Some("gbk")));
    }
}
