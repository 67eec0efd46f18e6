//! The one table of paths and of virtual hosts: what the server counts by, what `/` and `haul origin --help` show, and
//! what docs/guide/ORIGIN.md is held against. Pure.

use std::fmt::Write;

/// A path that the origin serves.
pub(super) struct PathEntry {
    /// Its first segment.
    pub(super) name: &'static str,
    /// How it is written.
    pub(super) form: &'static str,
    /// What it answers.
    pub(super) meaning: &'static str,
    /// One that works.
    pub(super) example: &'static str,
}

const fn path(name: &'static str, form: &'static str, meaning: &'static str, example: &'static str) -> PathEntry {
    PathEntry { name, form, meaning, example }
}

/// Every path.
pub(super) const PATHS: [PathEntry; 21] = [
    path("", "/", "this list", "/"),
    path("bytes", "/bytes/N", "N pseudo-random bytes, always the same", "/bytes/1024"),
    path("text", "/text/N", "N bytes of text, always the same", "/text/1000"),
    path("chunked", "/chunked/N", "the same as /bytes/N, its length not announced", "/chunked/10000"),
    path("gzip", "/gzip/N", "the same as /text/N, gzip-coded", "/gzip/1000"),
    path("br", "/br/N", "the same, Brotli-coded", "/br/1000"),
    path("zstd", "/zstd/N", "the same, Zstandard-coded", "/zstd/1000"),
    path("deflate", "/deflate/N", "the same, deflate-coded (zlib)", "/deflate/1000"),
    path("json", "/json/N", "a JSON list of N items", "/json/10"),
    path("html", "/html/N", "web page N; it links to pages 2N+1 and 2N+2", "/html/0"),
    path("echo", "/echo", "the request as JSON: method, target, headers, body, connection", "/echo"),
    path("headers", "/headers", "the request's headers as JSON", "/headers"),
    path("status", "/status/CODE", "this status, 200 to 599", "/status/404"),
    path("delay", "/delay/TIME", "an answer after TIME, at most 60s", "/delay/250ms"),
    path("redirect", "/redirect/N", "N redirects in a row, then 200", "/redirect/3"),
    path("redirect-to", "/redirect-to?url=URL", "a redirect to URL", "/redirect-to?url=/bytes/10"),
    path(
        "limited",
        "/limited?rate=R&burst=N",
        "429 with Retry-After beyond R requests a second (1) and N at once (1), per host",
        "/limited?rate=5&burst=2",
    ),
    path("flaky", "/flaky/N", "503 the first N times for each URL, then 200", "/flaky/2?n=1"),
    path("drip", "/drip?bytes=N&over=TIME", "N bytes (100), one by one over TIME (1s)", "/drip?bytes=10&over=2s"),
    path("reset", "/reset/WHERE", "a reset; WHERE is head, body or connection", "/reset/body"),
    path("truncate", "/truncate/HOW", "a body that is cut off; HOW is length or chunked", "/truncate/length"),
];

/// What a query adds to any path: how it is written, and what it does.
pub(super) const EXTRAS: [(&str, &str); 3] = [
    ("delay=TIME", "waits before the answer, at most 60s"),
    ("status=CODE", "answers with this status instead"),
    ("header=NAME:VALUE", "adds a header; may be repeated"),
];

/// What a virtual host's name says: the label, and what the host is like.
pub(super) const HOSTS: [(&str, &str); 4] = [
    ("fast", "answers at once, like every other name"),
    ("slow", "waits 200 to 800 ms before each answer"),
    ("limited", "20 requests a second, 20 at once; beyond that 429 with Retry-After: 1"),
    ("failing", "of 100 requests about 10 get 500, 5 get 503 and 5 a reset"),
];

/// Everything the origin serves, as text in at most 80 columns.
///
/// ```
/// assert!(haul_testserver::guide().contains("/bytes/N"));
/// ```
#[must_use]
pub fn guide() -> String {
    let mut text = "Paths:\n".to_owned();
    for entry in &PATHS {
        row(&mut text, entry.form, entry.meaning);
    }
    text.push_str("\nOn any path, in the query (other keys are ignored):\n");
    for (form, meaning) in EXTRAS {
        row(&mut text, form, meaning);
    }
    text.push_str("\nHosts, by any label of their name, like http://slow.h17.localhost:8080/:\n");
    for (label, meaning) in HOSTS {
        row(&mut text, label, meaning);
    }
    text
}

