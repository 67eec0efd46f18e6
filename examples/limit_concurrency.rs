//! No more than so many at once, in all and per host.
//!
//! In Python: `async with asyncio.Semaphore(6)` around each request, or aiohttp's `TCPConnector(limit=6,
//! limit_per_host=2)`. In Scrapy: `CONCURRENT_REQUESTS` and `CONCURRENT_REQUESTS_PER_DOMAIN`. In JavaScript: `p-limit`.
//!
//! A host that has its two does not hold up the others: its requests wait without taking their places.

mod common;

use std::error::Error;

use haul::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let targets = (0..40).map(|n| format!("h{}.localhost/delay/50ms?n={n}", n % 4));
    let (urls, origin) = common::urls(targets)?;

    let client = Client::builder().concurrency(6).per_host(2).build()?;
    let mut batch = client.fetch_all(&urls);
    let mut good = 0;
    while let Some(fetched) = batch.next().await {
        match fetched.result {
            Ok(_) => good += 1,
            Err(error) => eprintln!("{error}"),
        }
    }
    println!("{good} of {} answered in {:.1?}", urls.len(), client.handle().progress().elapsed);

    if let Some(origin) = origin {
        println!("the server saw at most {} at once", origin.stats().most_in_flight);
        for (host, stats) in origin.hosts() {
            println!("{host} saw {} requests, at most {} at once", stats.requests, stats.most_in_flight);
        }
    }
    Ok(())
}
