//! Each result with what it was asked for.
//!
//! In Python: `future_to_url = {executor.submit(load, url): url for url in urls}`, then `future_to_url[future]` for each
//! future that completes. Here a tag of any type goes with the request and comes back with its result: no map.

mod common;

use std::error::Error;

use haul::Client;

/// What a request is made for.
#[derive(Debug)]
struct Product {
    id: u32,
    name: &'static str,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (urls, _server) = common::urls(["/delay/300ms", "/json/2", "/status/404"])?;
    let products = [(17, "kettle"), (23, "teapot"), (42, "cosy")].map(|(id, name)| Product { id, name });

    let client = Client::new()?;
    let mut batch = client.fetch_tagged(products.into_iter().zip(&urls));
    while let Some(fetched) = batch.next().await {
        let Product { id, name } = fetched.tag;
        match fetched.result {
            Ok(response) => println!("product {id} ({name}): {}", response.status()),
            Err(error) => println!("product {id} ({name}): {error}"),
        }
    }
    Ok(())
}
