//! Names looked up your own way: a table first, then the system (`getaddrinfo`, as browsers and curl do).
//!
//! In Python: a subclass of aiohttp's `AbstractResolver`. In Rust with reqwest: `ClientBuilder::dns_resolver`.

mod common;

use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use haul::Client;
use haul::model::{Failure, FailureKind, Phase, Resolve, Resolved};

struct Table(HashMap<&'static str, IpAddr>);

impl Table {
    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Failure> {
        if let Some(address) = self.0.get(name) {
            return Ok(vec![*address]);
        }
        let failed = |error| Failure::new(Phase::Dns, FailureKind::NameNotFound, format!("{name}: {error}"));
        let found = tokio::net::lookup_host((name, 0)).await.map_err(failed)?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

impl Resolve for Table {
    fn resolve<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = Result<Resolved, Failure>> + 'a>> {
        Box::pin(async move {
            let addresses = self.addresses(name).await?;
            println!("{name} is at {addresses:?}");
            // haul remembers it for so long, and asks only once however many requests wait.
            Ok(Resolved { addresses: addresses.into(), valid_for: Duration::from_secs(60) })
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (urls, _server) = common::urls(["shop.test/bytes/1000", "shop.test/json/3"])?;

    let table = Table(HashMap::from([("shop.test", IpAddr::from([127, 0, 0, 1]))]));
    let client = Client::builder().resolver(table).build()?;
    for fetched in client.fetch_all(&urls).in_order().await {
        let response = fetched.result?;
        println!("{}: {}", fetched.url, response.status());
    }
    Ok(())
}
