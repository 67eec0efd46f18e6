//! One bad URL never stops the others, and each failure says where and why.
//!
//! In Python: `asyncio.gather(…, return_exceptions=True)`, or `try` around each `future.result()`.

mod common;

use std::collections::BTreeMap;
use std::error::Error;

use haul::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let targets = [
        "/bytes/1000",
        "not a url",
        "http://127.0.0.1:1/",
        "/truncate/length",
        "/status/404",
        "/gzip/5000",
        "ftp://x/",
    ];
    let (urls, _server) = common::urls(targets)?;

    let client = Client::builder().retries(0).build()?;
    let mut good = 0;
    let mut bad: BTreeMap<String, Vec<Box<str>>> = BTreeMap::new();
    let mut batch = client.fetch_all(&urls);
    while let Some(fetched) = batch.next().await {
        match fetched.result.and_then(|response| response.error_for_status()) {
            Ok(_) => good += 1,
            // Phase and kind are few, stable and comparable: right for counting and for deciding what to do.
            Err(error) => bad.entry(format!("{} {}", error.phase(), error.kind())).or_default().push(fetched.url),
        }
    }
    println!("{good} good");
    for (why, urls) in bad {
        println!("{why}: {}", urls.join(" "));
    }
    Ok(())
}
