//! hyper-util's pooled client, as many requests at once as there are connections. Over HTTP/2 it opens one connection only.

use std::error::Error;

use asked::Asked;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Empty};
use hyper::Uri;
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

type Fetcher = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

fn main() -> Result<(), Box<dyn Error>> {
    let asked = Asked::from_arguments()?;
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    http.enforce_http(false);
    let builder = HttpsConnectorBuilder::new().with_tls_config((*asked::tls()?).clone()).https_or_http().enable_http1();
    let connector = builder.wrap_connector(http);
    let client: Fetcher = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(asked.idle_per_host())
        .http2_only(asked.streams.is_some())
        .build(connector);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("{}", runtime.block_on(all(&asked, &client))?);
    Ok(())
}

/// How many were answered with 200.
async fn all(asked: &Asked, client: &Fetcher) -> Result<usize, Box<dyn Error>> {
    let urls = std::iter::from_fn(|| asked.next());
    let at_once = asked.connections * asked.streams.unwrap_or(1);
    let mut fetches = stream::iter(urls).map(|url| one(client, url)).buffer_unordered(at_once);
    let mut done = 0;
    while let Some(good) = fetches.next().await {
        done += usize::from(good?);
    }
    Ok(done)
}

async fn one(client: &Fetcher, url: &str) -> Result<bool, Box<dyn Error>> {
    let uri: Uri = url.parse()?;
    let response = client.get(uri).await?;
    let good = response.status() == 200;
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Ok(good)
}
