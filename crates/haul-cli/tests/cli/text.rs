//! A body as text: the command and the library read it by one rule, over the wire. What the rule is, `src/text` tests.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use haul::blocking::Client;

use haul_testsupport::haul::get_lines;

/// The lines of `content-type`, the body, and what it is as text: in which charset, and whether something was replaced.
struct Case {
    content_types: &'static [&'static str],
    body: Vec<u8>,
    text: String,
    charset: &'static str,
    lossy: bool,
}

fn case(
    content_types: &'static [&'static str],
    body: impl AsRef<[u8]>,
    (text, charset, lossy): (&str, &'static str, bool),
) -> Case {
    Case { content_types, body: body.as_ref().to_vec(), text: text.to_owned(), charset, lossy }
}

fn cases() -> Vec<Case> {
    let long = "<!-- long -->".repeat(10_000);
    let page = [b"<html><meta charset=windows-1251>", long.as_bytes(), b"\xcf\xf0\xe8"].concat();
    let text = format!("<html><meta charset=windows-1251>{long}При");
    vec![
        case(&["text/html; charset=windows-1251, text/html"], b"\xcf\xf0\xe8", ("При", "windows-1251", false)),
        case(&["text/html; charset=windows-1251", "text/html"], b"\xcf\xf0\xe8", ("При", "windows-1251", false)),
        case(&["text/html; charset=iso-8859-1"], b"caf\xe9 \x80", ("café €", "windows-1252", false)),
        case(&["text/html; charset=utf-8"], b"caf\xe9", ("caf\u{fffd}", "UTF-8", true)),
        case(&["text/plain; charset=gbk"], b"\xef\xbb\xbf\xc3\xa9", ("é", "UTF-8", false)),
        case(&["text/html"], b"\xff\xfe\xe9\0", ("é", "UTF-16LE", false)),
        case(&["text/html"], b"<meta charset=koi8-r>\xf0", ("<meta charset=koi8-r>П", "KOI8-R", false)),
        case(
            &["text/html"],
            b"<meta name=a><script charset=koi8-r></script>caf\xc3\xa9",
            ("<meta name=a><script charset=koi8-r></script>café", "UTF-8", false),
        ),
        case(&["text/html"], page, (&text, "windows-1251", false)),
        case(
            &["application/xml"],
            b"<?xml version='1.0' encoding='iso-8859-2'?><a>\xb1</a>",
            ("<?xml version='1.0' encoding='iso-8859-2'?><a>ą</a>", "ISO-8859-2", false),
        ),
        case(
            &["application/json"],
            "{\"page\": \"<meta charset=koi8-r>é\"}",
            ("{\"page\": \"<meta charset=koi8-r>é\"}", "UTF-8", false),
        ),
        case(&["application/json"], b"\"\xe9\"", ("\"\u{fffd}\"", "UTF-8", true)),
        case(&["application/json"], "\u{feff}{\"a\": \"é\"}", ("{\"a\": \"é\"}", "UTF-8", false)),
        case(&["application/json"], b"\xff\xfe[\x001\0]\0", ("[1]", "UTF-16LE", false)),
        case(&["application/json; charset=windows-1251"], b"[\"\xcf\"]", ("[\"П\"]", "windows-1251", false)),
        case(&["text/plain"], b"\x1b$B$3$l$OF|K\\8l\x1b(B", ("これは日本語", "ISO-2022-JP", false)),
        case(
            &[],
            b"<!doctype html><meta charset=koi8-r>\xf0",
            ("<!doctype html><meta charset=koi8-r>П", "KOI8-R", false),
        ),
        case(&[], "déjà vu", ("déjà vu", "UTF-8", false)),
        case(&["image/png"], b"\x89PNG", ("\u{fffd}PNG", "UTF-8", true)),
        case(&["text/html"], b"", ("", "UTF-8", false)),
    ]
}

/// Answers `/N` with case N, and closes the connection.
fn serve(cases: Arc<Vec<Case>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let lines = BufReader::new(stream.try_clone().expect("a descriptor")).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let number = head.first().and_then(|line| line.split(['/', ' ']).nth(2)?.parse::<usize>().ok());
            let Some(case) = number.and_then(|number| cases.get(number)) else { continue };
            let types: String = case.content_types.iter().map(|line| format!("Content-Type: {line}\r\n")).collect();
            let head =
                format!("HTTP/1.1 200 OK\r\n{types}Content-Length: {}\r\nConnection: close\r\n\r\n", case.body.len());
            let _ = stream.write_all(&[head.as_bytes(), &case.body].concat());
        }
    });
    address
}

#[test]
fn command_and_library_read_the_same_text() {
    let cases = Arc::new(cases());
    let address = serve(Arc::clone(&cases));
    let urls: Vec<String> = (0..cases.len()).map(|number| format!("http://{address}/{number}")).collect();
    let run = get_lines(&urls, &["--body", "text", "--order", "input"]);
    assert_eq!(run.all_have(200).records.len(), cases.len());
    let client = Client::new().expect("valid settings");
    for ((case, record), url) in cases.iter().zip(&run.records).zip(&urls) {
        let shown = format!("{:?} {}", case.content_types, case.body[..case.body.len().min(80)].escape_ascii());
        assert_eq!(record["body"], case.text, "{shown}");
        assert_eq!(
            (&record["body_charset"], &record["body_lossy"]),
            (&case.charset.into(), &case.lossy.into()),
            "{shown}"
        );
        if case.content_types.iter().any(|line| line.contains("json")) {
            let json = client.get(url).send().and_then(|response| response.json::<serde_json::Value>());
            let expected = serde_json::from_str(&case.text).ok().filter(|_| !case.lossy);
            assert_eq!(json.ok(), expected, "{shown}");
        }
        let text = client.get(url).send().and_then(|response| response.text()).expect("an answer");
        assert_eq!(text, case.text, "{shown}");
    }
}
