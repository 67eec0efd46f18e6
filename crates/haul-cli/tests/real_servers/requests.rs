//! Requests: methods, headers, bodies, authorization; and what comes back: statuses, headers, order.

use serde_json::{Value, json as value};

use haul_testsupport::haul::{get, get_lines};
use haul_testsupport::httpbin::Httpbin;
use haul_testsupport::nginx::{Nginx, Setup};
use haul_testsupport::record::{body, json};

#[test]
fn a_job_has_its_own_method_headers_body_and_id() {
    let Some(httpbin) = Httpbin::start() else { return };
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];
    let lines = methods.iter().enumerate().map(|(id, method)| {
        let url = httpbin.url("/anything/x?k=v");
        value!({"url": url, "method": method, "headers": {"X-Own": "héllo"}, "body": format!("body {id}"), "id": {"n": id}})
    });
    let run = get_lines(lines, &["--order", "input", "--body", "text", "-H", "X-Run: 1"]);
    run.all_have(200);
    for (id, (record, method)) in run.records.iter().zip(methods).enumerate() {
        let seen = json(record);
        assert_eq!(record["id"], value!({"n": id}));
        assert_eq!(seen["method"], method);
        assert_eq!(seen["data"], format!("body {id}"));
        assert_eq!(seen["args"], value!({"k": "v"}));
        assert_eq!(seen["headers"]["X-Run"], "1");
        assert!(seen["headers"]["X-Own"].is_string(), "{seen}");
    }
}

