//! One request after the other.
//!
//! In Python: a `for` loop over `session.get(url)` with a `requests.Session`. The client is the session: it keeps
//! connections open and remembers names.

mod common;

use std::error::Error;

use haul::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (urls, _server) = common::urls(["/text/1000", "/json/3", "/html/1"])?;

    let client = Client::new()?;
    for url in &urls {
        let response = client.get(url).send().await?.error_for_status()?;
        let connection = if response.reused() { "the same" } else { "a new" };
        let text = response.text().await?;
        println!("{url}: {} characters over {connection} connection", text.chars().count());
    }
    Ok(())
}
