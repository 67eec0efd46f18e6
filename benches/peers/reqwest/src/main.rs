//! reqwest with a client shared by all requests, as many at once as there are connections; gzip is decoded. Over HTTP/2 it
//! opens one connection only.

use std::error::Error;

use asked::Asked;
use futures_util::{StreamExt, stream};
use reqwest::Client;

fn main() -> Result<(), Box<dyn Error>> {
    let asked = Asked::from_arguments()?;
    let mut builder = Client::builder()
        .pool_max_idle_per_host(asked.idle_per_host())
        .tcp_nodelay(true)
        .no_proxy()
        .use_preconfigured_tls((*asked::tls()?).clone());
    if asked.streams.is_some() {
        builder = builder.http2_prior_knowledge();
    }
    let client = builder.build()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("{}", runtime.block_on(all(&asked, &client))?);
    Ok(())
}

/// How many were answered with 200.
async fn all(asked: &Asked, client: &Client) -> reqwest::Result<usize> {
    let urls = std::iter::from_fn(|| asked.next());
    let one = |url| async move {
        let response = client.get(url).send().await?;
        let good = response.status() == 200;
        response.bytes().await?;
        Ok::<_, reqwest::Error>(good)
    };
    let at_once = asked.connections * asked.streams.unwrap_or(1);
    let mut fetches = stream::iter(urls).map(one).buffer_unordered(at_once);
    let mut done = 0;
    while let Some(good) = fetches.next().await {
        done += usize::from(good?);
    }
    Ok(done)
}
