//! Try again what may be tried again, with longer and longer waits.
//!
//! In Python: urllib3's `Retry(total=3, backoff_factor=0.05)` on an `HTTPAdapter`, or `tenacity` with
//! `wait_random_exponential`. In Scrapy: `RETRY_TIMES`.
//!
//! haul retries what can be repeated without harm: GET and other idempotent methods, after failures on the way and after
//! 408, 429, 502, 503 and 504. `Retry-After` is obeyed for the whole host.

mod common;

use std::error::Error;
use std::time::Duration;

use haul::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let targets = [
        "steady.localhost/bytes/1000",
        "shaky.localhost/flaky/2",
        "down.localhost/status/503",
        "wrong.localhost/status/404",
        "rude.localhost/reset/head",
    ];
    let (urls, _server) = common::urls(targets)?;

    let client = Client::builder()
        .retries(3)
        .config(|config| {
            // About 50, 100, 200 … ms, with jitter, at most 2 s.
            config.retries.backoff_base = Duration::from_millis(50);
            config.retries.backoff_max = Duration::from_secs(2);
        })
        .build()?;
    for fetched in client.fetch_all(&urls).in_order().await {
        match fetched.result {
            // A status that stays bad is a response like any other; `error_for_status` makes an error of it.
            Ok(response) => println!("{}: {} at attempt {}", fetched.url, response.status(), response.attempts()),
            Err(error) => println!("{}: {} at attempt {}", fetched.url, error.kind(), error.attempts()),
        }
    }
    Ok(())
}
