//! The whole rule, from a response's lines and bytes to its text.

use encoding_rs::{
    BIG5, EUC_JP, EUC_KR, GBK, ISO_2022_JP, KOI8_R, SHIFT_JIS, UTF_16BE, UTF_16LE, WINDOWS_1251, WINDOWS_1252,
};

use super::*;

const RUSSIAN: &str = "Привет, мир. Это обычный русский текст.";

fn russian() -> Vec<u8> {
    WINDOWS_1251.encode(RUSSIAN).0.into_owned()
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// What a body is read as: the text, the charset, and whether something was replaced.
fn read_as(content_types: &[&str], body: &[u8]) -> (String, &'static str, bool) {
    let read = read(body, content_types.iter().map(|line| line.as_bytes()), None, "a.example");
    (read.text.into_owned(), read.charset, read.lossy)
}

fn charset(content_types: &[&str], body: &[u8]) -> &'static str {
    read_as(content_types, body).1
}

#[test]
fn a_byte_order_mark_wins_over_everything_and_is_no_text() {
    for content_type in
        ["", "text/html;charset=windows-1251", "application/json", "application/json;charset=gbk", "text/css"]
    {
        let with = |mark: &[u8], rest: &[u8]| read_as(&[content_type], &joined(&[mark, rest]));
        assert_eq!(with(b"\xef\xbb\xbf", "é<meta charset=gbk>".as_bytes()).0, "é<meta charset=gbk>", "{content_type}");
        assert_eq!(with(b"\xff\xfe", b"\xe9\0"), ("é".into(), UTF_16LE.name(), false), "{content_type}");
        assert_eq!(with(b"\xfe\xff", b"\0\xe9"), ("é".into(), UTF_16BE.name(), false), "{content_type}");
        assert_eq!(with(b"\xef\xbb\xbf", b"\xe9"), ("\u{fffd}".into(), "UTF-8", true), "{content_type}");
    }
}

#[test]
fn the_charset_of_the_header_comes_next() {
    for lines in [
        &["text/html; charset=windows-1251"][..],
        &["text/html; charset=windows-1251, text/html"],
        &["text/html; charset=windows-1251", "text/html"],
        &["text/html; charset=\"WINDOWS-1251\""],
        &["text/html; charset=\" cp1251 \""],
        &["text/html;;x=y;Charset=windows-1251;charset=utf-8"],
        &["text/plain; x=\"a,b;charset=koi8-r\"; charset=windows-1251"],
        &["image/png;charset=windows-1251"],
    ] {
        let body = joined(&[b"<meta charset=koi8-r>", &russian()]);
        assert_eq!(
            read_as(lines, &body),
            (format!("<meta charset=koi8-r>{RUSSIAN}"), "windows-1251", false),
            "{lines:?}"
        );
    }
    assert_eq!(read_as(&["text/html; charset=iso-8859-1"], b"\x80\xe9"), ("€é".into(), "windows-1252", false));
    assert_eq!(read_as(&["text/html; charset=us-ascii"], b"\xe9"), ("é".into(), "windows-1252", false));
    assert_eq!(read_as(&["text/html; charset=utf-8"], b"caf\xe9"), ("caf\u{fffd}".into(), "UTF-8", true));
    assert_eq!(read_as(&["text/html; charset=utf-16"], b"\xe9\0"), ("é".into(), "UTF-16LE", false));
    assert_eq!(read_as(&["text/html; charset=x-user-defined"], b"\x80"), ("\u{f780}".into(), "x-user-defined", false));
    assert_eq!(read_as(&["text/html; charset=hz-gb-2312"], b"abc"), ("\u{fffd}".into(), "replacement", true));
    for encoding in [SHIFT_JIS, EUC_JP, ISO_2022_JP, GBK, BIG5, EUC_KR, KOI8_R, WINDOWS_1252] {
        let text = match encoding.name() {
            "EUC-KR" => "한국어",
            "KOI8-R" => "текст",
            "windows-1252" => "“déjà”",
            "Big5" | "GBK" => "中文",
            _ => "日本語",
        };
        let (bytes, _, failed) = encoding.encode(text);
        assert!(!failed);
        let line = format!("text/plain; charset={}", encoding.name());
        assert_eq!(read_as(&[&line], &bytes), (text.into(), encoding.name(), false));
    }
}

#[test]
fn a_label_that_nobody_knows_is_as_none() {
    for line in [
        "text/html;charset=no-such",
        "text/html;charset=utf-7",
        "text/html;charset='windows-1252'",
        "text/html;charset=\"\"",
    ] {
        assert_eq!(charset(&[line], &joined(&[b"<meta charset=windows-1251>", &russian()])), "windows-1251", "{line}");
        assert_eq!(read_as(&[line], "é".as_bytes()), ("é".into(), "UTF-8", false), "{line}");
    }
}

