//! The hosts of a shard: origin text to number and back.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::host::Host;
use crate::engine::rules::RuleId;
use crate::engine::top_hosts::TopHosts;
use crate::model::{WebUrl, site_of};
use crate::pool::Habits;
use crate::sched::{GroupId, HostId};

/// The hosts that a shard knows.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    table: RefCell<Table>,
    /// The slowest and the last-ended of the hosts already forgotten, for the run's report.
    top_hosts: RefCell<TopHosts>,
}

#[derive(Debug, Default)]
struct Table {
    /// Numbers by origin, whose text the host itself holds.
    by_origin: HashTable<HostId>,
    hasher: RandomState,
    /// By registrable domain; a group goes with its last host.
    groups: HashMap<Box<str>, GroupId, RandomState>,
    hosts: Vec<Option<Host>>,
    generations: u64,
}

impl Hosts {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.table.borrow().by_origin.len()
    }

    /// The number of an origin's host.
    pub(super) fn find(&self, origin: &str) -> Option<HostId> {
        self.table.borrow().find(origin)
    }

    /// Adds the host of an origin that has none, under a number that no other has now.
    pub(super) fn add(&self, id: HostId, origin: &str, rule: Option<RuleId>) {
        let mut table = self.table.borrow_mut();
        table.generations += 1;
        let host = Host::new(origin, table.generations, rule);
        table.insert(id, host);
    }

    /// Takes a host out, all of whose jobs have left it; its number may be given to another. `leave_group`: whether a group that it is
    /// in has become empty.
    pub(super) fn remove(&self, id: HostId, leave_group: impl FnOnce(GroupId) -> bool) {
        let mut table = self.table.borrow_mut();
        let Some(host) = table.remove(id) else { return };
        assert_eq!(host.open(), 0, "haul lost or doubled a job of {}: it was forgotten with jobs open", host.origin);
        let url = WebUrl::root_of(&host.origin);
        let site = site_of(url.host());
        if let Some(group) = table.groups.get(site).copied()
            && leave_group(group)
        {
            table.groups.remove(site);
        }
        self.top_hosts.borrow_mut().fold(&host.origin, host.tally);
    }

    /// The group of a registrable domain; made if there is none.
    pub(super) fn group(&self, site: &str, make: impl FnOnce() -> GroupId) -> GroupId {
        let mut table = self.table.borrow_mut();
        if let Some(group) = table.groups.get(site) {
            return *group;
        }
        let group = make();
        table.groups.insert(site.into(), group);
        group
    }

    /// Looks at a host.
    pub(super) fn with<R>(&self, id: HostId, look: impl FnOnce(&Host) -> R) -> Option<R> {
        self.table.borrow().hosts.get(id.0 as usize)?.as_ref().map(look)
    }

    /// Changes a host.
    pub(super) fn change<R>(&self, id: HostId, change: impl FnOnce(&mut Host) -> R) -> Option<R> {
        self.table.borrow_mut().hosts.get_mut(id.0 as usize)?.as_mut().map(change)
    }

    /// What is known of a host's connections.
    pub(super) fn habits(&self, id: HostId) -> Habits {
        self.with(id, Host::habits).unwrap_or_default()
    }

    /// Changes what is known of them.
    pub(super) fn learn<R>(&self, id: HostId, change: impl FnOnce(&mut Habits) -> R) -> Option<R> {
        self.change(id, |host| host.learn(change))
    }

    /// A host takes a job in.
    pub(super) fn enters(&self, id: HostId) {
        self.with(id, Host::enter).expect("a host that has just been looked up");
    }

    /// A host hands a job on.
    pub(super) fn leaves(&self, id: HostId) {
        self.with(id, Host::leave).expect("a host with a job is not forgotten");
    }

    /// Each of them.
    pub(super) fn each(&self, mut look: impl FnMut(HostId, &Host)) {
        for (host, id) in self.table.borrow().hosts.iter().zip(0..) {
            if let Some(host) = host {
                look(HostId(id), host);
            }
        }
    }

    /// The slowest of all there were, and those that ended last.
    pub(super) fn top_hosts(&self) -> TopHosts {
        let mut top_hosts = self.top_hosts.take();
        self.each(|_, host| top_hosts.fold(&host.origin, host.tally));
        top_hosts
    }
}

impl Table {
    fn find(&self, origin: &str) -> Option<HostId> {
        self.by_origin.find(self.hasher.hash_one(origin), |id| origin_of(&self.hosts, *id) == origin).copied()
    }

    fn insert(&mut self, id: HostId, host: Host) {
        let Self { by_origin, hasher, hosts, .. } = self;
        let index = id.0 as usize;
        if hosts.len() <= index {
            hosts.resize_with(index + 1, || None);
        }
        let host = hosts[index].insert(host);
        let hash = hasher.hash_one(&*host.origin);
        by_origin.insert_unique(hash, id, |id| hasher.hash_one(origin_of(hosts, *id)));
    }

    fn remove(&mut self, id: HostId) -> Option<Host> {
        let host = self.hosts.get_mut(id.0 as usize).and_then(Option::take)?;
        let hash = self.hasher.hash_one(&*host.origin);
        if let Ok(entry) = self.by_origin.find_entry(hash, |other| *other == id) {
            entry.remove();
        }
        Some(host)
    }
}

fn origin_of(hosts: &[Option<Host>], id: HostId) -> &str {
    let host = hosts[id.0 as usize].as_ref();
    &host.expect("a host leaves both tables at once").origin
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::config::Config;
    use crate::sched::{Scheduler, SchedulerSettings};

    const A: HostId = HostId(0);
    const B: HostId = HostId(1);

    fn generation(hosts: &Hosts, id: HostId) -> Option<u64> {
        hosts.with(id, |host| host.generation)
    }

    #[test]
    fn a_number_is_given_again_and_a_serial_is_not() {
        let hosts = Hosts::default();
        hosts.add(A, "http://a.example", None);
        hosts.add(B, "http://b.example", None);
        assert_eq!((hosts.find("http://a.example"), hosts.find("http://c.example"), hosts.len()), (Some(A), None, 2));
        hosts.remove(A, |_| unreachable!("no group"));
        assert_eq!((hosts.find("http://a.example"), generation(&hosts, A)), (None, None));
        hosts.add(A, "http://c.example", None);
        assert_eq!(
            (hosts.find("http://c.example"), generation(&hosts, A), generation(&hosts, B)),
            (Some(A), Some(3), Some(2))
        );
    }

    #[test]
    fn a_group_goes_with_its_last_host() {
        let hosts = Hosts::default();
        let mut scheduler = Scheduler::<()>::new(SchedulerSettings::from(&Config::default()), 0);
        let mut made = [(); 2].map(|()| scheduler.add_group(NonZeroU32::MIN)).into_iter();
        let mut group = || hosts.group("a.example", || made.next().expect("two are enough"));
        let first = group();
        assert_eq!(group(), first);
        hosts.add(A, "http://www.a.example", None);
        hosts.add(B, "http://a.example", None);
        hosts.remove(A, |_| false);
        assert_eq!(group(), first);
        hosts.remove(B, |group| group == first);
        assert_ne!(group(), first);
    }

    #[test]
    #[should_panic(expected = "it was forgotten with jobs open")]
    fn a_host_with_a_job_can_not_be_forgotten() {
        let hosts = Hosts::default();
        hosts.add(A, "http://a.example", None);
        hosts.enters(A);
        hosts.remove(A, |_| false);
    }
}
