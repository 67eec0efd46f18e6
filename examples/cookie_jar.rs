//! A cookie jar: what a login sets goes with every later request to the site, though it comes with a redirect.
//!
//! Each thread that fetches has a jar of its own, without a lock: a site's hosts are all on the same thread.
//!
//! `cargo run --example cookie_jar -- 'https://httpbingo.org/cookies/set?session=alice'`
//!
//! In Python: `requests.Session`. In Rust with reqwest: `ClientBuilder::cookie_store`.

mod common;

use std::cell::RefCell;
use std::error::Error;

use cookie_store::{CookieStore, RawCookie};
use haul::Client;
use haul::model::{Hooks, RequestHead, ResponseHead};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use url::Url;

/// The jar of one thread. A jar for the web needs the public suffix list besides (cookie_store's feature `public_suffix`).
#[derive(Default)]
struct Jar(RefCell<CookieStore>);

impl Hooks for Jar {
    /// The cookies for this URL go with the request, redirects and repeats included.
    fn request(&self, request: &mut RequestHead<'_>) -> Result<(), Box<str>> {
        let jar = self.0.borrow();
        let cookies = jar.get_request_values(&parsed(request.job.url.as_str())?);
        let cookies: Vec<_> = cookies.map(|(name, value)| format!("{name}={value}")).collect();
        if let Some(value) = HeaderValue::try_from(cookies.join("; ")).ok().filter(|value| !value.is_empty()) {
            request.headers.insert(COOKIE, value);
        }
        Ok(())
    }

    /// What any response sets is kept: that of a redirect, too.
    fn head(&self, head: &ResponseHead<'_>) {
        if let Ok(url) = parsed(head.job.url.as_str()) {
            self.0.borrow_mut().store_response_cookies(set_cookies(head.headers), &url);
        }
    }
}

fn parsed(url: &str) -> Result<Url, Box<str>> {
    Url::parse(url).map_err(|error| error.to_string().into())
}

/// Those that can be read; a browser ignores the others, too.
fn set_cookies(headers: &HeaderMap) -> impl Iterator<Item = RawCookie<'static>> {
    let lines = headers.get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.filter_map(|line| RawCookie::parse(line.to_owned()).ok())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let login = "/redirect-to?url=/headers&header=set-cookie:session%3Dalice%3B%20Path%3D/headers";
    let (urls, _server) = common::urls([
        format!("shop.localhost{login}"),
        "shop.localhost/headers".into(),
        "other.localhost/headers".into(),
    ])?;

    let client = Client::builder().hooks_per_thread(Jar::default).build()?;
    for url in &urls {
        let response = client.get(url).send().await?;
        let (at, status) = (response.url().to_owned(), response.status());
        let body = response.bytes().await?;
        let says = if String::from_utf8_lossy(&body).contains("alice") { "alice is known" } else { "nobody is known" };
        println!("{at}: {status}, {says}");
    }
    Ok(())
}