#[test]
fn a_page_says_it_itself() {
    let page = |start: &str| charset(&["text/html"], &joined(&[start.as_bytes(), b"\xcf\xf0\xe8"]));
    assert_eq!(page("<META charset='windows-1251'>"), "windows-1251");
    assert_eq!(page("<meta http-equiv=content-type content='text/html; charset=shift_jis'>"), "Shift_JIS");
    assert_eq!(page("<?xml version='1.0' encoding='koi8-r'?><html>"), "KOI8-R");
    // Even against the bytes: so does every browser.
    assert_eq!(read_as(&["text/html"], "<meta charset=koi8-r>é".as_bytes()).1, "KOI8-R");
    for not in [
        "<script src=x charset=koi8-r></script>",
        "<script>'<meta charset=koi8-r>'</script>",
        "<link charset=koi8-r>",
        "<!-- <meta charset=koi8-r> -->",
    ] {
        let body = joined(&[b"<meta name=a>", not.as_bytes(), &russian()]);
        assert_eq!(charset(&["text/html"], &body), "windows-1251", "{not}");
    }
    // Nor is a page what does not say that it is one.
    for line in ["text/plain", "application/json", "application/xhtml+xml", "text/javascript", "text/css"] {
        let body = "<html><head><meta charset=koi8-r></head>é".as_bytes();
        assert_eq!(read_as(&[line], body).1, "UTF-8", "{line}");
    }
    assert_eq!(charset(&[], b"<html><meta charset=koi8-r>\xcf"), "KOI8-R");
    for unknown in ["*/*", "unknown/unknown", "Application/Unknown; x=y"] {
        assert_eq!(charset(&[unknown], b"<html><meta charset=koi8-r>\xcf"), "KOI8-R", "{unknown}");
    }
    assert_eq!(charset(&["unknown/unknown;charset=gbk"], b"<html><meta charset=koi8-r>\xcf"), "GBK");
    assert_eq!(charset(&["x-unknown/unknown"], b"<html><meta charset=koi8-r>abc"), "UTF-8");
}

#[test]
fn who_forbids_it_is_not_sniffed() {
    let body = b"<html><meta charset=koi8-r>abc";
    let charset = |types: &[&'static str], options: &[u8]| {
        read(body, types.iter().map(|line| line.as_bytes()), Some(options), "a.example").charset
    };
    for nosniff in ["nosniff", "NoSniff", " nosniff , x", "nosniff,"] {
        assert_eq!(charset(&[], nosniff.as_bytes()), "UTF-8", "{nosniff}");
        assert_eq!(charset(&["unknown/unknown"], nosniff.as_bytes()), "UTF-8", "{nosniff}");
        assert_eq!(charset(&["text/html"], nosniff.as_bytes()), "KOI8-R", "{nosniff}");
    }
    for other in ["", "x, nosniff", "\"nosniff\"", "nosniff;", "no sniff"] {
        assert_eq!(charset(&[], other.as_bytes()), "KOI8-R", "{other}");
    }
}

#[test]
fn a_late_declaration_is_better_than_a_guess_and_worse_than_utf_8() {
    let start = joined(&[b"<html><head><script>", &b"//".repeat(4000), b"</script><meta charset=koi8-u></head>"]);
    assert_eq!(charset(&["text/html"], &joined(&[&start, b"\xd0\xd2\xc9"])), "KOI8-U");
    assert_eq!(charset(&["text/html"], &joined(&[&start, "é".as_bytes()])), "UTF-8");
    assert_eq!(charset(&["text/plain"], &joined(&[&start, &russian()])), "windows-1251");
}

#[test]
fn xml_says_it_in_its_declaration() {
    for line in [
        "text/xml",
        "application/xml",
        "application/xhtml+xml",
        "application/rss+xml",
        "image/svg+xml",
        "application/xml-dtd",
        "application/xml-external-parsed-entity",
        "text/xsl",
    ] {
        let body = joined(&[b"<?xml version='1.0' encoding='windows-1251'?><a>", &russian(), b"</a>"]);
        assert_eq!(charset(&[line], &body), "windows-1251", "{line}");
        let body = joined(&[b"<?xml version='1.0' encoding='windows-1252'?><a>", "é".as_bytes(), b"</a>"]);
        assert_eq!(charset(&[line, &format!("{line};charset=utf-8")], &body), "UTF-8", "{line}");
    }
    let utf_16: Vec<u8> = "<?xml version='1.0'?><a>é</a>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(read_as(&["text/xml"], &utf_16), ("<?xml version='1.0'?><a>é</a>".into(), "UTF-16LE", false));
}

