//! All at once, each result as soon as it is there.
//!
//! In Python: `for future in asyncio.as_completed(tasks)`. In Rust with reqwest: a `FuturesUnordered`, or a stream with
//! `buffer_unordered`.

mod common;

use std::error::Error;

use haul::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (urls, _server) = common::urls(["/delay/600ms", "/delay/300ms", "/bytes/1000"])?;

    let client = Client::new()?;
    // A `futures::Stream` too: adapters like `take` and `for_each` work on it.
    let mut batch = client.fetch_all(&urls);
    while let Some(fetched) = batch.next().await {
        let elapsed = client.handle().progress().elapsed;
        match fetched.result {
            Ok(response) => println!("{elapsed:.1?}  {}: {}", fetched.url, response.status()),
            Err(error) => println!("{elapsed:.1?}  {error}"),
        }
    }
    Ok(())
}
