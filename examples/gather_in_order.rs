//! All at once, results in the order of the input.
//!
//! In Python: `await asyncio.gather(*map(fetch, urls), return_exceptions=True)`, or `executor.map(fetch, urls)`. In
//! JavaScript: `Promise.allSettled`.

mod common;

use std::error::Error;

use haul::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (urls, _server) = common::urls(["/delay/300ms", "/delay/100ms", "/bytes/1000", "/delay/200ms"])?;

    let client = Client::new()?;
    let results = client.fetch_all(&urls).in_order().await;
    for fetched in results {
        match fetched.result {
            Ok(response) => println!("{} {}: {}", fetched.index, fetched.url, response.status()),
            Err(error) => println!("{} {error}", fetched.index),
        }
    }
    // They overlapped: this is about as long as the slowest took.
    println!("after {:.1?}", client.handle().progress().elapsed);
    Ok(())
}
