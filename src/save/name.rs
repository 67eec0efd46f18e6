//! The names of saved files: safe on every file system, never outside their directory. Pure.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::model::{Job, ResponseHead};

/// How much of a path's last part goes into the name, in bytes.
const LONGEST: usize = 80;

/// Bytes of the hash in a name: among a thousand million requests, two meet with a chance below one in a million.
const HASH: usize = 10;

/// Extensions of common media types; the URL's own comes first.
const EXTENSIONS: &[(&str, &str)] = &[
    ("application/gzip", "gz"),
    ("application/javascript", "js"),
    ("application/json", "json"),
    ("application/pdf", "pdf"),
    ("application/xml", "xml"),
    ("application/zip", "zip"),
    ("image/gif", "gif"),
    ("image/jpeg", "jpg"),
    ("image/png", "png"),
    ("image/svg+xml", "svg"),
    ("image/webp", "webp"),
    ("text/css", "css"),
    ("text/csv", "csv"),
    ("text/html", "html"),
    ("text/javascript", "js"),
    ("text/plain", "txt"),
    ("text/xml", "xml"),
];

/// The file for a response's request: `HOST/STEM-HASH.EXT`.
pub(super) fn of_request(head: &ResponseHead<'_>) -> PathBuf {
    let url = &head.job.url;
    let path = url.target().split('?').next().unwrap_or_default();
    let last = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or("index");
    let (stem, own) = match last.rsplit_once('.') {
        Some((stem, extension)) if is_extension(extension) && !stem.is_empty() => (stem, Some(extension)),
        _ => (last, None),
    };
    let by_type = || head.media_type().and_then(of_media_type).map(str::to_owned);
    let extension = own.map(str::to_ascii_lowercase).or_else(by_type);
    let mut name = format!("{}-{}", safe(stem, LONGEST), hash(head.job));
    if let Some(extension) = extension {
        name.push('.');
        name.push_str(&extension);
    }
    PathBuf::from(directory(url.authority())).join(name)
}

/// The same name with a number before its extension.
pub(super) fn numbered(path: &Path, number: u64) -> PathBuf {
    let text =
        |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default();
    let mut name = format!("{}-{number}", text(path.file_stem()));
    if path.extension().is_some() {
        name.push('.');
        name.push_str(&text(path.extension()));
    }
    path.with_file_name(name)
}

/// The directory for a host and port. Windows has no file whose name up to its first dot is that of a device, and no name that
/// ends with a dot.
fn directory(authority: &str) -> String {
    let mut name = safe(authority, LONGEST);
    if is_device(name.split('.').next().unwrap_or_default()) {
        name.insert(0, '_');
    }
    if name.ends_with('.') {
        name.pop();
        name.push('_');
    }
    name
}

/// Whether Windows takes this for a device.
fn is_device(name: &str) -> bool {
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    let port = |kind: &str| {
        name.len() == 4
            && name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(kind))
            && name.ends_with(|last: char| last.is_ascii_digit())
    };
    ["con", "prn", "aux", "nul", "conin$", "conout$"].iter().any(|device| is(device)) || port("com") || port("lpt")
}

/// The file for a content: `AB/CDEF…`.
pub(super) fn of_content(digest: &[u8]) -> PathBuf {
    let hex = hex(digest);
    let (first, rest) = hex.split_at(2);
    PathBuf::from(first).join(rest)
}

fn is_extension(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn of_media_type(text: &str) -> Option<&'static str> {
    EXTENSIONS.iter().find(|(name, _)| text.eq_ignore_ascii_case(name)).map(|(_, extension)| *extension)
}

/// Letters, digits, `.`, `-` and `_`; others become `_`. Never empty, never beginning with a dot or a dash.
fn safe(text: &str, longest: usize) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let text: String = text.bytes().take(longest).map(|byte| if keep(byte) { char::from(byte) } else { '_' }).collect();
    match text.as_bytes().first() {
        None | Some(b'.' | b'-') => format!("_{text}"),
        _ => text,
    }
}

