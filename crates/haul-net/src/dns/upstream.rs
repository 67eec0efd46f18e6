//! The name servers and files of the machine, as they are now, and a name's way through them.
//!
//! Everything is read when the first name is asked for: a run over addresses needs no name server. What has changed since is
//! read again: the files are looked at every [`LOOK`] at most, where glibc does so at each look-up.

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use nix::net::if_::if_nametoindex;
use rustls::crypto::{SecureRandom, aws_lc_rs};

use super::exchange::{self, QueryOutcome};
use super::families::{AddressFamily, AddressSet, LookupError};
use super::hosts_file::HostsFile;
use super::message::{self, AnswerContent, DnsQuestion};
use super::name_servers::NameServers;
use super::query_schedule::{QuerySchedule, QueryTransport};
use super::resolv_conf::ResolvConf;
use super::search::{NameSearch, SearchVerdict};
use super::words::LookupContext;
use haul_core::config::{DnsSettings, FamilyPreference};
use haul_core::model::{FailureKind, Time};

const RESOLV_CONF: &str = "/etc/resolv.conf";
const HOSTS: &str = "/etc/hosts";
/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(3);
/// The most that is read of a file: who can make it longer can make names wrong anyway.
const MAX_FILE: u64 = 16 << 20;
/// Aliases followed by asking again, each with all those within an answer.
const MAX_ALIASES: usize = 8;

/// The name servers and the hosts file.
pub(super) struct Upstream {
    given: Vec<SocketAddr>,
    /// Where search domains and options are read from, and name servers if none are given. `None`: nowhere.
    resolv_conf: Option<PathBuf>,
    search: Vec<String>,
    options: String,
    pub(super) hosts_file: PathBuf,
    query_timeout: Duration,
    /// All of a look-up.
    timeout: Duration,
    /// How long an entry of the hosts file is used: it has no TTL.
    hosts_ttl: Duration,
    config: RefCell<Option<Rc<ResolverConfig>>>,
    hosts: RefCell<Option<(FileStamp, Rc<HostsFile>)>>,
    look_at: Cell<Time>,
    random: &'static dyn SecureRandom,
}

/// A configuration and what is known of its servers.
pub(super) struct ResolverConfig {
    stamp: FileStamp,
    conf: ResolvConf,
    addresses: Vec<SocketAddr>,
    unnamed: bool,
    servers: RefCell<NameServers>,
}

/// What tells one state of a file from another; `None` for one that is not there.
type FileStamp = Option<(u64, u64, i64, i64, i64)>;

impl ResolverConfig {
    /// Whether the second family waits for the first.
    pub(super) const fn one_by_one(&self) -> bool {
        self.conf.options.single_request
    }

    /// The families asked for, of those wanted; none when the configuration forbids the one that is wanted.
    pub(super) const fn families(&self, wanted: FamilyPreference) -> Option<FamilyPreference> {
        match wanted {
            FamilyPreference::Both if self.conf.options.no_aaaa => Some(FamilyPreference::Ipv4Only),
            FamilyPreference::Ipv6Only if self.conf.options.no_aaaa => None,
            wanted => Some(wanted),
        }
    }

    /// Whether there are domains in which a name may be searched for.
    pub(super) fn searches(&self) -> bool {
        !self.conf.search.is_empty()
    }

    /// The names to ask for instead of `name`.
    pub(super) fn search<'a>(&'a self, name: &'a str) -> NameSearch<'a> {
        NameSearch::new(name, &self.conf.search, &self.conf.options)
    }
}

impl Upstream {
    pub(super) fn new(settings: &DnsSettings, timeout: Duration) -> Self {
        let default = settings.servers.is_empty().then(|| PathBuf::from(RESOLV_CONF));
        Self {
            given: settings.servers.clone(),
            resolv_conf: settings.resolv_conf.clone().or(default),
            search: settings.search.clone(),
            options: settings.options.clone(),
            hosts_file: HOSTS.into(),
            query_timeout: settings.query_timeout,
            timeout,
            hosts_ttl: settings.max_ttl,
            config: RefCell::default(),
            hosts: RefCell::default(),
            look_at: Cell::default(),
            random: aws_lc_rs::default_provider().secure_random,
        }
    }

