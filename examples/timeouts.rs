//! A time-out for each part of a request, and one for the whole.
//!
//! In Python: `requests.get(url, timeout=(connect, read))`, or aiohttp's `ClientTimeout(total=…, sock_connect=…,
//! sock_read=…)`. In Rust with reqwest: `connect_timeout`, `read_timeout`, `timeout`.

mod common;

use std::error::Error;
use std::time::Duration;

use haul::{Client, Request};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let targets = ["/bytes/1000", "/delay/20s", "/drip?bytes=10&over=20s", "/drip?bytes=300&over=30s"];
    let (urls, _server) = common::urls(targets)?;

    let client = Client::builder()
        .timeout(Duration::from_secs(10))
        .config(|config| {
            config.timeouts.connect = Duration::from_secs(3);
            config.timeouts.first_byte = Duration::from_secs(1);
            // Between two reads of the body.
            config.timeouts.idle = Duration::from_secs(1);
        })
        .retries(0)
        .build()?;
    // A single request may have a total time-out of its own.
    let requests = urls.iter().map(|url| Request::get(url).timeout(Duration::from_secs(2)));
    for fetched in client.fetch_all(requests).in_order().await {
        match fetched.result {
            Ok(response) => println!("{}: {}", fetched.url, response.status()),
            Err(error) if error.is_timeout() => {
                println!("{}: {} in phase {}", fetched.url, error.kind(), error.phase())
            }
            Err(error) => println!("{error}"),
        }
    }
    Ok(())
}
