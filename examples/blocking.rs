//! Without async: each call waits.
//!
//! In Python: `requests`, and `concurrent.futures.ThreadPoolExecutor` for many at once. In Rust: `ureq`, or
//! `reqwest::blocking`.

mod common;

use std::error::Error;
use std::io::Read;

use haul::blocking::Client;

fn main() -> Result<(), Box<dyn Error>> {
    let (urls, _server) = common::urls(["/text/5000", "/bytes/1000", "/status/404"])?;

    let client = Client::new()?;
    let text = client.get(&urls[0]).send()?.error_for_status()?.text()?;
    println!("{} characters", text.chars().count());

    // A response is a reader. What is not read is not fetched.
    let mut start = String::new();
    client.get(&urls[0]).send()?.take(20).read_to_string(&mut start)?;
    println!("it begins with {start:?}");

    // Many at once, without threads of your own.
    for fetched in client.fetch_all(&urls) {
        match fetched.result {
            Ok(response) => println!("{}: {}, {} bytes", fetched.url, response.status(), response.bytes()?.len()),
            Err(error) => println!("{error}"),
        }
    }
    Ok(())
}