    /// Forgets what was read of files that have changed, and says whether any has. Looks every few seconds at most.
    pub(super) fn look(&self, now: Time) -> bool {
        if now < self.look_at.get() {
            return false;
        }
        self.look_at.set(now + LOOK);
        let reload = |config: &Rc<ResolverConfig>| !config.conf.options.no_reload && config.stamp != self.stamp();
        let servers = self.config.borrow().as_ref().is_some_and(reload);
        if servers {
            self.config.take();
        }
        let hosts = self.hosts.borrow().as_ref().is_some_and(|(old, _)| *old != stamp(&self.hosts_file));
        if hosts {
            self.hosts.take();
        }
        servers || hosts
    }

    fn stamp(&self) -> FileStamp {
        self.resolv_conf.as_deref().and_then(stamp)
    }

    /// The configuration as it is now.
    pub(super) fn config(&self) -> Rc<ResolverConfig> {
        Rc::clone(self.config.borrow_mut().get_or_insert_with(|| Rc::new(self.read())))
    }

    fn read(&self) -> ResolverConfig {
        let stamp = self.stamp();
        let conf = match &self.resolv_conf {
            Some(path) => ResolvConf::parse(&contents(path).unwrap_or_default(), &hostname(), interface),
            None => ResolvConf::default(),
        };
        let conf = conf.with(&self.search, &self.options);
        let (addresses, unnamed) = match self.given.is_empty() {
            true => (conf.asked(), conf.servers.is_empty()),
            false => (self.given.clone(), false),
        };
        // Servers that somebody lists for this run share its questions.
        let rotate = conf.options.rotate || !self.given.is_empty();
        let servers = RefCell::new(NameServers::new(addresses.clone(), rotate));
        ResolverConfig { stamp, conf, addresses, unnamed, servers }
    }

    /// What the hosts file says of `name`. A file that can't be read says nothing.
    pub(super) fn known_locally(&self, name: &str, family: FamilyPreference) -> Option<AddressSet> {
        let hosts = self.hosts();
        let known = hosts.get(name).iter().filter(|ip| family.allows(**ip));
        let (v6, v4): (Vec<_>, Vec<_>) = known.partition(|ip| ip.is_ipv6());
        let addresses = [v6, v4].concat();
        (!addresses.is_empty()).then_some(AddressSet { addresses, ttl: self.hosts_ttl })
    }

    fn hosts(&self) -> Rc<HostsFile> {
        let read =
            || (stamp(&self.hosts_file), Rc::new(HostsFile::parse(&contents(&self.hosts_file).unwrap_or_default())));
        Rc::clone(&self.hosts.borrow_mut().get_or_insert_with(read).1)
    }

    /// Whether the final dot of `name`, if it has one, makes it another name: it keeps it from being searched for, and the hosts file has
    /// it or has it not.
    pub(super) fn dot_counts(&self, name: &str) -> bool {
        let Some(bare) = name.strip_suffix('.') else { return false };
        self.config().searches() || self.hosts().has(name) || self.hosts().has(bare)
    }

    /// Asks for one family's addresses of `name`, which is taken as it is, and of those it is an alias of.
    pub(super) async fn ask(
        &self,
        config: &ResolverConfig,
        name: &str,
        family: AddressFamily,
        end: Time,
        clock: &dyn Fn() -> Time,
    ) -> Result<AddressSet, LookupError> {
        let asked = self.asked(config, name);
        // The caller has seen to it that it can be one.
        let Some(mut current) = message::name(name) else { return Err(asked.unspeakable(name)) };
        let options = &config.conf.options;
        let wait = options.timeout.map_or(self.query_timeout, |timeout| timeout.min(self.query_timeout));
        let over = if options.use_vc { QueryTransport::Tcp } else { QueryTransport::Udp };
        let mut longest = Duration::MAX;
        for _ in 0..=MAX_ALIASES {
            let question = DnsQuestion { id: self.number(), name: current, family, trust_ad: options.trust_ad };
            let order = config.servers.borrow_mut().order(clock());
            let schedule = QuerySchedule::new(&order, over, wait, options.attempts, end);
            match exchange::ask(&question, schedule, &config.servers, clock).await {
                QueryOutcome::Answered(_, AnswerContent::Addresses(found)) => {
                    return Ok(AddressSet { ttl: found.ttl.min(longest), ..found });
                }
                QueryOutcome::Answered(_, AnswerContent::Alias(target, ttl)) => {
                    current = target;
                    longest = longest.min(ttl);
                }
                QueryOutcome::Answered(server, content) => {
                    let dangling = content == AnswerContent::Nothing { dangling: true } || longest < Duration::MAX;
                    return Err(asked.no_address(config.addresses[server], dangling));
                }
                // The name itself is there, and an alias of one that is not: that ends a search, as it does in glibc.
                QueryOutcome::NoName(server) if longest < Duration::MAX => {
                    return Err(LookupError { then: SearchVerdict::Stop, ..asked.no_name(config.addresses[server]) });
                }
                QueryOutcome::NoName(server) => return Err(asked.no_name(config.addresses[server])),
                QueryOutcome::Failed(failures, lack) => return Err(asked.failed(&failures, lack.as_ref())),
            }
        }
        let message =
            format!("'{name}' has no address: it is an alias of an alias, and so on without end; check the name");
        Err(LookupError::new(FailureKind::NoAddress, message))
    }

