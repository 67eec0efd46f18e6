//! The hostile lab: every way a server can be broken, slow or malicious that we know of, one small named case each, with
//! what haul must say of it. The rows stand in docs/reference/HOSTILE.md, which these tests hold: `HAUL_BLESS=1 cargo test --test
//! hostile` renews it.
//!
//! One file per group of cases, named in [`groups`]. A group is a test of its own, so that `cargo test --test hostile
//! framing` runs one.

use std::io::Write;

mod answers;
mod between;
mod case;
mod chunked;
mod coding;
mod desync;
mod dns;
mod dns_peer;
mod endless;
mod h2;
mod h2_beside;
mod h2_cut;
mod h2_flood;
mod h2_fragments;
mod h2_head;
mod h2_leave;
mod h2_order;
mod h2_requests;
mod h2_settings;
mod heads;
mod idle;
mod kept;
mod lab;
mod length;
mod memory;
mod page;
mod peer;
mod redirects;
mod runner;
mod scripts;
mod splits;
mod timing;
mod tls_attacks;
mod tls_bodies;
mod tls_handshakes;
mod tls_memory;
mod tls_peer;
mod tls_splits;
mod transfer;

macro_rules! groups {
    ($($group:ident)*) => {
        /// Every group, in the page's order.
        fn groups() -> Vec<case::Group> {
            vec![$($group::group()),*]
        }

        mod group {
            $(#[test] fn $group() { crate::runner::check(crate::$group::group()); })*
        }
    };
}

groups! {
    length chunked transfer heads between desync endless timing tls_handshakes tls_bodies tls_attacks splits tls_splits
    h2_order h2_head h2_fragments h2_requests h2_leave h2_settings h2_flood h2_cut h2_beside
    kept coding redirects dns
}

#[test]
fn the_page_lists_every_group_and_no_other() {
    let groups = groups();
    page::lists(&groups);
    let cases: usize = groups.iter().map(|group| group.cases.len()).sum();
    let deliveries = splits::deliveries() + tls_splits::deliveries();
    // Past the capture of passing tests' output: the number is to be seen.
    writeln!(std::io::stdout(), "{cases} cases in {} groups, with {deliveries} deliveries in memory", groups.len())
        .expect("standard output is open");
}
