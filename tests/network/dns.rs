//! The resolver against a real name server (unbound) and against one that misbehaves to order.

use std::cell::Cell;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use haul::config::{Config, FamilyPreference};
use haul::model::{Failure, FailureKind, Phase, Resolve, Time};
use haul_net::dns::Resolver;
use haul_testsupport::fake_dns::{self, Reply};
use haul_testsupport::unbound;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use tokio::task::LocalSet;

async fn local<T>(test: impl Future<Output = T>) -> T {
    LocalSet::new().run_until(test).await
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn config(server: SocketAddr) -> Config {
    let mut config = Config::default();
    config.dns.servers = vec![server];
    config
}

fn resolver(config: &Config) -> (Resolver, Clock) {
    let clock = Clock { running: Rc::new(haul_testsupport::clock::running()), ahead: Rc::default() };
    let given = clock.clone();
    (Resolver::new(config, move || given.now()), clock)
}

/// The clock of a resolver. It can be put forward; timers don't notice.
#[derive(Clone)]
struct Clock {
    running: Rc<dyn Fn() -> Time>,
    ahead: Rc<Cell<Duration>>,
}

impl Clock {
    fn now(&self) -> Time {
        (self.running)() + self.ahead.get()
    }

    fn skip(&self, by: Duration) {
        self.ahead.set(self.ahead.get() + by);
    }
}

async fn addresses(resolver: &Resolver, name: &str) -> Vec<IpAddr> {
    let resolved = resolver.resolve(name).await.unwrap_or_else(|failure| panic!("{failure}"));
    resolved.addresses.to_vec()
}

async fn failure(resolver: &Resolver, name: &str) -> Failure {
    match resolver.resolve(name).await {
        Ok(resolved) => panic!("{name} has {:?}", resolved.addresses),
        Err(failure) => {
            assert_eq!(failure.phase, Phase::Dns);
            assert!(failure.message.contains(name), "{failure}");
            failure
        }
    }
}

/// A reply with the address of the family asked for.
fn loopback(kind: RecordType, ttl: u32) -> Reply {
    let address = if kind == RecordType::A { ip("127.0.0.1") } else { ip("::1") };
    Reply::Address(address, ttl, Duration::ZERO)
}

#[tokio::test]
async fn names_have_the_addresses_the_server_says() {
    let Some((_server, address)) = unbound::start() else { return };
    local(async {
        let (resolver, _) = resolver(&config(address));
        assert_eq!(addresses(&resolver, "both.test").await, [ip("::1"), ip("127.0.0.2")]);
        assert_eq!(addresses(&resolver, "four.test").await, [ip("127.0.0.3")]);
        assert_eq!(addresses(&resolver, "six.test").await, [ip("::1")]);
        assert_eq!(addresses(&resolver, "alias.test").await, [ip("127.0.0.3")]);
        let mut two = addresses(&resolver, "two.test.").await;
        two.sort();
        assert_eq!(two, [ip("127.0.0.2"), ip("127.0.0.3")]);
        let stats = resolver.stats();
        assert_eq!((stats.asked, stats.lookups, stats.hits, stats.failed), (5, 5, 0, 0));
        assert!(stats.lookup_time > Duration::ZERO);
        addresses(&resolver, "two.test").await;
        assert_eq!(resolver.stats().hits, 1);
    })
    .await;
}

#[tokio::test]
async fn an_answer_too_long_for_udp_is_fetched_over_tcp() {
    let Some((_server, address)) = unbound::start() else { return };
    local(async {
        let (resolver, _) = resolver(&config(address));
        // Of so many, the first are used.
        const { assert!(unbound::LARGE > 16) };
        assert_eq!(addresses(&resolver, "large.test").await.len(), 16);
    })
    .await;
}

#[tokio::test]
async fn only_the_wanted_family_is_asked_for() {
    let Some((_server, address)) = unbound::start() else { return };
    local(async {
        let mut config = config(address);
        config.network.family = FamilyPreference::Ipv4Only;
        let (v4, _) = resolver(&config);
        assert_eq!(addresses(&v4, "both.test").await, [ip("127.0.0.2")]);
        assert_eq!(failure(&v4, "six.test").await.kind, FailureKind::NoAddress);
        config.network.family = FamilyPreference::Ipv6Only;
        let (v6, _) = resolver(&config);
        assert_eq!(addresses(&v6, "both.test").await, [ip("::1")]);
        assert_eq!(failure(&v6, "four.test").await.kind, FailureKind::NoAddress);
    })
    .await;
}

#[tokio::test]
async fn each_way_to_have_no_address_is_told_apart() {
    let Some((_server, address)) = unbound::start() else { return };
    local(async {
        let (resolver, _) = resolver(&config(address));
        for (name, kind, says) in [
            ("missing.test", FailureKind::NameNotFound, "NXDOMAIN"),
            ("text.test", FailureKind::NoAddress, "NODATA"),
            ("www.refused", FailureKind::ServerFailure, "REFUSED"),
            ("www.broken", FailureKind::ServerFailure, "SERVFAIL"),
        ] {
            let failure = failure(&resolver, name).await;
            assert_eq!(failure.kind, kind, "{failure}");
            assert!(failure.message.contains(says), "{failure}");
            assert!(failure.message.contains(&address.to_string()), "{failure}");
        }
        assert_eq!((resolver.stats().lookups, resolver.stats().failed), (4, 4));
        assert_eq!(failure(&resolver, "missing.test").await.kind, FailureKind::NameNotFound);
        assert_eq!(resolver.stats().lookups, 4, "remembered");
    })
    .await;
}

#[tokio::test]
async fn a_short_ttl_is_asked_again_after_its_end() {
    let Some((_server, address)) = unbound::start() else { return };
    local(async {
        let mut config = config(address);
        config.dns.min_ttl = Duration::ZERO;
        config.dns.stale_for = Duration::ZERO;
        let (resolver, clock) = resolver(&config);
        let first = resolver.resolve("short.test").await.unwrap();
        assert!(first.valid_for <= Duration::from_secs(1), "{:?}", first.valid_for);
        clock.skip(Duration::from_millis(500));
        addresses(&resolver, "short.test").await;
        assert_eq!(resolver.stats().lookups, 1);
        clock.skip(Duration::from_millis(600));
        addresses(&resolver, "short.test").await;
        assert_eq!(resolver.stats().lookups, 2);
    })
    .await;
}

#[tokio::test]
async fn a_dead_first_server_leaves_the_second() {
    let Some((_server, address)) = unbound::start() else { return };
    local(async {
        let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut config = config(silent.local_addr().unwrap());
        config.dns.servers.push(address);
        config.dns.query_timeout = Duration::from_millis(200);
        let (resolver, _) = resolver(&config);
        for name in ["four.test", "both.test", "two.test"] {
            assert!(!addresses(&resolver, name).await.is_empty());
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_that_fails_leaves_the_next_one() {
    let Some((_server, address)) = unbound::start() else { return };
    local(async {
        let (failing, _) = fake_dns::start(|_, _| Reply::Code(ResponseCode::ServFail)).await;
        let mut config = config(failing);
        config.dns.servers.push(address);
        let (resolver, _) = resolver(&config);
        for name in ["four.test", "both.test", "two.test"] {
            assert!(!addresses(&resolver, name).await.is_empty());
        }
    })
    .await;
}

#[tokio::test]
async fn a_silent_server_is_a_time_out_remembered_for_a_while() {
    local(async {
        let (address, asked) = fake_dns::start(|_, _| Reply::Silence).await;
        let mut config = config(address);
        config.dns.query_timeout = Duration::from_secs(30);
        config.timeouts.dns = Duration::from_millis(300);
        let (resolver, clock) = resolver(&config);
        let before = clock.now();
        let first = failure(&resolver, "silent.test").await;
        assert_eq!(first.kind, FailureKind::Timeout);
        assert!(first.message.contains(&address.to_string()), "{first}");
        assert!(first.message.contains("dns.servers"), "{first}");
        assert!(clock.now().since(before) >= config.timeouts.dns);
        assert!(!asked.borrow().is_empty());
        failure(&resolver, "silent.test").await;
        assert_eq!(resolver.stats().lookups, 1);
        clock.skip(config.dns.failure_ttl);
        failure(&resolver, "silent.test").await;
        assert_eq!(resolver.stats().lookups, 2);
    })
    .await;
}

#[tokio::test]
async fn nobody_at_the_server_s_port_is_a_server_failure_at_once() {
    local(async {
        let port = haul_testsupport::server::free_port();
        let (resolver, clock) = resolver(&config(SocketAddr::from(([127, 0, 0, 1], port))));
        let before = clock.now();
        let failure = failure(&resolver, "a.test").await;
        assert_eq!(failure.kind, FailureKind::ServerFailure, "{failure}");
        assert!(failure.message.contains(&format!("127.0.0.1:{port} was no use: nobody listens")), "{failure}");
        assert!(clock.now().since(before) < Duration::from_millis(500));
    })
    .await;
}

#[tokio::test]
async fn a_server_this_machine_can_t_send_to_leaves_the_next_one_at_once() {
    local(async {
        let (good, _) = fake_dns::start(|_, kind| loopback(kind, 60)).await;
        // A link-local address without its zone, and one that takes a broadcast socket.
        for barred in ["[fe80::1]:53", "255.255.255.255:53"] {
            let mut config = config(barred.parse().unwrap());
            let (alone, clock) = resolver(&config);
            let before = clock.now();
            let failed = failure(&alone, "a.test").await;
            assert_eq!(failed.kind, FailureKind::ServerFailure, "{failed}");
            assert!(failed.message.contains(&format!("{barred} was no use: it can't be reached (")), "{failed}");
            config.dns.servers.push(good);
            let (resolver, _) = resolver(&config);
            for name in ["a.test", "b.test", "c.test"] {
                assert_eq!(addresses(&resolver, name).await.len(), 2, "{barred}");
            }
            assert!(clock.now().since(before) < Duration::from_millis(500), "{barred}");
        }
    })
    .await;
}

#[tokio::test]
async fn one_family_failing_does_not_fail_the_other() {
    local(async {
        let (address, _) = fake_dns::start(|_, kind| match kind {
            RecordType::AAAA => Reply::Code(ResponseCode::ServFail),
            _ => Reply::Address(ip("127.0.0.9"), 60, Duration::from_millis(100)),
        })
        .await;
        let (resolver, _) = resolver(&config(address));
        assert_eq!(addresses(&resolver, "half.test").await, [ip("127.0.0.9")]);
    })
    .await;
}

#[tokio::test]
async fn a_late_family_is_not_waited_for_and_joins_the_answer_when_it_comes() {
    local(async {
        let (address, _) = fake_dns::start(|_, kind| match kind {
            RecordType::AAAA => Reply::Address(ip("::1"), 60, Duration::from_millis(400)),
            _ => loopback(kind, 60),
        })
        .await;
        let (resolver, clock) = resolver(&config(address));
        let before = clock.now();
        assert_eq!(addresses(&resolver, "late.test").await, [ip("127.0.0.1")]);
        assert!(clock.now().since(before) < Duration::from_millis(400));
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert_eq!(addresses(&resolver, "late.test").await, [ip("::1"), ip("127.0.0.1")]);
        assert_eq!(resolver.stats().lookups, 1);
    })
    .await;
}

#[tokio::test]
async fn all_who_ask_for_a_name_share_one_look_up_and_may_leave() {
    local(async {
        let (address, asked) = fake_dns::start(|_, kind| match loopback(kind, 60) {
            Reply::Address(ip, ttl, _) => Reply::Address(ip, ttl, Duration::from_millis(100)),
            other => other,
        })
        .await;
        let (resolver, _) = resolver(&config(address));
        let ask = || {
            let resolver = resolver.clone();
            tokio::task::spawn_local(async move { addresses(&resolver, "shared.test").await.len() })
        };
        let asking: Vec<_> = (0..50).map(|_| ask()).collect();
        tokio::time::sleep(Duration::from_millis(20)).await;
        for leaving in asking.iter().take(25) {
            leaving.abort();
        }
        for (at, task) in asking.into_iter().enumerate() {
            match task.await {
                Ok(count) => assert_eq!((count, at >= 25), (2, true)),
                Err(error) => assert!(error.is_cancelled() && at < 25),
            }
        }
        let stats = resolver.stats();
        assert_eq!((stats.asked, stats.lookups, stats.joined), (50, 1, 49));
        assert_eq!(asked.borrow().len(), 2, "one question a family");
    })
    .await;
}

#[tokio::test]
async fn a_look_up_everyone_left_still_fills_the_memory() {
    local(async {
        let (address, _) = fake_dns::start(|_, kind| match loopback(kind, 60) {
            Reply::Address(ip, ttl, _) => Reply::Address(ip, ttl, Duration::from_millis(100)),
            other => other,
        })
        .await;
        let (resolver, _) = resolver(&config(address));
        let asking = tokio::time::timeout(Duration::from_millis(20), resolver.resolve("left.test")).await;
        assert!(asking.is_err());
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(addresses(&resolver, "left.test").await.len(), 2);
        assert_eq!((resolver.stats().lookups, resolver.stats().hits), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn look_ups_in_flight_are_capped_and_the_others_wait_in_order() {
    local(async {
        let (address, asked) = fake_dns::start(|_, _| Reply::Silence).await;
        let mut config = config(address);
        config.network.family = FamilyPreference::Ipv4Only;
        config.dns.max_lookups = 2;
        config.timeouts.dns = Duration::from_millis(200);
        let (resolver, _) = resolver(&config);
        let asking: Vec<_> = (0..5)
            .map(|n| {
                let resolver = resolver.clone();
                tokio::task::spawn_local(async move { failure(&resolver, &format!("n{n}.test")).await.kind })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let names = |asked: &fake_dns::Asked| {
            let mut names: Vec<String> = asked.borrow().iter().map(|(name, _)| name.clone()).collect();
            names.dedup();
            names
        };
        assert_eq!(names(&asked), ["n0.test", "n1.test"]);
        for task in asking {
            // Waiting for a turn is not counted: every name has its whole time.
            assert_eq!(task.await.unwrap(), FailureKind::Timeout);
        }
        assert_eq!(resolver.stats().lookups, 5);
    })
    .await;
}

#[tokio::test]
async fn a_stale_answer_is_given_at_once_and_refreshed_once() {
    local(async {
        let (address, asked) = fake_dns::start(|_, kind| loopback(kind, 60)).await;
        let mut config = config(address);
        config.network.family = FamilyPreference::Ipv4Only;
        let (resolver, clock) = resolver(&config);
        addresses(&resolver, "stale.test").await;
        clock.skip(Duration::from_secs(61));
        for _ in 0..5 {
            let resolved = resolver.resolve("stale.test").await.unwrap();
            assert!(resolved.valid_for > Duration::ZERO);
        }
        assert_eq!((resolver.stats().stale, resolver.stats().hits), (5, 0));
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(asked.borrow().len(), 2);
        addresses(&resolver, "stale.test").await;
        assert_eq!((resolver.stats().stale, resolver.stats().hits), (5, 1));
        clock.skip(Duration::from_secs(60) + config.dns.stale_for);
        addresses(&resolver, "stale.test").await;
        assert_eq!((resolver.stats().stale, resolver.stats().lookups), (5, 3));
    })
    .await;
}

/// A resolver that asks `server`, with this resolv.conf; the directory keeps the file.
fn searching(server: SocketAddr, text: &str) -> (Config, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("resolv.conf");
    std::fs::write(&path, text).unwrap();
    let mut config = config(server);
    config.dns.resolv_conf = Some(path);
    (config, directory)
}

/// A name server that knows these names, each with one family's address; others it calls unknown.
async fn knowing(names: &'static [(&'static str, RecordType)]) -> (SocketAddr, fake_dns::Asked) {
    fake_dns::start(move |name, kind| match names.iter().find(|(known, _)| *known == name) {
        Some((_, known)) if *known == kind => loopback(kind, 60),
        Some(_) => Reply::Code(ResponseCode::NoError),
        None => Reply::Code(ResponseCode::NXDomain),
    })
    .await
}

#[tokio::test]
async fn the_first_search_domain_with_either_family_wins_for_both() {
    local(async {
        let names =
            &[("shop.a.test", RecordType::A), ("shop.b.test", RecordType::AAAA), ("shop.b.test", RecordType::A)];
        let (address, asked) = knowing(names).await;
        let (config, _directory) = searching(address, "search x.test a.test b.test");
        let (resolver, _) = resolver(&config);
        assert_eq!(addresses(&resolver, "shop").await, [ip("127.0.0.1")]);
        assert!(asked.borrow().iter().all(|(name, _)| name != "shop.b.test" && name != "shop"), "{asked:?}");
    })
    .await;
}

#[tokio::test]
async fn dots_decide_whether_a_name_is_searched_for_first() {
    local(async {
        let names = &[("shop.prod.svc.test", RecordType::A), ("shop.prod", RecordType::AAAA)];
        let (address, _) = knowing(names).await;
        let (config, _directory) = searching(address, "search svc.test\noptions ndots:5");
        let (five, _) = resolver(&config);
        assert_eq!(addresses(&five, "shop.prod").await, [ip("127.0.0.1")]);
        assert_eq!(addresses(&five, "shop.prod.").await, [ip("::1")], "a final dot ends the name");
        let (config, _directory) = searching(address, "search svc.test");
        let (one, _) = resolver(&config);
        assert_eq!(addresses(&one, "shop.prod").await, [ip("::1")]);
        // Servers of one's own have no search list unless they are given one.
        let mut config = config.clone();
        config.dns.resolv_conf = None;
        let (none, _) = resolver(&config);
        assert_eq!(failure(&none, "shop").await.kind, FailureKind::NameNotFound);
    })
    .await;
}

#[tokio::test]
async fn a_failure_within_the_search_list_ends_it_as_in_glibc() {
    local(async {
        let (address, asked) = fake_dns::start(|name, kind| match name {
            "shop.broken.test" => Reply::Code(ResponseCode::ServFail),
            "shop.refusing.test" => Reply::Code(ResponseCode::Refused),
            "shop.a.test" => loopback(kind, 60),
            _ => Reply::Code(ResponseCode::NXDomain),
        })
        .await;
        let (config, _directory) = searching(address, "search broken.test a.test");
        assert_eq!(addresses(&resolver(&config).0, "shop").await.len(), 2, "SERVFAIL is passed over");
        asked.borrow_mut().clear();
        let (config, _directory) = searching(address, "search refusing.test a.test");
        let failed = failure(&resolver(&config).0, "shop").await;
        assert_eq!(failed.kind, FailureKind::NameNotFound, "the name as it is: {failed}");
        let says = "(the search list's names: shop.refusing.test: REFUSED; shop: NXDOMAIN; 1 not asked for)";
        assert!(failed.message.ends_with(says), "{failed}");
        assert!(asked.borrow().iter().all(|(name, _)| name != "shop.a.test"), "{asked:?}");
    })
    .await;
}

#[tokio::test]
async fn a_domain_that_makes_no_name_ends_the_search() {
    local(async {
        let long = "x".repeat(64);
        for domain in ["one..test", &long, "a.one..test", &["y".repeat(63).as_str(); 4].join(".")] {
            let (address, asked) = knowing(&[("shop.two.test", RecordType::A), ("shop", RecordType::A)]).await;
            let (config, _directory) = searching(address, &format!("search {domain} two.test"));
            assert_eq!(addresses(&resolver(&config).0, "shop").await, [ip("127.0.0.1")], "{domain}");
            assert!(asked.borrow().iter().all(|(name, _)| name == "shop"), "{domain}: {asked:?}");
            let failed = failure(&resolver(&config).0, "other").await;
            assert_eq!(failed.kind, FailureKind::NameNotFound, "{failed}");
            assert!(failed.message.ends_with(": can't be a name; other: NXDOMAIN; 1 not asked for)"), "{failed}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_answer_to_what_the_files_said_before_is_not_kept() {
    local(async {
        let (address, _) = fake_dns::start(|name, kind| match name {
            "shop.b.test" => loopback(kind, 60),
            "shop.a.test" => Reply::Address(ip("127.0.0.9"), 60, Duration::from_millis(300)),
            _ => Reply::Code(ResponseCode::NXDomain),
        })
        .await;
        let (mut config, _directory) = searching(address, "search a.test");
        config.network.family = FamilyPreference::Ipv4Only;
        let (resolver, clock) = resolver(&config);
        let asking = resolver.clone();
        let first = tokio::task::spawn_local(async move { addresses(&asking, "shop").await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        std::fs::write(config.dns.resolv_conf.as_ref().unwrap(), "search b.test # new").unwrap();
        clock.skip(Duration::from_secs(4));
        failure(&resolver, "other").await;
        assert_eq!(first.await.unwrap(), [ip("127.0.0.1")]);
        assert_eq!(addresses(&resolver, "shop").await, [ip("127.0.0.1")]);
    })
    .await;
}

#[tokio::test]
async fn a_host_without_a_name_may_have_one_when_resolv_conf_has_changed() {
    local(async {
        let (address, asked) = knowing(&[("shop.b.test", RecordType::A)]).await;
        let web = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://shop:{}/", web.local_addr().unwrap().port());
        std::thread::spawn(move || {
            let (mut stream, _) = web.accept().unwrap();
            let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
            std::io::Write::write_all(&mut stream, b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        });
        let (config, _directory) = searching(address, "search a.test");
        let client = haul::Client::builder().config(|all| all.dns = config.dns.clone()).build().unwrap();
        let kind = |result: Result<haul::Response, haul::Error>| result.map(|_| ()).map_err(|error| error.kind());
        for _ in 0..2 {
            assert_eq!(kind(client.get(&url).send().await), Err(FailureKind::NameNotFound));
        }
        let questions = asked.borrow().len();
        std::fs::write(config.dns.resolv_conf.as_ref().unwrap(), "search b.test # new").unwrap();
        tokio::time::sleep(Duration::from_millis(3100)).await;
        assert_eq!(asked.borrow().len(), questions, "nobody asks while nobody wants to know");
        assert_eq!(kind(client.get(&url).send().await), Ok(()));
    })
    .await;
}

#[tokio::test]
async fn an_alias_of_nothing_ends_the_search() {
    local(async {
        let (address, asked) = fake_dns::start(|name, kind| match name {
            "shop.a.test" => Reply::Alias("nowhere.test."),
            "shop.b.test" => loopback(kind, 60),
            _ => Reply::Code(ResponseCode::NXDomain),
        })
        .await;
        let (config, _directory) = searching(address, "search a.test b.test");
        assert_eq!(failure(&resolver(&config).0, "shop").await.kind, FailureKind::NameNotFound);
        assert!(asked.borrow().iter().all(|(name, _)| name != "shop.b.test"), "{asked:?}");
    })
    .await;
}

#[tokio::test]
async fn resolv_conf_is_read_again_when_it_changes_and_what_it_gave_is_forgotten() {
    local(async {
        let (address, _) = knowing(&[("shop.b.test", RecordType::A)]).await;
        let (config, _directory) = searching(address, "search a.test");
        let (resolver, clock) = resolver(&config);
        assert_eq!(failure(&resolver, "shop").await.kind, FailureKind::NameNotFound);
        std::fs::write(config.dns.resolv_conf.as_ref().unwrap(), "search b.test # new").unwrap();
        assert_eq!(failure(&resolver, "shop").await.kind, FailureKind::NameNotFound, "not looked at each time");
        clock.skip(Duration::from_secs(4));
        assert_eq!(addresses(&resolver, "shop").await, [ip("127.0.0.1")]);
        // Addresses, too: the name may be another machine's where it is asked for now.
        std::fs::remove_file(config.dns.resolv_conf.as_ref().unwrap()).unwrap();
        clock.skip(Duration::from_secs(4));
        assert_eq!(failure(&resolver, "shop").await.kind, FailureKind::NameNotFound);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_drops_one_kind_of_question_does_not_hold_the_others_up() {
    local(async {
        let (address, _) = fake_dns::start(|_, kind| match kind {
            RecordType::AAAA => Reply::Silence,
            _ => loopback(kind, 60),
        })
        .await;
        let mut config = config(address);
        config.dns.max_lookups = 10;
        let (resolver, clock) = resolver(&config);
        let before = clock.now();
        let ask = |n: u32| {
            let resolver = resolver.clone();
            tokio::task::spawn_local(async move { addresses(&resolver, &format!("n{n}.test")).await.len() })
        };
        for task in (0..30).map(ask).collect::<Vec<_>>() {
            assert_eq!(task.await.unwrap(), 1);
        }
        assert!(clock.now().since(before) < Duration::from_secs(5), "three rounds of a second each");
    })
    .await;
}

#[tokio::test]
async fn the_options_of_resolv_conf_hold() {
    local(async {
        let (address, asked) = fake_dns::start(|_, kind| loopback(kind, 60)).await;
        let (config, _directory) = searching(address, "options no-aaaa");
        assert_eq!(addresses(&resolver(&config).0, "a.test").await, [ip("127.0.0.1")]);
        assert!(asked.borrow().iter().all(|(_, kind)| *kind == RecordType::A), "{asked:?}");
        asked.borrow_mut().clear();
        let (config, _directory) = searching(address, "options single-request");
        assert_eq!(addresses(&resolver(&config).0, "a.test").await.len(), 2);
        let kinds: Vec<RecordType> = asked.borrow().iter().map(|(_, kind)| *kind).collect();
        assert_eq!(kinds, [RecordType::A, RecordType::AAAA]);
    })
    .await;
}

#[tokio::test]
async fn a_lost_message_is_no_fact_about_a_name() {
    local(async {
        let count = Cell::new(0);
        let (address, _) = fake_dns::start(move |_, kind| {
            count.set(count.get() + 1);
            if count.get() % 5 == 0 { Reply::Silence } else { loopback(kind, 60) }
        })
        .await;
        let mut config = config(address);
        config.dns.query_timeout = Duration::from_millis(50);
        let (resolver, _) = resolver(&config);
        let asking: Vec<_> = (0..500)
            .map(|n| {
                let resolver = resolver.clone();
                tokio::task::spawn_local(async move { addresses(&resolver, &format!("n{n}.test")).await.len() })
            })
            .collect();
        for task in asking {
            assert!(task.await.unwrap() > 0);
        }
        assert_eq!(resolver.stats().failed, 0);
    })
    .await;
}

#[tokio::test]
async fn a_slow_server_is_heard_as_long_as_the_look_up_may_take() {
    local(async {
        let (address, _) = fake_dns::start(|_, kind| match loopback(kind, 60) {
            Reply::Address(ip, ttl, _) => Reply::Address(ip, ttl, Duration::from_millis(1500)),
            other => other,
        })
        .await;
        let mut config = config(address);
        config.dns.query_timeout = Duration::from_millis(100);
        config.timeouts.dns = Duration::from_secs(5);
        assert_eq!(addresses(&resolver(&config).0, "slow.test").await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_dead_first_server_is_waited_for_once_and_not_by_every_name() {
    local(async {
        let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (good, _) = fake_dns::start(|_, kind| loopback(kind, 60)).await;
        let mut config = config(silent.local_addr().unwrap());
        config.dns.servers.push(good);
        config.dns.query_timeout = Duration::from_millis(300);
        let (resolver, clock) = resolver(&config);
        addresses(&resolver, "first.test").await;
        addresses(&resolver, "second.test").await;
        let before = clock.now();
        for n in 0..20 {
            addresses(&resolver, &format!("n{n}.test")).await;
        }
        assert!(clock.now().since(before) < Duration::from_millis(300), "{:?}", clock.now().since(before));
    })
    .await;
}

#[tokio::test]
async fn localhost_is_this_machine_and_asks_nobody() {
    local(async {
        let (address, asked) = fake_dns::start(|_, _| Reply::Code(ResponseCode::NXDomain)).await;
        let mut config = config(address);
        let (both, _) = resolver(&config);
        assert_eq!(addresses(&both, "localhost").await, [ip("127.0.0.1"), ip("::1")]);
        assert_eq!(addresses(&both, "a.localhost.").await, [ip("127.0.0.1"), ip("::1")]);
        let (searching, _directory) = searching(address, "search a.test");
        assert_eq!(addresses(&resolver(&searching).0, "localhost.").await, [ip("127.0.0.1"), ip("::1")]);
        config.network.family = FamilyPreference::Ipv6Only;
        let (v6, _) = resolver(&config);
        assert_eq!(addresses(&v6, "localhost").await, [ip("::1")]);
        assert_eq!(failure(&both, "notlocalhost").await.kind, FailureKind::NameNotFound);
        assert!(asked.borrow().iter().all(|(name, _)| name == "notlocalhost"));
    })
    .await;
}

#[tokio::test]
async fn a_name_dns_can_t_carry_is_not_found() {
    local(async {
        let (address, asked) = fake_dns::start(|_, _| Reply::Silence).await;
        let (resolver, _) = resolver(&config(address));
        let long = format!("{}.test", "x".repeat(64));
        assert_eq!(failure(&resolver, &long).await.kind, FailureKind::NameNotFound);
        assert!(asked.borrow().is_empty());
    })
    .await;
}