#[test]
fn the_runs_method_and_body_are_sent() {
    let Some(httpbin) = Httpbin::start() else { return };
    let run = get(&[&httpbin.url("/anything"), "--request", "PUT", "--data", "a=1", "--body", "text"]);
    let seen = json(run.all_have(200).only());
    assert_eq!((&seen["method"], &seen["form"]), (&value!("PUT"), &value!({"a": "1"})));
    let run = get(&[&httpbin.url("/anything"), "--json", r#"{"a": 1}"#, "--body", "text"]);
    let seen = json(run.all_have(200).only());
    assert_eq!((&seen["method"], &seen["json"]), (&value!("POST"), &value!({"a": 1})));
}

#[test]
fn basic_authorization_is_sent() {
    let Some(httpbin) = Httpbin::start() else { return };
    let url = httpbin.url("/basic-auth/me/se:cret");
    get(&[&url]).all_have(401);
    get(&[&url, "--user", "me:wrong"]).all_have(401);
    let run = get(&[&url, "--user", "me:se:cret", "--body", "text"]);
    assert_eq!(json(run.all_have(200).only())["authenticated"], true);
    let run = get(&[&url.replace("http://", "http://me:se%3Acret@")]);
    assert_eq!(run.all_have(200).only()["url"], url, "credentials in a URL are used and not written");
}

#[test]
fn bearer_authorization_is_sent() {
    let Some(httpbin) = Httpbin::start() else { return };
    get(&[&httpbin.url("/bearer")]).all_have(401);
    let run = get(&[&httpbin.url("/bearer"), "--bearer", "t0ken", "--body", "text"]);
    assert_eq!(json(run.all_have(200).only())["token"], "t0ken");
}

#[test]
fn the_user_agent_is_ours_or_the_users() {
    let Some(httpbin) = Httpbin::start() else { return };
    let agent = |flags: &[&str]| {
        let run = get(&[&[&httpbin.url("/user-agent"), "--body", "text"], flags].concat());
        json(run.all_have(200).only())["user-agent"].as_str().unwrap_or_default().to_owned()
    };
    assert!(agent(&[]).starts_with("haul/"));
    assert_eq!(agent(&["--user-agent", "mine/1"]), "mine/1");
    assert_eq!(agent(&["-H", "User-Agent: mine/2"]), "mine/2");
}

/// lighttpd and WEBrick answer 411 to a POST that does not say so.
#[test]
fn a_request_without_content_says_so_where_its_method_or_its_user_means_content() {
    let Some(nginx) = Nginx::start(&Setup::default()) else { return };
    let authority = nginx.authority.file();
    let authority = authority.to_str().expect("a plain path");
    let urls = [nginx.url("/length"), nginx.tls_url("/length"), nginx.url("/kept/"), nginx.tls_url("/kept/")];
    for (flags, expected) in [
        (&["-X", "POST"][..], "POST <0>"),
        (&["-X", "PUT"], "PUT <0>"),
        (&["-X", "PATCH"], "PATCH <0>"),
        (&["-d", ""], "POST <0>"),
        (&["-d", "four"], "POST <4>"),
        (&["-X", "DELETE"], "DELETE <>"),
        (&["-X", "DELETE", "-d", ""], "DELETE <0>"),
        (&[], "GET <>"),
    ] {
        for url in &urls {
            let run = get(&[&[url, "--cacert", authority, "--body", "text"], flags].concat());
            assert_eq!(body(run.all_have(200).only()), expected, "{url} {flags:?}");
        }
    }
    let lines = urls.iter().map(|url| format!(r#"{{"url":"{url}","body":""}}"#));
    let run = get_lines(lines, &["--cacert", authority, "--body", "text"]);
    assert!(run.all_have(200).records.iter().all(|record| body(record) == "POST <0>"));
}

#[test]
fn every_status_is_a_response() {
    let Some(httpbin) = Httpbin::start() else { return };
    let statuses = [200, 201, 204, 205, 300, 304, 400, 401, 403, 404, 410, 418, 500, 501];
    let urls = statuses.map(|status| httpbin.url(&format!("/status/{status}")));
    let run = get_lines(urls, &["--order", "input", "--retries", "0"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let seen: Vec<_> = run.records.iter().map(|record| record["status"].as_u64().expect("a status")).collect();
    assert_eq!(seen, statuses);
}

#[test]
fn headers_come_in_the_order_they_were_sent() {
    let Some(nginx) = Nginx::start(&Setup::default()) else { return };
    let run = get(&[&nginx.url("/headers"), "--headers"]);
    let headers = run.all_have(200).only()["headers"].as_array().expect("a list");
    let ours: Vec<_> = headers
        .iter()
        .filter(|pair| pair[0].as_str().is_some_and(|name| name.starts_with("x-") || name == "set-cookie"))
        .cloned()
        .collect();
    let expected = [["x-b", "1"], ["x-a", "2"], ["x-b", "3"], ["set-cookie", "a=1"], ["set-cookie", "b=2"]];
    assert_eq!(Value::from(ours), value!(expected));
}

#[test]
fn records_come_in_the_order_asked_for() {
    let Some(nginx) = Nginx::start(&Setup::default()) else { return };
    let lines = || [nginx.url("/slow/6k"), nginx.url("/small"), "not a url".to_owned(), nginx.url("/small")];
    let order = |flags: &[&str]| -> Vec<u64> {
        let run = get_lines(lines(), flags);
        assert_eq!(run.code, Some(1), "one line is bad");
        run.records.iter().map(|record| record["seq"].as_u64().expect("a number")).collect()
    };
    assert_eq!(order(&["--order", "input"]), [0, 1, 2, 3]);
    assert_eq!(order(&[]).last(), Some(&0), "the slow one is complete last");
}

#[test]
fn urls_come_from_arguments_too() {
    let Some(nginx) = Nginx::start(&Setup::default()) else { return };
    let run = get(&[&nginx.url("/small"), &nginx.url("/request"), "--order", "input", "--body", "text"]);
    run.all_have(200);
    let bodies: Vec<_> = run.records.iter().map(body).collect();
    assert_eq!(bodies, ["small".to_owned(), format!("GET 127.0.0.1:{} 127.0.0.1", nginx.port())]);
}
