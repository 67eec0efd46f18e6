//! Refuse a body by its head, before it is read: wrong type, or too large.
//!
//! In Scrapy: `DOWNLOAD_MAXSIZE` and the `headers_received` signal with `StopDownload`. In Python with requests:
//! `stream=True`, a look at the headers, and `close()`.

mod common;

use std::error::Error;

use haul::Client;
use haul::model::{BodyUse, Hooks, ResponseHead};

const MOST: u64 = 100_000;

struct SmallPagesOnly;

impl Hooks for SmallPagesOnly {
    fn body(&self, head: &ResponseHead<'_>) -> BodyUse {
        let media_type = head.media_type().unwrap_or("unknown");
        if !media_type.starts_with("text/html") && !media_type.starts_with("text/plain") {
            return BodyUse::Refuse(format!("{media_type} is not wanted").into());
        }
        match head.content_length() {
            Some(length) if length > MOST => BodyUse::Refuse(format!("{length} bytes are too many").into()),
            _ => BodyUse::Collect,
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (urls, _server) = common::urls(["/html/1", "/bytes/50000000", "/text/50000000", "/text/500"])?;

    // The cap of the settings is for those whose length is not announced.
    let client = Client::builder().hooks(SmallPagesOnly).config(|config| config.body.max_decoded = MOST).build()?;
    for fetched in client.fetch_all(&urls).in_order().await {
        match fetched.result {
            Ok(response) => println!("{}: {} bytes", fetched.url, response.bytes().await?.len()),
            Err(error) => println!("{error}"),
        }
    }
    println!("{} bytes came over the wire", client.handle().progress().wire_bytes);
    Ok(())
}
