//! What a program sees that logs everything: haul's own lines and those of every library under it.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use haul::Client;
use haul::config::Config;
use haul::http::{HeaderValue, header};
use haul_testserver::TestServer;

use crate::credentials::betrays;

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("lock").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn settings(config: &mut Config, cacert: &std::path::Path) {
    config.tls.ca_files = vec![cacert.into()];
    config.request.headers.insert(header::COOKIE, HeaderValue::from_static("a=hunter2"));
    config.request.headers.insert(header::PROXY_AUTHORIZATION, HeaderValue::from_static("hunter2"));
}

#[test]
fn credentials_are_in_no_log_of_any_library_at_its_most_verbose() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .init();
    let origin = TestServer::start().expect("free ports");
    let cacert = crate::cacert(&origin);
    for prior_knowledge in [false, true] {
        let client = Client::builder()
            .retries(0)
            .config(|config| {
                settings(config, cacert.path());
                config.network.http2_prior_knowledge = prior_knowledge;
            })
            .build()
            .expect("valid settings");
        let urls = [origin.url("/headers"), origin.https_url("/redirect/1"), "http://127.0.0.1:1/".to_owned()];
        for url in urls {
            let with_user_info = url.replacen("://", "://me:hunter2@", 1);
            for request in [client.get(&url).basic_auth("me", "hunter2"), client.get(&with_user_info)] {
                let told = block_on(async { request.send().await?.text().await });
                assert_eq!(told.is_err(), url.ends_with(":1/"), "{told:?}");
            }
        }
    }
    let text = String::from_utf8_lossy(&log.0.lock().expect("lock")).into_owned();
    // hyper itself logs nothing as it is built here.
    for library in ["haul::", "h2::", "rustls::"] {
        assert!(text.contains(library), "{library} logs, or this proves nothing");
    }
    let betraying: Vec<&str> = text.lines().filter(|line| betrays(line)).collect();
    assert!(betraying.is_empty(), "{betraying:#?}");
}
