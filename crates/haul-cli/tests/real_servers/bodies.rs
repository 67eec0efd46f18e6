//! Bodies: decoded, digested, capped.

use sha2::{Digest, Sha256};

use haul_testsupport::haul::get;
use haul_testsupport::httpbin::Httpbin;
use haul_testsupport::nginx::{Nginx, Setup, text};
use haul_testsupport::record::{body, json};

fn sha256(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn each_coding_is_decoded() {
    let Some(httpbin) = Httpbin::start() else { return };
    for (path, flag) in [("/gzip", "gzipped"), ("/brotli", "brotli"), ("/deflate", "deflated")] {
        let run = get(&[&httpbin.url(path), "--body", "text"]);
        let record = run.all_have(200).only();
        assert_eq!(json(record)[flag], true, "{record}");
        assert_eq!(record["body_bytes"], body(record).len(), "{record}");
    }
}

#[test]
fn bodies_compressed_on_the_way_are_what_they_were() {
    let Some(nginx) = Nginx::start(&Setup::default()) else { return };
    for path in ["/gzipped/text", "/zstd/text", "/text"] {
        let run = get(&[&nginx.url(path), "--digest"]);
        let record = run.all_have(200).only();
        assert_eq!(record["body_sha256"], sha256(text()), "{path}");
        assert_eq!(record["body_bytes"], text().len(), "{path}");
        assert_eq!(record["wire_bytes"] == record["body_bytes"], path == "/text", "{record}");
    }
    let run = get(&[&nginx.url("/precoded/two"), "--body", "text"]);
    assert_eq!(body(run.all_have(200).only()), "first second", "two gzip members");
}

#[test]
fn raw_bodies_stay_as_sent() {
    let Some(nginx) = Nginx::start(&Setup::default()) else { return };
    let run = get(&[&nginx.url("/gzipped/text"), "--raw", "--digest", "--headers"]);
    let record = run.all_have(200).only();
    assert_eq!(record["body_sha256"], sha256(text()), "nothing was asked for, so nothing is coded");
    let run = get(&[&nginx.url("/zstd/text"), "--raw", "--body", "base64"]);
    let record = run.all_have(200).only();
    assert!(body(record).starts_with("KLUv/"), "zstd's first bytes");
    assert_eq!(record["wire_bytes"], record["body_bytes"]);
}

#[test]
fn a_bomb_and_a_cut_coding_are_failures() {
    let Some(nginx) = Nginx::start(&Setup::default()) else { return };
    get(&[&nginx.url("/precoded/bomb")]).failed_in("decode", "expansion_ratio");
    get(&[&nginx.url("/precoded/cut")]).failed_in("decode", "truncated");
    get(&[&nginx.url("/precoded/bomb"), "--max-body", "500KiB"]).failed_in("decode", "too_large");
}

#[test]
fn a_head_with_a_coding_has_no_body_to_decode() {
    let Some(httpbin) = Httpbin::start() else { return };
    let run = get(&[&httpbin.url("/gzip"), "--request", "HEAD"]);
    assert_eq!(run.all_have(200).only()["body_bytes"], 0);
}

#[test]
fn bodies_of_every_framing_come_whole() {
    let Some(httpbin) = Httpbin::start() else { return };
    let bytes = |path: &str| get(&[&httpbin.url(path)]).all_have(200).only()["body_bytes"].clone();
    assert_eq!(bytes("/bytes/12345"), 12345);
    assert_eq!(bytes("/stream-bytes/12345?chunk_size=100"), 12345);
    assert_eq!(bytes("/drip?duration=1&numbytes=10&delay=0"), 10);
}

#[test]
fn a_stream_of_lines_is_one_body() {
    let Some(httpbin) = Httpbin::start() else { return };
    let run = get(&[&httpbin.url("/stream/7"), "--body", "text"]);
    assert_eq!(body(run.all_have(200).only()).lines().count(), 7);
}

#[test]
fn a_body_over_the_cap_is_a_failure() {
    let Some(httpbin) = Httpbin::start() else { return };
    assert_eq!(get(&[&httpbin.url("/bytes/1000"), "--max-body", "1000"]).all_have(200).only()["body_bytes"], 1000);
    for path in ["/bytes/1001", "/stream-bytes/1001"] {
        let run = get(&[&httpbin.url(path), "--max-body", "1000"]);
        assert_eq!(run.only()["error"]["kind"], "too_large", "{path}");
        assert_eq!(run.code, Some(1));
    }
}

#[test]
fn text_and_bytes_are_written_as_asked() {
    let Some(httpbin) = Httpbin::start() else { return };
    let run = get(&[&httpbin.url("/encoding/utf8"), "--body", "text"]);
    assert!(body(run.all_have(200).only()).contains("∮ E⋅da = Q"));
    let run = get(&[&httpbin.url("/image/png"), "--body", "base64"]);
    assert!(body(run.all_have(200).only()).starts_with("iVBORw0KGgo"), "a PNG's first bytes");
}
