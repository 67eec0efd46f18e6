//! Redirects: followed, counted, refused; what travels along and what stays behind.

use serde_json::Value;

use haul_testsupport::haul::{get, get_lines};
use haul_testsupport::httpbin::Httpbin;
use haul_testsupport::nginx::{Nginx, Setup};
use haul_testsupport::record::{body, json};

fn hops(record: &Value) -> Vec<(String, u64)> {
    let hop = |hop: &Value| Some((hop["url"].as_str()?.to_owned(), hop["status"].as_u64()?));
    record["redirects"].as_array().expect("a list").iter().map(|entry| hop(entry).expect("a hop")).collect()
}

#[test]
fn redirects_are_followed_and_recorded() {
    let Some(httpbin) = Httpbin::start() else { return };
    for kind in ["redirect", "relative-redirect", "absolute-redirect"] {
        let url = httpbin.url(&format!("/{kind}/3"));
        let run = get(&[&url]);
        let record = run.all_have(200).only();
        assert_eq!((&record["url"], &record["final_url"]), (&url.clone().into(), &httpbin.url("/get").into()));
        let hops = hops(record);
        assert_eq!(hops.len(), 3, "{record}");
        assert_eq!(hops[0], (url, 302));
        assert_eq!(record["attempts"], 4, "{record}");
    }
}

#[test]
fn zero_redirects_records_the_redirect_itself() {
    let Some(httpbin) = Httpbin::start() else { return };
    let run = get(&[&httpbin.url("/redirect/1"), "--max-redirects", "0", "--headers"]);
    let record = run.all_have(302).only();
    assert!(hops(record).is_empty());
    let headers = record["headers"].as_array().expect("a list");
    assert!(headers.iter().any(|pair| pair[0] == "location" && pair[1] == "/get"), "{record}");
}

#[test]
fn limits_loops_and_bad_locations_are_failures() {
    let Some(httpbin) = Httpbin::start() else { return };
    let run = get(&[&httpbin.url("/redirect/5"), "--max-redirects", "4"]);
    assert_eq!(hops(run.failed_in("head", "redirect_limit")).len(), 4);
    get(&[&httpbin.url("/redirect/5"), "--max-redirects", "5"]).all_have(200);
    for target in ["ftp://127.0.0.1/", "http://", "javascript:alert(1)"] {
        let url = httpbin.url(&format!("/redirect-to?url={target}"));
        get(&[&url]).failed_in("head", "redirect_bad_location");
    }
    let Some(nginx) = Nginx::start(&Setup::default()) else { return };
    let run = get(&[&nginx.url("/loop/a")]);
    assert_eq!(hops(run.failed_in("head", "redirect_loop")).len(), 10, "as many as are allowed");
}

#[test]
fn a_post_becomes_a_get_where_browsers_do_so() {
    let Some(httpbin) = Httpbin::start() else { return };
    let table = [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
        (302, "PUT", "PUT"),
        (303, "PUT", "GET"),
        (301, "DELETE", "DELETE"),
    ];
    let lines = table.map(|(status, method, _)| {
        let url = httpbin.url(&format!("/redirect-to?url=/anything&status_code={status}"));
        format!(
            r#"{{"url":"{url}","method":"{method}","body":"kept?","headers":{{"content-type":"text/x","x-a":"1"}}}}"#
        )
    });
    let run = get_lines(lines, &["--order", "input", "--body", "text"]);
    run.all_have(200);
    for (record, (status, from, to)) in run.records.iter().zip(table) {
        let (seen, keeps) = (json(record), from == to);
        assert_eq!(seen["method"], to, "{status} {from}");
        assert_eq!(seen["data"], if keeps { "kept?" } else { "" }, "{status} {from}");
        assert_eq!(seen["headers"]["Content-Type"] == "text/x", keeps, "{status} {from}: {seen}");
        assert_eq!(seen["headers"]["X-A"], "1");
    }
}

#[test]
fn credentials_stay_with_their_origin() {
    let (Some(httpbin), Some(nginx)) = (Httpbin::start(), Nginx::start(&Setup::default())) else { return };
    let seen_after = |location: &str, flags: &[&str]| {
        let url = httpbin.url(&format!("/redirect-to?url={location}"));
        let run = get(&[&[&url, "--body", "text"], flags].concat());
        body(run.all_have(200).only()).to_owned()
    };
    let elsewhere = nginx.url("/authorization");
    for flags in
        [&["--bearer", "secret"][..], &["--user", "me:secret"], &["-H", "Authorization: secret", "-H", "Cookie: c=d"]]
    {
        assert_eq!(seen_after(&elsewhere, flags), "<><>", "{flags:?}");
        assert!(seen_after("/headers", flags).contains("Authorization"), "{flags:?}");
    }
    // Away and back: what was left behind is not picked up again.
    let back = nginx.url(&format!("/to?url={}", httpbin.url("/headers")));
    assert!(!seen_after(&back, &["--bearer", "secret"]).contains("Authorization"));
}

#[test]
fn every_hop_is_reached_over_its_own_host() {
    let (Some(httpbin), Some(nginx)) = (Httpbin::start(), Nginx::start(&Setup::default())) else { return };
    let target = nginx.url("/request");
    let run = get(&[&httpbin.url(&format!("/redirect-to?url={target}")), "--body", "text"]);
    let record = run.all_have(200).only();
    assert_eq!(record["final_url"], target);
    assert_eq!(record["remote_addr"], format!("127.0.0.1:{}", nginx.port()));
    assert_eq!(body(record), format!("GET 127.0.0.1:{} 127.0.0.1", nginx.port()));
}
