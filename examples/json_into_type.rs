//! A JSON answer as a value of a type.
//!
//! In Python: `[Item(**fields) for fields in response.json()]`, or a pydantic model. In Rust with reqwest: the same
//! `json()`.

mod common;

use std::error::Error;

use haul::Client;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Item {
    name: String,
    price: f64,
    in_stock: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (urls, _server) = common::urls(["/json/5", "/html/1"])?;

    let client = Client::new()?;
    for url in &urls {
        let response = client.get(url).header("accept", "application/json").send().await?.error_for_status()?;
        match response.json::<Vec<Item>>().await {
            Ok(items) => items.iter().for_each(|Item { name, price, in_stock }| {
                println!("{name}: {price:.2}{}", if *in_stock { "" } else { " (sold out)" });
            }),
            // What is no such JSON is an error of this response alone.
            Err(error) => println!("{error}"),
        }
    }
    Ok(())
}
