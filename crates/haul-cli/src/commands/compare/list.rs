//! What is fetched: the user's URLs, or those of the built-in server. Pure but for reading the input.

use haul::model::{More, Source, Time};
use indicatif::HumanCount;

use crate::shared::experiment::{self, Target};

/// Entries read at once.
const PORTION: usize = 256;

/// All of `source`, if that is at least one URL and at most `most`, all of them good. An input without an end is read no
/// further than that.
pub(super) fn read(source: &mut dyn Source, most: usize) -> Result<Vec<Target>, String> {
    let mut entries = Vec::new();
    let mut more = More::Yes;
    while more == More::Yes && entries.len() <= most {
        more = source.read(PORTION, Time::ZERO, &mut entries).map_err(|error| error.to_string())?;
    }
    if entries.len() > most {
        return Err(too_many(most));
    }
    if entries.is_empty() {
        return Err("the input has no URLs; give one or more, or none at all to use the built-in server".to_owned());
    }
    experiment::targets(entries)
}

fn too_many(most: usize) -> String {
    format!(
        "more than {} URLs, and each mode fetches all of them in each round, gather all at once; give a part of the list, or \
         --max-urls N if the servers are meant to take it",
        HumanCount(most as u64)
    )
}

/// Hosts of the built-in list, and URLs of each.
const HOSTS: usize = 5;
const EACH: usize = 20;

/// What the built-in server's answers take, in milliseconds: most of them little, a few much. Their order is shuffled by
/// hand, so that slow ones stand among fast ones.
const DELAYS_MS: [u32; EACH] = [7, 5, 15, 8, 4, 30, 6, 9, 11, 5, 8, 18, 6, 45, 10, 7, 13, 9, 22, 12];

/// The URLs of the built-in list: each host's in turn.
pub(super) fn built_in(tls_port: u16) -> Vec<String> {
    let url = |n: usize| {
        let (host, nth) = (n % HOSTS, n / HOSTS);
        let delay = DELAYS_MS[(nth + 7 * host) % EACH];
        format!("https://www.site{host}.localhost:{tls_port}/bytes/8192?delay={delay}ms&n={nth}")
    };
    (0..HOSTS * EACH).map(url).collect()
}

/// What it is, for people.
pub(super) fn about_built_in() -> String {
    let (least, most) = (DELAYS_MS.iter().min().copied().unwrap_or(0), DELAYS_MS.iter().max().copied().unwrap_or(0));
    let mean = f64::from(DELAYS_MS.iter().sum::<u32>()) / EACH as f64;
    format!("the built-in server (TLS on loopback; answers take {least} to {most} ms, {mean} on average)")
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::HashSet;

    use haul::model::WebUrl;
    use haul::source::Urls;

    use super::*;

    /// So many URLs.
    pub(in crate::commands::compare) fn targets(count: usize) -> Vec<Target> {
        let url = |n| WebUrl::parse(&format!("http://a.test/{n}")).expect("a URL").0;
        (0..count).map(|n| Target { url: url(n), overrides: None }).collect()
    }

    #[test]
    fn a_list_is_neither_empty_nor_endless_nor_broken() {
        let urls = |count: usize| Urls::new((0..count).map(|n| format!("http://a.test/{n}")));
        assert_eq!(read(&mut urls(300), 300).expect("just right").len(), 300);
        assert!(read(&mut urls(301), 300).expect_err("too many").contains("more than 300 URLs"));
        let endless = &mut Urls::new((0..).map(|n| format!("http://a.test/{n}")));
        assert!(read(endless, 1000).expect_err("endless").contains("--max-urls"));
        assert!(read(&mut urls(0), 300).expect_err("none").contains("no URLs"));
        assert!(read(&mut Urls::new(["nonsense"]), 300).expect_err("broken").starts_with("nonsense: "));
    }

    #[test]
    fn the_built_in_list_has_a_hundred_urls_on_five_hosts() {
        let list = built_in(8443);
        let different: HashSet<_> = list.iter().collect();
        let hosts: HashSet<_> = list.iter().filter_map(|url| url.split('/').nth(2)).collect();
        assert_eq!((list.len(), different.len(), hosts.len()), (100, 100, HOSTS));
        assert!(about_built_in().contains("4 to 45 ms, 12.5 on average"), "{}", about_built_in());
    }
}
