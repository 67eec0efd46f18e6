//! URL COUNT CONCURRENCY: reqwest, as many futures at once as the concurrency.

use futures::StreamExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [_, url, count, concurrency] = <[String; 4]>::try_from(std::env::args().collect::<Vec<_>>())
        .map_err(|_| "usage: peer-reqwest URL COUNT CONCURRENCY")?;
    let (count, concurrency): (usize, usize) = (count.parse()?, concurrency.parse()?);
    let client = reqwest::Client::builder().pool_max_idle_per_host(concurrency).build()?;
    let fetch = |_| async { client.get(&url).send().await?.bytes().await.map(|body| body.len()) };
    let mut results = futures::stream::iter(0..count).map(fetch).buffer_unordered(concurrency);
    while let Some(result) = results.next().await {
        result?;
    }
    Ok(())
}
