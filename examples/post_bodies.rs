//! Sending bodies: JSON, a form, bytes of any kind, and one body per URL in a batch.
//!
//! In Python: `requests.post(url, json=…)`, `data={…}`, `data=b"…"`. In curl: `--json`, `--data-urlencode`, `--data-binary`.

mod common;

use std::error::Error;

use haul::{Client, Request, Response};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // It answers with what it was sent.
    let (urls, _server) = common::urls(["/echo"])?;
    let url = &urls[0];

    let client = Client::new()?;
    print(client.post(url).json(&json!({ "name": "kettle", "stock": 7 })).send().await?).await?;
    print(client.post(url).form([("name", "tea & pot"), ("stock", "3")]).send().await?).await?;
    print(client.put(url).header("content-type", "text/csv").body("name,stock\ncosy,1\n").send().await?).await?;

    let orders = (1..=3).map(|number| Request::post(url).json(&json!({ "order": number })));
    for fetched in client.fetch_all(orders).in_order().await {
        print(fetched.result?).await?;
    }
    Ok(())
}

/// Shows what the server says it was sent.
async fn print(response: Response) -> Result<(), Box<dyn Error>> {
    let echo: Value = response.error_for_status()?.json().await?;
    let content_type = echo["headers"].as_array().into_iter().flatten().find(|pair| pair[0] == "content-type");
    println!("{} of {}: {}", echo["method"], content_type.map_or(&Value::Null, |pair| &pair[1]), echo["body"]);
    Ok(())
}