    /// The error of a name that nobody can be asked for, if it is one: `candidate`, in the place of `name`.
    pub(super) fn unspeakable(&self, config: &ResolverConfig, name: &str, candidate: &str) -> Option<LookupError> {
        let is_name = message::name(candidate).is_some();
        (!is_name).then(|| self.asked(config, candidate).unspeakable(name))
    }

    /// The error of a look-up that did not end in time.
    pub(super) fn timed_out(&self, config: &ResolverConfig, name: &str) -> LookupError {
        self.asked(config, name).timed_out()
    }

    fn asked<'a>(&self, config: &'a ResolverConfig, name: &'a str) -> LookupContext<'a> {
        LookupContext { name, servers: &config.addresses, unnamed: config.unnamed, within: self.timeout }
    }

    /// A number that nobody can guess.
    fn number(&self) -> u16 {
        let mut bytes = [0; 2];
        self.random.fill(&mut bytes).expect("the system gives random numbers, or TLS would not work either");
        u16::from_be_bytes(bytes)
    }
}

/// The name servers that this machine names (`/etc/resolv.conf`), in its order.
///
/// # Errors
/// It names none, or what names them can't be read.
pub fn system_servers() -> io::Result<Vec<SocketAddr>> {
    let text = contents(Path::new(RESOLV_CONF)).map_err(|error| with_path(&error))?;
    let conf = ResolvConf::parse(&text, "", interface);
    if conf.servers.is_empty() {
        return Err(io::Error::other(format!("{RESOLV_CONF} names none")));
    }
    Ok(conf.servers)
}

fn with_path(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{RESOLV_CONF}: {error}"))
}

fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(MAX_FILE).read_to_end(&mut text)?;
    Ok(text)
}

fn stamp(path: &Path) -> FileStamp {
    let file = fs::metadata(path).ok()?;
    Some((file.ino(), file.size(), file.mtime(), file.mtime_nsec(), file.ctime_nsec()))
}

fn interface(name: &str) -> Option<u32> {
    if_nametoindex(name).ok()
}

/// The host's name, as far as the system says it in a file.
fn hostname() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_file_is_read_again_when_it_changes() {
        let directory = tempfile::tempdir().unwrap();
        let mut upstream = Upstream::new(&DnsSettings::default(), Duration::from_secs(1));
        upstream.hosts_file = directory.path().join("hosts");
        upstream.resolv_conf = None;
        let known = |upstream: &Upstream, name: &str| {
            upstream.known_locally(name, FamilyPreference::Both).map(|found| found.addresses.len()).unwrap_or_default()
        };
        assert_eq!(known(&upstream, "a.test"), 0, "there is no file");
        fs::write(&upstream.hosts_file, "10.0.0.1 a.test").unwrap();
        assert!(upstream.look(Time::ZERO));
        assert_eq!((known(&upstream, "a.test"), known(&upstream, "a.test.")), (1, 0));
        assert!(upstream.dot_counts("a.test.") && !upstream.dot_counts("a.test") && !upstream.dot_counts("b.test."));
        fs::write(&upstream.hosts_file, "10.0.0.1 a.test\n::1 a.test\n").unwrap();
        assert!(!upstream.look(Time::from_millis(2999)), "not each time");
        assert!(upstream.look(Time::from_millis(3000)));
        assert_eq!(known(&upstream, "a.test"), 2);
        assert!(!upstream.look(Time::from_millis(6000)), "nothing has changed");
    }
}