#[test]
fn json_is_utf_8() {
    for line in [
        "application/json",
        "text/json",
        "application/ld+json",
        "application/json;charset=windows-1252",
        "application/json;charset=gbk",
    ] {
        assert_eq!(read_as(&[line], "{\"a\":\"é<meta charset=gbk>\"}".as_bytes()).1, "UTF-8", "{line}");
    }
    assert_eq!(read_as(&["application/json"], b"\"caf\xe9\""), ("\"caf\u{fffd}\"".into(), "UTF-8", true));
    // It can't be, and says what it is.
    assert_eq!(
        read_as(&["application/json;charset=latin1"], b"\"caf\xe9\""),
        ("\"café\"".into(), "windows-1252", false)
    );
    let (japanese, _, _) = ISO_2022_JP.encode("\"これは日本語の文章です。\"");
    assert_eq!(charset(&["application/json;charset=iso-2022-jp"], &japanese), "ISO-2022-JP");
}

#[test]
fn events_and_subtitles_are_utf_8_whatever_is_said() {
    for line in ["text/event-stream", "text/vtt;charset=windows-1251", "text/cache-manifest; charset=koi8-r"] {
        assert_eq!(read_as(&[line], "data: é".as_bytes()), ("data: é".into(), "UTF-8", false), "{line}");
        assert_eq!(read_as(&[line], b"caf\xe9"), ("caf\u{fffd}".into(), "UTF-8", true), "{line}");
        assert_eq!(charset(&[line], &russian()), "UTF-8", "{line}");
    }
}

#[test]
fn without_a_word_it_is_utf_8_or_the_best_guess() {
    let (japanese, _, _) = ISO_2022_JP.encode("これは日本語の文章です。");
    for lines in [&[][..], &["text/plain"], &["text/html"], &["application/octet-stream"], &["text/plain; charset"]] {
        assert_eq!(read_as(lines, b""), (String::new(), "UTF-8", false), "{lines:?}");
        assert_eq!(read_as(lines, "déjà vu".as_bytes()), ("déjà vu".into(), "UTF-8", false), "{lines:?}");
        assert_eq!(read_as(lines, &russian()), (RUSSIAN.into(), "windows-1251", false), "{lines:?}");
        assert_eq!(read_as(lines, &japanese), ("これは日本語の文章です。".into(), "ISO-2022-JP", false), "{lines:?}");
    }
    let mostly = joined(&[RUSSIAN.as_bytes(), b" caf\xe9"]);
    assert_eq!(read_as(&["text/html"], &mostly), (format!("{RUSSIAN} caf\u{fffd}"), "UTF-8", true));
}

#[test]
fn what_is_no_text_is_not_guessed_at() {
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xe9";
    for lines in [&["image/png"][..], &["application/octet-stream"], &["text/plain"], &[]] {
        let (_, charset, lossy) = read_as(lines, png);
        assert_eq!((charset, lossy), ("UTF-8", true), "{lines:?}");
    }
    assert_eq!(read_as(&["image/x-icon"], b"caf\xe9"), ("caf\u{fffd}".into(), "UTF-8", true));
}

#[test]
fn the_host_helps_to_guess() {
    let guess = |host: &str| read(b"ba\xfe T\xfcrk\xe7e", [&b"text/plain"[..]], None, host).charset;
    assert_eq!(guess("gazete.tr"), "windows-1254");
    assert_eq!(guess("gazeta.pl"), "ISO-8859-2");
    assert_eq!(guess("127.0.0.1"), guess("a.com"));
}

#[test]
fn any_bytes_become_text() {
    const PARTS: [&[u8]; 24] = [
        b"<",
        b">",
        b"!",
        b"--",
        b"/",
        b"?",
        b"meta",
        b" ",
        b"charset",
        b"=",
        b"\"",
        b"'",
        b"gbk",
        b"content",
        b"http-equiv",
        b"script",
        b"</script",
        b"content-type",
        b";",
        b"<?xml encoding='",
        b"@charset \"",
        b"\xe9",
        b"\0",
        b"\x1b$B",
    ];
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..20_000 {
        let count = random.usize(0..16);
        let body: Vec<u8> = (0..count).flat_map(|_| PARTS[random.usize(0..PARTS.len())]).copied().collect();
        for lines in [&[][..], &[&b"text/html"[..]], &[b"text/xml"], &[b"text/css"], &[&body], &[&body, &body]] {
            let host = String::from_utf8_lossy(&body);
            read(&body, lines.iter().copied(), Some(&body), &host);
        }
    }
}
