//! Counts URLs per host and site. Holds memory per host, never per URL. Pure.

use std::collections::HashMap;
use std::rc::Rc;

use haul::model::{Job, Rejected, site_of};

/// How many rejected lines are shown.
const SHOWN: usize = 3;

/// What an input holds.
#[derive(Debug, Default)]
pub(super) struct InputStats {
    pub(super) urls: u64,
    pub(super) rejected: u64,
    /// What is wrong with the first rejected lines, each with its place.
    pub(super) first_rejected: Vec<Box<str>>,
    /// In order of first appearance.
    pub(super) hosts: Vec<InputHost>,
    /// The names of the sites, in order of first appearance.
    pub(super) sites: Vec<Rc<str>>,
    by_origin: HashMap<Rc<str>, usize>,
    by_site: HashMap<Rc<str>, usize>,
}

/// One host: scheme, name and port.
#[derive(Debug)]
pub(super) struct InputHost {
    /// `https://example.com:8443`
    pub(super) origin: Rc<str>,
    pub(super) urls: u64,
    /// Its registrable domain or address, as an index of [`InputStats::sites`].
    pub(super) site: usize,
}

impl InputStats {
    /// Counts one entry of the input.
    pub(super) fn add(&mut self, entry: Result<Job, Rejected>) {
        match entry {
            Ok(job) => {
                self.urls += 1;
                let host = self.host_of(&job);
                self.hosts[host].urls += 1;
            }
            Err(rejected) => {
                self.rejected += 1;
                if self.first_rejected.len() < SHOWN {
                    self.first_rejected.push(rejected.failure.message);
                }
            }
        }
    }

    /// The place of the job's host.
    fn host_of(&mut self, job: &Job) -> usize {
        if let Some(at) = self.by_origin.get(job.url.origin()) {
            return *at;
        }
        let origin: Rc<str> = job.url.origin().into();
        let site = self.site(site_of(job.url.host()));
        self.hosts.push(InputHost { origin: Rc::clone(&origin), urls: 0, site });
        self.by_origin.insert(origin, self.hosts.len() - 1);
        self.hosts.len() - 1
    }

    fn site(&mut self, name: &str) -> usize {
        if let Some(at) = self.by_site.get(name) {
            return *at;
        }
        let name: Rc<str> = name.into();
        self.sites.push(Rc::clone(&name));
        self.by_site.insert(name, self.sites.len() - 1);
        self.sites.len() - 1
    }
}

#[cfg(test)]
pub(super) mod tests {
    use haul::model::{More, Source, Time};
    use haul::source::Urls;

    use super::*;

    /// The tally of these URLs.
    pub(in crate::commands::plan) fn tally_of(urls: impl IntoIterator<Item = String>) -> InputStats {
        let urls: Vec<String> = urls.into_iter().collect();
        let (mut source, mut tally, mut entries) = (Urls::new(urls), InputStats::default(), Vec::new());
        while source.read(100, Time::ZERO, &mut entries).expect("memory") == More::Yes {}
        entries.into_iter().for_each(|entry| tally.add(entry));
        tally
    }

    #[test]
    fn hosts_and_sites_are_counted_once_and_the_first_bad_lines_are_kept() {
        let urls =
            ["https://a.x.example/1", "http://a.x.example/2", "https://b.x.example/3", "HTTPS://A.x.example:443"];
        let bad = (0..5).map(|n| format!("bad/{n}"));
        let tally = tally_of(urls.map(str::to_owned).into_iter().chain(bad));
        assert_eq!((tally.urls, tally.rejected, tally.sites.len()), (4, 5, 1));
        let hosts: Vec<_> = tally.hosts.iter().map(|host| (&*host.origin, host.urls, host.site)).collect();
        assert_eq!(hosts, [("https://a.x.example", 2, 0), ("http://a.x.example", 1, 0), ("https://b.x.example", 1, 0)]);
        assert_eq!((&*tally.sites[0], tally.first_rejected.len()), ("x.example", SHOWN));
        assert!(tally.first_rejected[0].starts_with("URL 5: "), "{}", tally.first_rejected[0]);
    }
}