/// Where the meaning begins, and where the line ends.
const COLUMN: usize = 27;
const WIDTH: usize = 80;

/// One row: the form, then the meaning in as many lines as it needs.
fn row(text: &mut String, form: &str, meaning: &str) {
    let mut line = format!("  {form}");
    if line.len() + 2 > COLUMN {
        line = end(text, &line);
    }
    for word in meaning.split(' ') {
        if line.len() > COLUMN && line.len() + 1 + word.len() > WIDTH {
            line = end(text, &line);
        }
        match line.len() {
            long if long > COLUMN => line.push(' '),
            short => line.extend(std::iter::repeat_n(' ', COLUMN - short)),
        }
        line.push_str(word);
    }
    end(text, &line);
}

/// Ends a line; the next one is empty.
fn end(text: &mut String, line: &str) -> String {
    let _ = writeln!(text, "{}", line.trim_end());
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Manner, ask};

    #[test]
    fn the_guide_names_everything_and_fits_a_terminal() {
        let guide = guide();
        for form in
            PATHS.iter().map(|entry| entry.form).chain(EXTRAS.map(|extra| extra.0)).chain(HOSTS.map(|host| host.0))
        {
            assert!(guide.lines().any(|line| line.trim_start().split("  ").next() == Some(form)), "{form}: {guide}");
        }
        for line in guide.lines() {
            assert!(line.len() <= WIDTH, "{line}");
        }
        let words: String = PATHS.iter().map(|entry| entry.meaning).collect::<Vec<_>>().join(" ");
        let squeezed = guide.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.split(' ').all(|word| squeezed.contains(word)));
    }

    #[test]
    fn each_host_label_is_a_manner() {
        for (label, _) in HOSTS {
            assert_eq!(Manner::of(label).label(), label);
        }
    }

    /// The rows of the table under `heading`, as they stand on the page.
    fn documented(heading: &str) -> Vec<&'static str> {
        let page = include_str!("../../../docs/guide/ORIGIN.md");
        let (_, section) = page.split_once(heading).expect("the heading is there");
        let section = section.split("\n## ").next().expect("text");
        section.lines().filter(|line| line.starts_with("| ")).skip(1).collect()
    }

    #[test]
    fn the_page_has_the_same_tables() {
        let paths = PATHS.iter().map(|entry| format!("| `{}` | {} | `{}` |", entry.form, entry.meaning, entry.example));
        assert_eq!(documented("## Paths"), paths.collect::<Vec<_>>());
        let rows = |table: &[(&str, &str)]| -> Vec<String> {
            table.iter().map(|(form, meaning)| format!("| `{form}` | {meaning} |")).collect()
        };
        assert_eq!(documented("## Additions"), rows(&EXTRAS));
        assert_eq!(documented("## Hosts"), rows(&HOSTS));
    }

    #[test]
    fn the_page_has_the_same_caps() {
        let caps = documented("## Caps").join("\n");
        let accepted = |path: &str, query: &str| ask::ask(path, query).is_ok();
        for (row, last, beyond) in [
            ("`/drip` | 1 GiB |", "/bytes/1073741824", "/bytes/1073741825"),
            ("`/deflate` | 8 MiB |", "/gzip/8388608", "/gzip/8388609"),
            ("`/json` | 10,000 |", "/json/10000", "/json/10001"),
            ("`/html` | 1,000,000 |", "/html/1000000", "/html/1000001"),
            ("a wait | 60 s", "/delay/60s", "/delay/60.1s"),
            ("redirects | 100 |", "/redirect/100", "/redirect/101"),
            ("`/flaky` | 1,000 |", "/flaky/1000", "/flaky/1001"),
        ] {
            assert!(caps.contains(row), "{row}: {caps}");
            assert!(accepted(last, "") && !accepted(beyond, ""), "{row}");
        }
        assert!(accepted("/", &"header=a:b&".repeat(100)) && !accepted("/", &"header=a:b&".repeat(101)));
    }
}