/// What tells a request from another: method, URL as given, own headers, body.
fn hash(job: &Job) -> String {
    let mut hasher = Sha256::new();
    hasher.update(job.given());
    if let Some(overrides) = job.overrides() {
        hasher.update([0]);
        hasher.update(overrides.method.as_ref().map_or("", |method| method.as_str()));
        for (name, value) in &overrides.headers {
            hasher.update([0]);
            hasher.update(name.as_str());
            hasher.update([0]);
            hasher.update(value.as_bytes());
        }
        hasher.update([0, 0]);
        hasher.update(overrides.body.as_deref().unwrap_or_default());
    }
    hex(&hasher.finalize()[..HASH])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};
    use std::sync::Arc;

    use http::header::CONTENT_TYPE;
    use http::{HeaderMap, HeaderValue, StatusCode, Version};

    use super::*;
    use crate::model::{RequestOverrides, Time, WebUrl};

    fn named(job: &Job, media_type: &'static str) -> String {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]);
        let head = ResponseHead::new(job, StatusCode::OK, Version::HTTP_11, &headers);
        of_request(&head).to_str().expect("ASCII").to_owned()
    }

    fn job(url: &str) -> Job {
        Job::new(0, WebUrl::parse(url).expect("valid").0, Time::ZERO)
    }

    fn name(url: &str, media_type: &'static str) -> String {
        let name = named(&job(url), media_type);
        let hash = hash(&job(url));
        assert!(name.contains(&hash), "{name}");
        name.replace(&hash, "#")
    }

    #[test]
    fn names_say_where_from_and_what() {
        assert_eq!(name("https://a.example/x/page.html?q=1", "text/plain"), "a.example/page-#.html");
        assert_eq!(name("http://a.example:8080/", "text/html; charset=utf-8"), "a.example_8080/index-#.html");
        assert_eq!(name("http://a.example/photo.JPG", ""), "a.example/photo-#.jpg");
        assert_eq!(name("http://[::1]:80/v1.2/items/", "application/json"), "___1_/items-#.json");
        assert_eq!(name("http://a.example/x", "application/x-unheard"), "a.example/x-#");
    }

    #[test]
    fn no_host_has_a_directory_that_some_system_can_t_have() {
        for (host, expected) in [
            ("con", "_con"),
            ("AUX", "_aux"),
            ("nul", "_nul"),
            ("prn.example", "_prn.example"),
            ("con.tar.gz.example", "_con.tar.gz.example"),
            ("com1", "_com1"),
            ("lpt9.example", "_lpt9.example"),
            ("com0", "_com0"),
            ("con:8080", "con_8080"),
            ("a.example.", "a.example_"),
            ("a.example.:81", "a.example._81"),
            ("console", "console"),
            ("com10", "com10"),
            ("com", "com"),
            ("a.con", "a.con"),
            ("xn--com-4na", "xn--com-4na"),
        ] {
            assert!(named(&job(&format!("http://{host}/x")), "").starts_with(&format!("{expected}/x-")), "{host}");
        }
        // File names have a hash, which no device has.
        assert!(name("http://a.example/con.txt", "").ends_with("/con-#.txt"));
        assert!(
            named(&job(&format!("http://{}/x", "a.".repeat(120) + "b")), "").split('/').next().expect("a part").len()
                <= 81
        );
    }

    #[test]
    fn a_number_comes_before_the_extension() {
        assert_eq!(numbered(Path::new("d/h/page-ab.html"), 7), Path::new("d/h/page-ab-7.html"));
        assert_eq!(numbered(Path::new("d.e/h.i/x-ab"), 12), Path::new("d.e/h.i/x-ab-12"));
    }

    #[test]
    fn no_url_leads_out_of_its_directory_or_to_an_odd_name() {
        for path in
            ["..%2f..%2fetc", "%00", ".ssh", "a%5cb", "-rf", "...", "%E2%80%AE", "CON", &"x".repeat(5000), "a:b"]
        {
            let name = named(&job(&format!("http://a.example/{path}")), "");
            let parts: Vec<_> = Path::new(&name).components().collect();
            assert!(parts.len() == 2 && parts.iter().all(|part| matches!(part, Component::Normal(_))), "{name}");
            let file = parts[1].as_os_str().to_str().expect("ASCII");
            assert!(file.len() < 120 && !file.starts_with(['.', '-']), "{file}");
            assert!(file.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)), "{file}");
        }
    }

    #[test]
    fn different_requests_have_different_files_and_equal_ones_the_same() {
        let with = |overrides: RequestOverrides| {
            let mut job = job("http://a.example/x");
            job.extra_mut().overrides = Some(Arc::new(overrides));
            named(&job, "")
        };
        let body = |text: &'static str| RequestOverrides { body: Some(text.into()), ..RequestOverrides::default() };
        let header = RequestOverrides {
            headers: HeaderMap::from_iter([(http::header::ACCEPT, HeaderValue::from_static("a"))]),
            ..RequestOverrides::default()
        };
        let names = [
            name("http://a.example/x?1", ""),
            named(&job("http://a.example/x?1"), ""),
            named(&job("http://a.example/x?2"), ""),
            with(body("1")),
            with(body("2")),
            with(header),
        ];
        let different: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len());
        assert_eq!(with(body("1")), names[3]);
    }

    #[test]
    fn content_has_one_name() {
        assert_eq!(of_content(&[0xab, 0xcd, 0x01]).to_str(), Some("ab/cd01"));
    }
}
