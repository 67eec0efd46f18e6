//! `--public-only`: what is not on the public internet is not connected to, however it is written or reached.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::executor::block_on;
use haul::config::{ConfigError, EgressSettings};
use haul::engine::{StartError, is_public};
use haul::model::{Failure, FailureKind, Phase, Resolve, Resolved};
use haul::{Client, ClientBuilder};

use crate::kind;
use haul_testsupport::haul::{get, get_lines};
use haul_testsupport::origin::Origin;

const REFUSED: (Phase, FailureKind) = (Phase::Connect, FailureKind::AddressRefused);

/// Gives every name one address, and another one once it has turned.
struct Rebinding {
    first: IpAddr,
    then: IpAddr,
    turned: Arc<AtomicBool>,
}

impl Resolve for Rebinding {
    fn resolve<'a>(&'a self, _: &'a str) -> Pin<Box<dyn Future<Output = Result<Resolved, Failure>> + 'a>> {
        let address = if self.turned.load(Ordering::SeqCst) { self.then } else { self.first };
        Box::pin(async move { Ok(Resolved { addresses: [address].into(), valid_for: Duration::ZERO }) })
    }
}

/// A resolver that turns from one address to the other when its switch is thrown.
fn rebinding(first: &str, then: &str) -> (Rebinding, Arc<AtomicBool>) {
    let turned = Arc::new(AtomicBool::new(false));
    let address = |text: &str| text.parse().expect("an address");
    (Rebinding { first: address(first), then: address(then), turned: Arc::clone(&turned) }, turned)
}

/// A client that asks for a name anew for every connection, and opens one for every request.
fn forgetful() -> ClientBuilder {
    Client::builder().retries(0).config(|config| {
        config.dns.min_ttl = Duration::ZERO;
        config.dns.stale_for = Duration::ZERO;
        config.pool.reuse = false;
    })
}

#[test]
fn this_machine_is_refused_in_every_spelling() {
    let origin = Origin::start();
    let spellings = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "localhost",
        "LOCALHOST.",
        "a.b.localhost",
    ];
    let urls: Vec<String> = spellings.iter().map(|host| origin.url_on(host, "/")).collect();
    let refused = get_lines(&urls, &["--public-only"]);
    assert_eq!((refused.records.len(), refused.code), (urls.len(), Some(1)), "{}", refused.stderr);
    for record in &refused.records {
        let error = &record["error"];
        assert_eq!((&error["phase"], &error["kind"]), (&"connect".into(), &"address_refused".into()), "{record}");
        let message = error["message"].as_str().expect("text");
        assert!(message.contains("is loopback") && message.contains("leave out --public-only"), "{message}");
        assert_eq!(record["attempts"], 1, "nothing changes by asking again");
    }
    assert_eq!(origin.connections(), 0, "judged before it is connected to");
    // All of them do mean this machine.
    assert_eq!(get_lines(&urls, &[]).all_have(200).records.len(), urls.len());
}

#[test]
fn other_forms_and_other_networks_are_refused_without_a_packet() {
    let hosts = [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "168.63.129.16",
        "169.254.169.254",
        "199.36.153.8",
        "172.16.0.1",
        "192.168.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b:1::1]",
        "[2002:7f00:1::]",
        "[fd00::1]",
        "[fe80::1]",
        "[ff02::1]",
    ];
    // Refused, not timed out or unreachable: nobody was asked.
    let run = get_lines(hosts.map(|host| format!("http://{host}:9/")), &["--public-only", "--retries", "0"]);
    assert_eq!(run.records.len(), hosts.len());
    for record in &run.records {
        assert_eq!(record["error"]["kind"], "address_refused", "{record}");
    }
}

#[test]
fn addresses_that_the_user_wrote_himself_are_judged_too() {
    let origin = Origin::start();
    let resolve = format!("a.example:{}:127.0.0.1", origin.port);
    let connect_to = format!("b.example:80:127.0.0.1:{}", origin.port);
    for (rule, url) in [
        (["--resolve", &*resolve], origin.url_on("a.example", "/")),
        (["--connect-to", &*connect_to], "http://b.example/".to_owned()),
    ] {
        get(&[&[&*url], &rule[..]].concat()).all_have(200);
        get(&[&[&*url, "--public-only"], &rule[..]].concat()).failed_in("connect", "address_refused");
    }
    let socket = get(&["http://a.example/", "--public-only", "--unix-socket", "/run/x"]);
    assert_eq!(socket.code, Some(2));
    assert!(socket.stderr.contains("leave out --unix-socket or --public-only"), "{}", socket.stderr);
    let built = Client::builder().config(|config| {
        config.network.public_only = true;
        config.network.unix_socket = Some("/run/x".into());
    });
    let error = built.build().expect_err("a contradiction");
    assert!(matches!(error, StartError::Config(ConfigError::UnixSocketNotPublic)), "{error}");
}

#[test]
fn a_name_that_changes_its_mind_is_judged_anew_for_every_connection() {
    let origin = Origin::start();
    let (names, turned) = rebinding("127.0.0.1", "127.0.0.9");
    let client = forgetful()
        .resolver(names)
        .address_filter(|address| address == IpAddr::from([127, 0, 0, 1]))
        .build()
        .expect("valid settings");
    let get = || block_on(client.get(origin.url_on("rebinding.example", "/")).send());
    assert_eq!(get().expect("allowed at first").status(), 200);
    turned.store(true, Ordering::SeqCst);
    assert_eq!(kind(get()), REFUSED);
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_public_name_that_turns_private_is_refused() {
    // The public address is not reached: from a loopback address the system sends nothing there.
    let (names, turned) = rebinding("1.1.1.1", "127.0.0.1");
    let client = forgetful()
        .resolver(names)
        .config(|config| {
            config.network.public_only = true;
            config.network.egress = vec![EgressSettings::from_address(IpAddr::from([127, 0, 0, 1]))];
        })
        .build()
        .expect("valid settings");
    let origin = Origin::start();
    let get = || kind(block_on(client.get(origin.url_on("rebinding.example", "/")).send()));
    let (phase, first) = get();
    assert!(phase == Phase::Connect && first != FailureKind::AddressRefused, "{first}");
    turned.store(true, Ordering::SeqCst);
    assert_eq!(get(), REFUSED);
    assert_eq!(origin.connections(), 0);
}

#[test]
fn a_redirect_leads_to_no_private_address() {
    let origin = Origin::start();
    // The origin's own address stands for a public one.
    let home = IpAddr::from([127, 0, 0, 1]);
    let client = Client::builder()
        .retries(0)
        .address_filter(move |address| is_public(address) || address == home)
        .build()
        .expect("valid settings");
    for host in ["127.0.0.2", "169.254.169.254", "[::ffff:127.0.0.2]", "[64:ff9b::a00:1]", "2130706434"] {
        let inside = origin.url_on(host, "/secret");
        let result = block_on(client.get(origin.url(&format!("/redirect/302?{inside}"))).send());
        assert_eq!(kind(result), REFUSED, "{host}");
    }
    assert!(!origin.seen().iter().any(|seen| seen.target == "/secret"));
}
