//! The client under middleware of the tower ecosystem.
//!
//! In Rust with reqwest: `reqwest-middleware`. In Python: a `requests` transport adapter or a Scrapy downloader
//! middleware.

mod common;

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use haul::Client;
use http::{HeaderValue, Request};
use http_body_util::Empty;
use tower::{Service, ServiceBuilder, ServiceExt};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let (urls, _server) = common::urls(["/headers", "/delay/10s"])?;

    let mut service = ServiceBuilder::new()
        .concurrency_limit(10)
        .timeout(Duration::from_millis(500))
        .map_request(|mut request: Request<Empty<Bytes>>| {
            request.headers_mut().insert("x-signed-by", HeaderValue::from_static("the stack"));
            request
        })
        .service(Client::new()?);
    for url in &urls {
        let request = Request::get(url).body(Empty::new())?;
        match service.ready().await?.call(request).await {
            Ok(response) => {
                let body = response.into_body().bytes().await?;
                println!("{url}: {}", String::from_utf8_lossy(&body).split_whitespace().collect::<String>());
            }
            Err(error) => println!("{url}: {error}"),
        }
    }
    Ok(())
}
