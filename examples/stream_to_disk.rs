//! A large body into a file, piece by piece: never more than 256 KiB of it are in memory.
//!
//! In Python: `requests.get(url, stream=True)` with `iter_content`, or aiohttp's `response.content.iter_chunked`. For
//! every body of a run, see [`haul::save::SaveBodies`].

mod common;

use std::env;
use std::error::Error;
use std::path::Path;

use haul::Client;
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (urls, _server) = common::urls(["/bytes/30000000", "/truncate/chunked"])?;

    let client = Client::new()?;
    for (number, url) in urls.iter().enumerate() {
        let path = env::temp_dir().join(format!("haul-download-{number}"));
        match download(&client, url, &path).await {
            Ok(bytes) => println!("{url}: {bytes} bytes in {}", path.display()),
            Err(error) => println!("{error}"),
        }
    }
    Ok(())
}

/// Writes the body at `url` to `path`. The file has its name only when it is whole.
async fn download(client: &Client, url: &str, path: &Path) -> Result<u64, Box<dyn Error>> {
    let mut response = client.get(url).send().await?.error_for_status()?;
    let partial = path.with_extension("part");
    let mut file = File::create(&partial).await?;
    let mut bytes = 0;
    // While the disk is busy nothing is read from the server. A body that is cut off ends in an error.
    while let Some(piece) = response.chunk().await? {
        file.write_all(&piece).await?;
        bytes += piece.len() as u64;
    }
    file.flush().await?;
    fs::rename(&partial, path).await?;
    Ok(bytes)
}
