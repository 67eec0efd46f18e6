//! Which names are asked for a name, in which order, and when that ends: glibc's `res_search`. Pure.
//!
//! A domain of the search list either has the name, with any family, or it has not: A from one domain and AAAA from
//! another would be two machines.

use super::families::LookupError;
use super::resolv_conf::ResolvOptions;
use haul_core::model::FailureKind;

/// What a candidate's failure means for those behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SearchVerdict {
    /// Ask for the next one.
    Next,
    /// Leave the search list, and ask for the name as it is if that has not been done.
    AsIs,
    /// Ask for nothing more.
    Stop,
}

/// The way through the candidates of one name.
#[derive(Debug)]
pub(super) struct NameSearch<'a> {
    name: &'a str,
    domains: &'a [Box<str>],
    /// The place of the next candidate: 0 is the name as it is, asked first; then the domains; then the name, asked last.
    at: usize,
    as_is_first: bool,
    as_is_last: bool,
    /// Why the name as it is, asked first, was not it.
    first: Option<LookupError>,
    no_address: Option<LookupError>,
    failed: Option<LookupError>,
    last: Option<LookupError>,
    /// The one that ended the search.
    stopped: Option<LookupError>,
}

impl<'a> NameSearch<'a> {
    /// The candidates of `name`, which is searched for unless it ends with a dot.
    pub(super) fn new(name: &'a str, domains: &'a [Box<str>], options: &ResolvOptions) -> Self {
        let (name, absolute) = name.strip_suffix('.').map_or((name, false), |bare| (bare, true));
        let domains = if absolute { &[] } else { domains };
        let dots = name.bytes().filter(|byte| *byte == b'.').count();
        let as_is_first = absolute || dots >= options.ndots;
        let on_list = domains.iter().any(|domain| domain.is_empty());
        let wanted = dots > 0 || domains.is_empty() || !options.no_tld_query;
        Self {
            name,
            domains,
            at: usize::from(!as_is_first),
            as_is_first,
            as_is_last: !as_is_first && !on_list && wanted,
            first: None,
            no_address: None,
            failed: None,
            last: None,
            stopped: None,
        }
    }

    /// The next name to ask for, without its final dot.
    pub(super) fn next(&mut self) -> Option<String> {
        let at = self.at;
        self.at += 1;
        match at.checked_sub(1) {
            None => Some(self.name.to_owned()),
            Some(at) if at < self.domains.len() => match &*self.domains[at] {
                "" => Some(self.name.to_owned()),
                domain => Some(format!("{}.{domain}", self.name)),
            },
            Some(at) => (at == self.domains.len() && self.as_is_last).then(|| self.name.to_owned()),
        }
    }

    /// How many candidates are left.
    pub(super) fn left(&self) -> usize {
        (self.domains.len() + 1 + usize::from(self.as_is_last)).saturating_sub(self.at)
    }

    /// The candidate given last has no address.
    pub(super) fn failed(&mut self, error: LookupError) {
        let in_domains = (2..=self.domains.len() + 1).contains(&self.at);
        match error.then {
            SearchVerdict::Stop => {
                self.at = self.domains.len() + 2;
                self.stopped = Some(error.clone());
            }
            SearchVerdict::AsIs if in_domains => self.at = self.domains.len() + 1,
            SearchVerdict::Next | SearchVerdict::AsIs => {}
        }
        if self.as_is_first && self.first.is_none() {
            self.first = Some(error);
            return;
        }
        if in_domains && error.kind == FailureKind::NoAddress {
            self.no_address.get_or_insert_with(|| error.clone());
        }
        if in_domains && error.then == SearchVerdict::Next && !error.is_negative() {
            self.failed.get_or_insert_with(|| error.clone());
        }
        self.last = Some(error);
    }

