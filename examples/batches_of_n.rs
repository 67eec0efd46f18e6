//! So many, then the next so many: when something has to be done between them, like a commit.
//!
//! In Python: `for chunk in itertools.batched(urls, 10): await asyncio.gather(*map(fetch, chunk))`.
//!
//! Each batch waits for its slowest. Where batches are only meant to bound memory, one batch with
//! [`haul::Batch::look_ahead`] does that without the wait.

mod common;

use std::error::Error;

use haul::{Client, Fetched};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (urls, _server) = common::urls((0..25).map(|n| format!("/bytes/{}", n * 100)))?;

    let client = Client::new()?;
    for (number, chunk) in urls.chunks(10).enumerate() {
        let results = client.fetch_all(chunk).in_order().await;
        commit(number + 1, results).await?;
    }
    Ok(())
}

/// Stands for whatever is to happen with a whole batch.
async fn commit(number: usize, results: Vec<Fetched>) -> Result<(), Box<dyn Error>> {
    let (count, mut bytes) = (results.len(), 0);
    for fetched in results {
        bytes += fetched.result?.bytes().await?.len();
    }
    println!("batch {number}: {count} responses, {bytes} bytes");
    Ok(())
}