    /// The failure of the whole: of the name as it is, if that was asked for first; or else the one that tells most.
    pub(super) fn error(self) -> Option<LookupError> {
        self.stopped.or(self.first).or(self.no_address).or(self.failed).or(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a name server says of a candidate; others are not found.
    const NODATA: &str = "no address";
    const SERVFAIL: &str = "servfail";
    const SILENT: &str = "silent";
    const DANGLING: &str = "an alias of nothing";
    const NOBODY: &str = "nobody there";

    fn error(says: &str) -> LookupError {
        let of = |kind, then| LookupError { then, ..LookupError::new(kind, says.to_owned()) };
        match says {
            NODATA => of(FailureKind::NoAddress, SearchVerdict::Next),
            SERVFAIL => of(FailureKind::ServerFailure, SearchVerdict::Next),
            SILENT => of(FailureKind::Timeout, SearchVerdict::AsIs),
            DANGLING => of(FailureKind::NoAddress, SearchVerdict::Stop),
            NOBODY => of(FailureKind::ServerFailure, SearchVerdict::Stop),
            _ => of(FailureKind::NameNotFound, SearchVerdict::Next),
        }
    }

    fn options(ndots: usize) -> ResolvOptions {
        ResolvOptions { ndots, ..ResolvOptions::default() }
    }

    /// The names asked for, and the kind of the failure when none of them has an address.
    fn walk(
        name: &str,
        domains: &[&str],
        options: &ResolvOptions,
        says: &[(&str, &str)],
    ) -> (Vec<String>, FailureKind) {
        let domains: Vec<Box<str>> = domains.iter().map(|domain| Box::from(*domain)).collect();
        let mut search = NameSearch::new(name, &domains, options);
        let mut asked = Vec::new();
        let all = search.left();
        while let Some(candidate) = search.next() {
            assert!(search.left() < all, "one is taken");
            let said = says.iter().find(|(name, _)| **name == candidate).map_or("not found", |(_, said)| said);
            search.failed(error(said));
            asked.push(candidate);
        }
        (asked, search.error().unwrap().kind)
    }

    #[test]
    fn the_order_is_glibc_s() {
        let both = ["a.test", "b.test"];
        for (name, domains, ndots, expected) in [
            ("shop", &both[..], 1, &["shop.a.test", "shop.b.test", "shop"][..]),
            ("shop.prod", &both, 1, &["shop.prod", "shop.prod.a.test", "shop.prod.b.test"]),
            ("shop.prod", &both, 5, &["shop.prod.a.test", "shop.prod.b.test", "shop.prod"]),
            ("a.b.c.d.e", &both, 5, &["a.b.c.d.e.a.test", "a.b.c.d.e.b.test", "a.b.c.d.e"]),
            ("a.b.c.d.e.f", &both, 5, &["a.b.c.d.e.f", "a.b.c.d.e.f.a.test", "a.b.c.d.e.f.b.test"]),
            ("shop", &both, 0, &["shop", "shop.a.test", "shop.b.test"]),
            ("shop.", &both, 5, &["shop"]),
            ("shop.prod.", &both, 5, &["shop.prod"]),
            ("shop", &[], 1, &["shop"]),
            ("shop.prod", &[], 5, &["shop.prod"]),
            ("shop", &["a.test", ""], 1, &["shop.a.test", "shop"]),
            ("shop", &["", "a.test"], 1, &["shop", "shop.a.test"]),
        ] {
            assert_eq!(walk(name, domains, &options(ndots), &[]).0, expected, "{name} {domains:?} ndots:{ndots}");
        }
    }

    #[test]
    fn no_tld_query_spares_the_root_names_without_a_dot() {
        let options = ResolvOptions { no_tld_query: true, ..options(5) };
        assert_eq!(walk("shop", &["a.test"], &options, &[]).0, ["shop.a.test"]);
        assert_eq!(walk("shop.prod", &["a.test"], &options, &[]).0, ["shop.prod.a.test", "shop.prod"]);
        assert_eq!(walk("shop", &[], &options, &[]).0, ["shop"]);
    }

    #[test]
    fn what_ends_the_list_and_what_does_not() {
        use FailureKind::{NameNotFound, NoAddress, ServerFailure, Timeout};
        let all = &["shop.a.test", "shop.b.test", "shop"][..];
        for (says, asked, kind) in [
            (&[][..], all, NameNotFound),
            (&[("shop.a.test", NODATA)], all, NoAddress),
            (&[("shop.a.test", SERVFAIL)], all, ServerFailure),
            (&[("shop.a.test", SERVFAIL), ("shop.b.test", NODATA)], all, NoAddress),
            (&[("shop.a.test", SILENT)], &["shop.a.test", "shop"], NameNotFound),
            (&[("shop.a.test", SILENT), ("shop", SILENT)], &["shop.a.test", "shop"], Timeout),
            (&[("shop.b.test", SILENT)], all, NameNotFound),
            (&[("shop.a.test", DANGLING)], &["shop.a.test"], NoAddress),
            (&[("shop.a.test", NOBODY)], &["shop.a.test"], ServerFailure),
            (&[("shop", SERVFAIL)], all, ServerFailure),
        ] {
            let result = walk("shop", &["a.test", "b.test"], &options(1), says);
            assert_eq!(result, (asked.iter().map(ToString::to_string).collect(), kind), "{says:?}");
        }
    }

    #[test]
    fn a_name_asked_for_as_it_is_first_gives_the_failure() {
        use FailureKind::{NameNotFound, ServerFailure, Timeout};
        let all = &["a.b", "a.b.a.test", "a.b.b.test"][..];
        for (says, asked, kind) in [
            (&[("a.b", SERVFAIL)][..], all, ServerFailure),
            (&[("a.b", SILENT)], all, Timeout),
            (&[("a.b.a.test", NODATA)], all, NameNotFound),
            (&[("a.b.a.test", SILENT)], &["a.b", "a.b.a.test"], NameNotFound),
        ] {
            let result = walk("a.b", &["a.test", "b.test"], &options(1), says);
            assert_eq!(result, (asked.iter().map(ToString::to_string).collect(), kind), "{says:?}");
        }
    }
}
