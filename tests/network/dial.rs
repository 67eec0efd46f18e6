//! The dialer against sockets and TLS servers in this process, and, for names, a real name server.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use haul::config::{Config, ConnectTo, EgressSettings, FamilyPreference, ResolveRule};
use haul::model::{Egress, FailureKind, Phase, Scheme};
use haul_core::protocol::Protocol;
use haul_net::dial::{
    Connect, Connecting, Destination, DialError, DialFailure, DialedConnection, Io, Route, Target, Tls,
};
use haul_net::dns::Resolver;
use haul_testsupport::certs::{Authority, Leaf};
use haul_testsupport::dialing::{Names, dial, dialer};
use haul_testsupport::{tls_server, unbound};
use rustls::HandshakeKind;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener};
use tokio::task::LocalSet;

async fn local<T>(test: impl Future<Output = T>) -> T {
    LocalSet::new().run_until(test).await
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn no_names() -> Rc<Names> {
    Rc::new(Names::default())
}

fn names(name: &'static str, addresses: &[&str]) -> Rc<Names> {
    Rc::new(Names([(name, addresses.iter().map(|text| ip(text)).collect())].into()))
}

/// A listener on this address and a free port. Connections are accepted by the system, not by us.
async fn listen(address: &str) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The failure of a dial, which must be the peer's.
#[track_caller]
fn peer_failure(result: Result<DialedConnection, DialError>, phase: Phase, kind: FailureKind) -> String {
    match result.expect_err("the dial must fail").cause {
        DialFailure::Peer(failure) => {
            assert_eq!((failure.phase, failure.kind), (phase, kind), "{failure}");
            failure.message.into()
        }
        other => panic!("not the peer's fault: {other:?}"),
    }
}

/// A listener that accepts no more: the next connect to it gets no answer. The streams fill its queue.
async fn black_hole(address: &str) -> (TcpListener, Vec<TcpStream>, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(ip(address), 0)).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    for _ in 0..200 {
        match tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
            Ok(stream) => queue.push(stream.unwrap()),
            Err(_) => return (listener, queue, address),
        }
    }
    panic!("the queue of a listener with a backlog of 1 took 200 connections");
}

mod plain {
    use super::*;

    #[tokio::test]
    async fn a_literal_is_connected_to_without_dns_and_bytes_pass() {
        let (listener, address) = listen("127.0.0.1").await;
        let dialer = dialer(&Config::default(), no_names());
        let mut dialed = dial(&dialer, Scheme::Http, "127.0.0.1", address).await.unwrap();
        assert_eq!((dialed.remote, dialed.protocol, dialed.resumed), (Some(address), Protocol::Http1, false));
        assert!(dialed.times.dns.is_none() && dialed.times.connect.is_some() && dialed.times.tls.is_none());
        assert!(matches!(dialed.io, Io::Tcp(_)) && dialed.io.is_write_vectored());
        let Io::Tcp(stream) = &dialed.io else { unreachable!() };
        assert!(stream.nodelay().unwrap());
        let (mut peer, _) = listener.accept().await.unwrap();
        dialed.io.write_all(b"ping").await.unwrap();
        dialed.io.flush().await.unwrap();
        let mut bytes = [0; 4];
        peer.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"ping");
        peer.write_all(b"pong").await.unwrap();
        dialed.io.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"pong");
        dialed.io.shutdown().await.unwrap();
        assert_eq!(peer.read(&mut bytes).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_name_is_resolved_first() {
        let (_listener, address) = listen("127.0.0.1").await;
        let dialer = dialer(&Config::default(), names("a.test", &["127.0.0.1"]));
        let dialed = dial(&dialer, Scheme::Http, "a.test", address).await.unwrap();
        assert!(dialed.times.dns.is_some());
        let failure = dial(&dialer, Scheme::Http, "b.test", address).await;
        peer_failure(failure, Phase::Dns, FailureKind::NameNotFound);
    }

    #[tokio::test]
    async fn rules_say_where_to_go_and_whether_dns_is_needed() {
        let (_listener, address) = listen("127.0.0.5").await;
        let mut config = Config::default();
        config.network.resolve =
            vec![ResolveRule { host: None, port: address.port(), addresses: vec![ip("127.0.0.5")] }];
        config.network.connect_to = vec![ConnectTo {
            from_host: Some("far.test".into()),
            from_port: None,
            to_host: Some("near.test".into()),
            to_port: Some(address.port()),
        }];
        let dialer = dialer(&config, no_names());
        let far = Target { scheme: Scheme::Http, host: "far.test", port: 80 };
        assert!(matches!(dialer.route(&far, false), Route::Addresses { port, .. } if port == address.port()));
        let dialed = dialer.dial(&far, Egress::default(), Duration::from_secs(5)).await.unwrap();
        assert_eq!(dialed.remote, Some(address));
        let other = Target { host: "other.test", ..far };
        assert_eq!(dialer.route(&other, false), Route::Name { host: "other.test", port: 80 });
    }

    #[tokio::test]
    async fn a_refusal_is_told_with_the_address() {
        let closed = SocketAddr::from(([127, 0, 0, 1], haul_testsupport::server::free_port()));
        let dialer = dialer(&Config::default(), names("a.test", &["127.0.0.1"]));
        let failure = dial(&dialer, Scheme::Http, "a.test", closed).await;
        assert!(failure.as_ref().unwrap_err().times.connect.is_some());
        let message = peer_failure(failure, Phase::Connect, FailureKind::Refused);
        assert!(message.contains(&closed.to_string()) && message.contains("connection refused"), "{message}");
    }

    #[tokio::test]
    async fn a_black_hole_ends_with_the_connect_time_out() {
        let (_listener, _queue, address) = black_hole("127.0.0.1").await;
        let mut config = Config::default();
        config.timeouts.connect = Duration::from_millis(200);
        let dialer = dialer(&config, no_names());
        let message =
            peer_failure(dial(&dialer, Scheme::Http, "127.0.0.1", address).await, Phase::Connect, FailureKind::Timeout);
        assert!(message.contains("no answer within 200ms"), "{message}");
    }

    #[tokio::test]
    async fn the_callers_budget_ends_a_dial_in_any_phase() {
        let (_listener, _queue, address) = black_hole("127.0.0.1").await;
        let dialer = dialer(&Config::default(), names("silent.test", &[]));
        let budget = Duration::from_millis(100);
        for (host, phase) in [("127.0.0.1", Phase::Connect), ("silent.test", Phase::Dns)] {
            let target = Target { scheme: Scheme::Http, host, port: address.port() };
            let failure = dialer.dial(&target, Egress::default(), budget).await;
            peer_failure(failure, phase, FailureKind::TotalTimeout);
        }
    }

    #[tokio::test]
    async fn a_resolver_that_never_answers_ends_with_the_dns_time_out() {
        let mut config = Config::default();
        config.timeouts.dns = Duration::from_millis(100);
        let dialer = dialer(&config, names("silent.test", &[]));
        let target = Target { scheme: Scheme::Http, host: "silent.test", port: 80 };
        let failure = dialer.dial(&target, Egress::default(), Duration::from_secs(10)).await;
        peer_failure(failure, Phase::Dns, FailureKind::Timeout);
    }

    #[tokio::test]
    async fn the_local_address_of_the_egress_is_what_the_peer_sees() {
        let (listener, address) = listen("127.0.0.1").await;
        let mut config = Config::default();
        config.network.egress =
            ["127.0.0.7", "127.0.0.8", "192.0.2.1"].map(|local| EgressSettings::from_address(ip(local))).into();
        let dialer = dialer(&config, no_names());
        for (egress, seen) in [(0, "127.0.0.7"), (1, "127.0.0.8")] {
            let target = Target { scheme: Scheme::Http, host: "127.0.0.1", port: address.port() };
            let _dialed = dialer.dial(&target, Egress(egress), Duration::from_secs(5)).await.unwrap();
            assert_eq!(listener.accept().await.unwrap().1.ip(), ip(seen));
        }
        let target = Target { scheme: Scheme::Http, host: "127.0.0.1", port: address.port() };
        let failure = dialer.dial(&target, Egress(2), Duration::from_secs(5)).await;
        let message = peer_failure(failure, Phase::Connect, FailureKind::Io);
        assert!(message.contains("192.0.2.1 is not on this machine"), "{message}");
        let failure = dialer.dial(&target, Egress(3), Duration::from_secs(5)).await;
        let message = peer_failure(failure, Phase::Input, FailureKind::BadRequest);
        assert_eq!(message, "the request asks for egress 3, counted from 0, and `network.egress` has 3");
    }

    /// What connectors were asked for.
    #[derive(Default)]
    struct Asked(Mutex<Vec<String>>);

    impl Connect for Asked {
        fn connect(&self, to: &Destination<'_>) -> Connecting {
            let Target { host, port, .. } = to.target;
            self.0.lock().unwrap().push(format!("{host}:{port} at {} by {}", to.endpoint, to.egress.0));
            Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
        }
    }

    #[tokio::test]
    async fn a_connector_is_told_the_origin_the_egress_and_the_address_or_the_name() {
        let mut config = Config::default();
        config.network.egress.push(EgressSettings { remote_dns: true, ..EgressSettings::default() });
        config.network.connect_to = vec![ConnectTo {
            from_host: Some("moved.test".into()),
            from_port: None,
            to_host: Some("there.test".into()),
            to_port: Some(8080),
        }];
        let asked = Arc::new(Asked::default());
        let dialer = dialer(&config, names("a.test", &["192.0.2.1", "192.0.2.2"]));
        let dialer = dialer.with_connector(Arc::clone(&asked) as Arc<dyn Connect>);
        let try_to = async |host, egress| {
            let target = Target { scheme: Scheme::Http, host, port: 80 };
            let failure = dialer.dial(&target, Egress(egress), Duration::from_secs(5)).await;
            peer_failure(failure, Phase::Connect, FailureKind::Refused)
        };
        try_to("a.test", 0).await;
        // Not in the list of names: it is not asked for.
        let message = try_to("b.test", 1).await;
        assert_eq!(message, "can't connect to b.test:80: b.test:80 connection refused");
        try_to("192.0.2.9", 1).await;
        try_to("moved.test", 1).await;
        let expected = [
            "a.test:80 at 192.0.2.1:80 by 0",
            "a.test:80 at 192.0.2.2:80 by 0",
            "b.test:80 at b.test:80 by 1",
            "192.0.2.9:80 at 192.0.2.9:80 by 1",
            "moved.test:80 at there.test:8080 by 1",
        ];
        assert_eq!(*asked.0.lock().unwrap(), expected);
    }

    #[tokio::test]
    async fn families_can_be_ruled_out_for_literals_and_names() {
        let (_listener, address) = listen("127.0.0.1").await;
        let mut config = Config::default();
        config.network.family = FamilyPreference::Ipv6Only;
        let v6 = dialer(&config, names("a.test", &["127.0.0.1"]));
        for host in ["127.0.0.1", "a.test"] {
            let failure = dial(&v6, Scheme::Http, host, address).await;
            let message = peer_failure(failure, Phase::Connect, FailureKind::NoAddress);
            assert!(message.contains("Ipv6Only"), "{message}");
        }
        config.network.family = FamilyPreference::Ipv4Only;
        let v4 = dialer(&config, names("a.test", &["::1", "127.0.0.1"]));
        assert_eq!(dial(&v4, Scheme::Http, "a.test", address).await.unwrap().remote, Some(address));
        let failure = dial(&v4, Scheme::Http, "[::1]", address).await;
        peer_failure(failure, Phase::Connect, FailureKind::NoAddress);
    }

    #[tokio::test]
    async fn ipv6_works_where_the_machine_has_it() {
        let Ok(listener) = TcpListener::bind("[::1]:0").await else {
            return haul_testsupport::server::skip("IPv6 loopback");
        };
        let address = listener.local_addr().unwrap();
        let dialer = dialer(&Config::default(), names("a.test", &["::1", "127.0.0.1"]));
        for host in ["[::1]", "a.test"] {
            assert_eq!(dial(&dialer, Scheme::Http, host, address).await.unwrap().remote, Some(address));
        }
    }

    #[tokio::test]
    async fn the_address_filter_judges_literals_and_names_alike() {
        let (_listener, address) = listen("127.0.0.1").await;
        let dialer = dialer(&Config::default(), names("a.test", &["127.0.0.1"]))
            .with_filter(Arc::new(|ip: IpAddr| !ip.is_loopback()));
        for host in ["127.0.0.1", "a.test", "[::ffff:127.0.0.1]"] {
            let failure = dial(&dialer, Scheme::Http, host, address).await;
            let message = peer_failure(failure, Phase::Connect, FailureKind::AddressRefused);
            assert!(message.contains("127.0.0.1"), "{message}");
        }
    }
}

mod dead_addresses {
    use super::*;

    #[tokio::test]
    async fn a_first_address_that_refuses_leaves_the_second() {
        let (_listener, address) = listen("127.0.0.3").await;
        let dialer = dialer(&Config::default(), names("two.test", &["127.0.0.2", "127.0.0.3"]));
        assert_eq!(dial(&dialer, Scheme::Http, "two.test", address).await.unwrap().remote, Some(address));
    }

    #[tokio::test]
    async fn a_first_address_that_is_a_black_hole_costs_the_pace_and_no_more() {
        let (_hole, _queue, dead) = black_hole("127.0.0.2").await;
        let listener = TcpListener::bind(("127.0.0.3", dead.port())).await.unwrap();
        let mut config = Config::default();
        config.network.happy_eyeballs_delay = Duration::from_millis(100);
        let dialer = dialer(&config, names("two.test", &["127.0.0.2", "127.0.0.3"]));
        let dialed = dial(&dialer, Scheme::Http, "two.test", dead).await.unwrap();
        assert_eq!(dialed.remote, Some(listener.local_addr().unwrap()));
        assert!(dialed.times.connect.unwrap() >= Duration::from_millis(100));
    }

    #[tokio::test]
    async fn all_dead_is_one_failure_that_lists_them() {
        let port = haul_testsupport::server::free_port();
        let addresses = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6"];
        let dialer = dialer(&Config::default(), names("dead.test", &addresses));
        let failure = dial(&dialer, Scheme::Http, "dead.test", SocketAddr::new(ip("127.0.0.2"), port)).await;
        let message = peer_failure(failure, Phase::Connect, FailureKind::Refused);
        assert!(message.contains(&format!("127.0.0.5:{port} connection refused")), "{message}");
        assert!(message.ends_with("and 1 more"), "{message}");
    }

    #[tokio::test]
    async fn a_name_from_a_real_server_with_one_live_address_connects() {
        let Some((_server, dns)) = unbound::start() else { return };
        local(async {
            let (_listener, address) = listen("127.0.0.3").await;
            let mut config = Config::default();
            config.dns.servers = vec![dns];
            let resolver = Resolver::new(&config, haul_testsupport::clock::running());
            let dialer = dialer(&config, Rc::new(resolver));
            for _ in 0..4 {
                assert_eq!(dial(&dialer, Scheme::Http, "two.test", address).await.unwrap().remote, Some(address));
            }
        })
        .await;
    }
}

mod unix {
    use super::*;

    #[tokio::test]
    async fn a_unix_socket_takes_the_place_of_every_address_with_and_without_tls() {
        local(async {
            let authority = Authority::new();
            let server = tls_server::config(&authority.issue(&["a.test"], |_| {}), &["h2"], None);
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("socket");
            let listener = UnixListener::bind(&path).unwrap();
            let mut config = Config::default();
            config.network.unix_socket = Some(path.clone());
            config.tls.ca_files = vec![authority.file()];
            let dialer = dialer(&config, no_names());
            let anywhere = SocketAddr::from(([127, 0, 0, 1], 1));
            let dialed = dial(&dialer, Scheme::Http, "a.test", anywhere).await.unwrap();
            assert!(matches!(dialed.io, Io::Unix(_)) && dialed.remote.is_none() && dialed.times.dns.is_none());
            drop(listener.accept().await.unwrap());
            tokio::task::spawn_local(async move {
                let (stream, _) = listener.accept().await.unwrap();
                tls_server::serve(stream, server, tls_server::Handshakes::default()).await;
            });
            let mut dialed = dial(&dialer, Scheme::Https, "a.test", anywhere).await.unwrap();
            assert!(matches!(dialed.io, Io::Tls(_)) && dialed.protocol == Protocol::Http2);
            let mut hello = [0; 5];
            dialed.io.read_exact(&mut hello).await.unwrap();
            assert_eq!(&hello, b"hello");
        })
        .await;
    }

    #[tokio::test]
    async fn a_missing_or_dead_unix_socket_is_told_with_its_path() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let mut config = Config::default();
        config.network.unix_socket = Some(path.clone());
        let dialer = dialer(&config, no_names());
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 1));
        let message =
            peer_failure(dial(&dialer, Scheme::Http, "a.test", anywhere).await, Phase::Connect, FailureKind::Io);
        assert!(message.contains(&path.display().to_string()) && message.contains("network.unix_socket"), "{message}");
        drop(UnixListener::bind(&path).unwrap());
        let failure = dial(&dialer, Scheme::Http, "a.test", anywhere).await;
        peer_failure(failure, Phase::Connect, FailureKind::Refused);
    }
}

mod tls {
    use super::*;

    /// A server with a certificate for `a.test`, a configuration that trusts it, and names that lead to it.
    async fn site(alpn: &[&str]) -> (Authority, Config, SocketAddr, tls_server::Handshakes) {
        let authority = Authority::new();
        let leaf = authority.issue(&["a.test"], |_| {});
        let (address, handshakes) = tls_server::start(tls_server::config(&leaf, alpn, None)).await;
        let mut config = Config::default();
        config.tls.ca_files = vec![authority.file()];
        (authority, config, address, handshakes)
    }

    fn a_test() -> Rc<Names> {
        names("a.test", &["127.0.0.1"])
    }

    async fn connect(config: &Config, host: &str, address: SocketAddr) -> Result<DialedConnection, DialError> {
        let names = Names(
            [("a.test", vec![address.ip()]), ("b.test", vec![address.ip()]), ("b.a.test", vec![address.ip()])].into(),
        );
        dial(&dialer(config, Rc::new(names)), Scheme::Https, host, address).await
    }

    async fn serve(leaf: &Leaf) -> SocketAddr {
        tls_server::start(tls_server::config(leaf, &[], None)).await.0
    }

    async fn greeting(dialed: &mut DialedConnection) -> String {
        let mut bytes = [0; 5];
        dialed.io.read_exact(&mut bytes).await.unwrap();
        String::from_utf8_lossy(&bytes).into()
    }

    #[tokio::test]
    async fn a_certificate_of_a_given_authority_is_accepted() {
        local(async {
            let (_authority, config, address, _) = site(&[]).await;
            for host in ["a.test", "a.test."] {
                let names = names(if host == "a.test" { "a.test" } else { "a.test." }, &["127.0.0.1"]);
                let dialer = dialer(&config, names);
                let mut dialed = dial(&dialer, Scheme::Https, host, address).await.unwrap();
                assert!(matches!(dialed.io, Io::Tls(_)) && dialed.io.is_write_vectored());
                assert_eq!((dialed.remote, dialed.protocol), (Some(address), Protocol::Http1));
                assert!(dialed.times.tls.is_some());
                assert_eq!(greeting(&mut dialed).await, "hello");
            }
        })
        .await;
    }

    #[tokio::test]
    async fn alpn_decides_between_h2_and_http1() {
        local(async {
            for (offered, http1_only, h2) in [
                (&["h2", "http/1.1"][..], false, true),
                (&["h2", "http/1.1"], true, false),
                (&["http/1.1"], false, false),
                (&[], false, false),
            ] {
                let (_authority, mut config, address, _) = site(offered).await;
                config.network.http1_only = http1_only;
                let dialed = connect(&config, "a.test", address).await.unwrap();
                assert_eq!(dialed.protocol == Protocol::Http2, h2, "{offered:?}, http1_only {http1_only}");
            }
        })
        .await;
    }

    #[tokio::test]
    async fn each_fault_of_a_certificate_has_its_kind_and_insecure_accepts_it() {
        local(async {
            let authority = Authority::new();
            let stranger = Authority::new();
            let expired = authority.issue(&["a.test"], |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
            let expired = serve(&expired).await;
            let early = authority.issue(&["a.test"], |params| params.not_before = rcgen::date_time_ymd(4000, 1, 1));
            let early = serve(&early).await;
            let other = serve(&authority.issue(&["b.test"], |_| {})).await;
            let unknown = serve(&stranger.issue(&["a.test"], |_| {})).await;
            let mut config = Config::default();
            config.tls.ca_files = vec![authority.file()];
            for (address, kind, says) in [
                (expired, FailureKind::CertificateExpired, "tls.insecure"),
                (early, FailureKind::CertificateExpired, "clock"),
                (other, FailureKind::CertificateName, "a.test"),
                (unknown, FailureKind::CertificateUntrusted, "tls.ca_files"),
            ] {
                let failure = connect(&config, "a.test", address).await;
                let error = failure.as_ref().unwrap_err();
                assert_eq!(error.remote, Some(address));
                assert!(error.times.connect.is_some() && error.times.tls.is_some());
                let message = peer_failure(failure, Phase::Tls, kind);
                assert!(message.contains(says), "{message}");
            }
            config.tls.insecure = true;
            for address in [expired, early, other, unknown] {
                assert_eq!(greeting(&mut connect(&config, "a.test", address).await.unwrap()).await, "hello");
            }
        })
        .await;
    }

    #[tokio::test]
    async fn without_a_given_authority_the_platform_s_are_asked_and_a_stranger_is_refused() {
        local(async {
            let (_authority, mut config, address, _) = site(&[]).await;
            config.tls.ca_files.clear();
            let failure = connect(&config, "a.test", address).await;
            peer_failure(failure, Phase::Tls, FailureKind::CertificateUntrusted);
        })
        .await;
    }

    #[tokio::test]
    async fn an_address_can_be_what_the_certificate_is_for() {
        local(async {
            let authority = Authority::new();
            let address = serve(&authority.issue(&["127.0.0.1"], |_| {})).await;
            let mut config = Config::default();
            config.tls.ca_files = vec![authority.file()];
            assert!(connect(&config, "127.0.0.1", address).await.is_ok());
        })
        .await;
    }

    #[tokio::test]
    async fn a_client_certificate_is_shown_when_the_server_asks() {
        local(async {
            let authority = Authority::new();
            let leaf = authority.issue(&["a.test"], |_| {});
            let (address, handshakes) = tls_server::start(tls_server::config(&leaf, &[], Some(&authority))).await;
            let mut config = Config::default();
            config.tls.ca_files = vec![authority.file()];
            let client = authority.issue(&["client.test"], |_| {});
            config.tls.client_certificate = Some(client.certificate.clone());
            config.tls.client_key = Some(client.key.clone());
            assert_eq!(greeting(&mut connect(&config, "a.test", address).await.unwrap()).await, "hello");
            assert_eq!(handshakes.borrow().len(), 1);
            config.tls.client_certificate = None;
            config.tls.client_key = None;
            // With TLS 1.3 the client learns of the refusal with its first read.
            let mut dialed = connect(&config, "a.test", address).await.unwrap();
            let refused = dialed.io.read(&mut [0; 1]).await.unwrap_err();
            assert!(refused.to_string().contains("client certificate"), "{refused}");
            assert_eq!(handshakes.borrow().len(), 1);
        })
        .await;
    }

    #[tokio::test]
    async fn a_second_connection_resumes_the_session_of_the_first() {
        local(async {
            let (_authority, config, address, handshakes) = site(&[]).await;
            let dialer = dialer(&config, a_test());
            for _ in 0..2 {
                // The ticket comes with the first bytes.
                let mut dialed = dial(&dialer, Scheme::Https, "a.test", address).await.unwrap();
                greeting(&mut dialed).await;
            }
            let third = dial(&dialer, Scheme::Https, "a.test", address).await.unwrap();
            assert!(third.resumed);
            tokio::task::yield_now().await;
            let kinds = handshakes.borrow().clone();
            assert_eq!(kinds[..2], [HandshakeKind::Full, HandshakeKind::Resumed]);
        })
        .await;
    }

    #[tokio::test]
    async fn sessions_are_remembered_for_as_many_names_as_asked() {
        local(async {
            const NAMES: usize = 50;
            let authority = Authority::new();
            let address = serve(&authority.issue(&["*.many.test"], |_| {})).await;
            let resumed = async |session_hosts: usize| {
                let mut config = Config::default();
                config.tls.ca_files = vec![authority.file()];
                config.tls.session_hosts = session_hosts;
                config.network.resolve =
                    vec![ResolveRule { host: None, port: address.port(), addresses: vec![address.ip()] }];
                let dialer = dialer(&config, no_names());
                let mut resumed = 0;
                for round in 0..2 {
                    for n in 0..NAMES {
                        let host = format!("n{n}.many.test");
                        let mut dialed = dial(&dialer, Scheme::Https, &host, address).await.unwrap();
                        assert_eq!(greeting(&mut dialed).await, "hello");
                        resumed += usize::from(round == 1 && dialed.resumed);
                    }
                }
                resumed
            };
            assert_eq!(resumed(NAMES).await, NAMES);
            assert_eq!(resumed(0).await, 0);
        })
        .await;
    }

    #[tokio::test]
    async fn a_handshake_that_stalls_ends_with_the_tls_time_out() {
        let (_listener, address) = listen("127.0.0.1").await;
        let mut config = Config::default();
        config.tls.insecure = true;
        config.timeouts.tls = Duration::from_millis(100);
        let failure = connect(&config, "a.test", address).await;
        assert_eq!(failure.as_ref().unwrap_err().remote, Some(address));
        let message = peer_failure(failure, Phase::Tls, FailureKind::Timeout);
        assert!(message.contains("100ms"), "{message}");
    }

    #[tokio::test]
    async fn a_peer_that_hangs_up_or_speaks_something_else_is_told_apart() {
        local(async {
            let mut config = Config::default();
            config.tls.insecure = true;
            for (answer, kind) in
                [(&b""[..], FailureKind::Closed), (b"HTTP/1.1 400 Bad Request\r\n\r\n", FailureKind::Protocol)]
            {
                let (listener, address) = listen("127.0.0.1").await;
                tokio::task::spawn_local(async move {
                    let (mut peer, _) = listener.accept().await.unwrap();
                    let _ = peer.read(&mut [0; 2048]).await;
                    let _ = peer.write_all(answer).await;
                });
                peer_failure(connect(&config, "a.test", address).await, Phase::Tls, kind);
            }
        })
        .await;
    }

    #[tokio::test]
    async fn a_reset_in_the_handshake_is_a_reset() {
        local(async {
            let mut config = Config::default();
            config.tls.insecure = true;
            let (listener, address) = listen("127.0.0.1").await;
            tokio::task::spawn_local(async move {
                let (peer, _) = listener.accept().await.unwrap();
                peer.set_zero_linger().unwrap();
            });
            peer_failure(connect(&config, "a.test", address).await, Phase::Tls, FailureKind::Reset);
        })
        .await;
    }

    /// A server whose certificate is signed with its own key, as `openssl req -x509` makes it, and the file of it.
    async fn self_signed(change: impl FnOnce(&mut rcgen::CertificateParams)) -> (SocketAddr, tempfile::TempDir, Leaf) {
        let directory = tempfile::tempdir().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        change(&mut params);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let leaf = Leaf { certificate: directory.path().join("a.pem"), key: directory.path().join("a.key") };
        std::fs::write(&leaf.certificate, certificate.pem()).unwrap();
        std::fs::write(&leaf.key, key.serialize_pem()).unwrap();
        let address = serve(&leaf).await;
        (address, directory, leaf)
    }

    #[tokio::test]
    async fn a_certificate_given_as_root_is_trusted_itself_if_name_and_dates_are_right() {
        use rcgen::{BasicConstraints, IsCa, KeyUsagePurpose, date_time_ymd};
        local(async {
            let trusting = |leaf: &Leaf| {
                let mut config = Config::default();
                config.tls.ca_files = vec![leaf.certificate.clone()];
                config
            };
            type Change = fn(&mut rcgen::CertificateParams);
            let fine: [Change; 4] = [
                |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
                |params| params.is_ca = IsCa::ExplicitNoCa,
                |params| params.is_ca = IsCa::NoCa,
                |params| {
                    params.is_ca = IsCa::ExplicitNoCa;
                    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
                },
            ];
            for change in fine {
                let (address, _directory, leaf) = self_signed(change).await;
                let config = trusting(&leaf);
                assert_eq!(greeting(&mut connect(&config, "a.test", address).await.unwrap()).await, "hello");
                peer_failure(connect(&config, "b.test", address).await, Phase::Tls, FailureKind::CertificateName);
                let stranger = Authority::new();
                let mut other = Config::default();
                other.tls.ca_files = vec![stranger.file()];
                let failed = connect(&other, "a.test", address).await;
                peer_failure(failed, Phase::Tls, FailureKind::CertificateUntrusted);
            }
            for ca in [IsCa::Ca(BasicConstraints::Unconstrained), IsCa::NoCa] {
                let (address, _directory, leaf) = self_signed(|params| {
                    params.is_ca = ca;
                    params.not_after = date_time_ymd(2020, 1, 1);
                })
                .await;
                let failed = connect(&trusting(&leaf), "a.test", address).await;
                peer_failure(failed, Phase::Tls, FailureKind::CertificateExpired);
            }
        })
        .await;
    }

    #[tokio::test]
    async fn a_given_certificate_without_other_names_has_its_common_name() {
        local(async {
            let named = |common: &'static str, others: &'static [&'static str]| {
                self_signed(move |params| {
                    params.distinguished_name.push(rcgen::DnType::CommonName, common);
                    params.subject_alt_names.retain(|_| !others.is_empty());
                })
            };
            for (common, others, asked, fine) in [
                ("a.test", &[][..], "a.test", true),
                ("A.Test", &[], "a.test", true),
                ("*.a.test", &[], "b.a.test", true),
                ("*.test", &[], "b.a.test", false),
                ("*.test", &[], "a.test", false),
                ("b.test", &[], "a.test", false),
                // Where there are other names, the common name counts for nothing.
                ("b.test", &["a.test"], "b.test", false),
            ] {
                let (address, _directory, leaf) = named(common, others).await;
                let mut config = Config::default();
                config.tls.ca_files = vec![leaf.certificate.clone()];
                let dialed = connect(&config, asked, address).await;
                assert_eq!(dialed.is_ok(), fine, "{common} {others:?} {asked}: {dialed:?}");
            }
        })
        .await;
    }

    #[tokio::test]
    async fn an_issued_certificate_given_as_root_is_trusted_without_its_issuer() {
        local(async {
            let authority = Authority::new();
            let leaf = authority.issue(&["a.test"], |_| {});
            let address = serve(&leaf).await;
            let mut config = Config::default();
            config.tls.ca_files = vec![leaf.certificate.clone()];
            assert_eq!(greeting(&mut connect(&config, "a.test", address).await.unwrap()).await, "hello");
            // Another one of the same issuer is not.
            let other = serve(&authority.issue(&["b.test", "a.test"], |_| {})).await;
            peer_failure(connect(&config, "a.test", other).await, Phase::Tls, FailureKind::CertificateUntrusted);
        })
        .await;
    }

    #[test]
    fn keys_and_certificates_are_found_in_any_order() {
        let authority = Authority::new();
        let (one, two) = (authority.issue(&["one.test"], |_| {}), authority.issue(&["two.test"], |_| {}));
        let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
        let file = |name: &str, texts: &[&str]| {
            let path = authority.file().with_file_name(name);
            std::fs::write(&path, texts.concat()).unwrap();
            path
        };
        let (ca, one_pem, two_pem) = (read(&authority.file()), read(&one.certificate), read(&two.certificate));
        let (one_key, two_key) = (read(&one.key), read(&two.key));
        for (what, certificate, key) in [
            ("two keys", one.certificate.clone(), file("keys.pem", &[&two_key, &one_key])),
            ("all in one", file("all.pem", &[&one_key, &one_pem, &ca]), file("all.pem", &[&one_key, &one_pem, &ca])),
            ("the issuer first", file("chain.pem", &[&ca, &one_pem]), one.key.clone()),
            ("a byte order mark", file("bom.pem", &["\u{feff}", &one_pem]), file("bom.key", &["\u{feff}", &one_key])),
            (
                "CRLF",
                file("crlf.pem", &[&one_pem.replace('\n', "\r\n")]),
                file("crlf.key", &[&one_key.replace('\n', "\r\n")]),
            ),
            ("several", file("several.pem", &[&two_pem, &one_pem]), file("one.key", &[&one_key])),
        ] {
            let mut settings = Config::default().tls;
            settings.client_certificate = Some(certificate);
            settings.client_key = Some(key);
            assert!(Tls::new(&settings, false).is_ok(), "{what}: {:?}", Tls::new(&settings, false).err());
        }
        let mut swapped = Config::default().tls;
        swapped.client_certificate = Some(one.key.clone());
        swapped.client_key = Some(one.certificate.clone());
        let error = Tls::new(&swapped, false).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("wrong way round"), "{error}");
    }

    #[test]
    fn wrong_files_are_told_with_their_names() {
        let authority = Authority::new();
        let (one, two) = (authority.issue(&["one.test"], |_| {}), authority.issue(&["two.test"], |_| {}));
        let empty = authority.file().with_file_name("empty.pem");
        std::fs::write(&empty, "not PEM at all").unwrap();
        let missing = authority.file().with_file_name("missing.pem");
        let base = Config::default().tls;
        let mut settings = Vec::new();
        for file in [&missing, &empty] {
            let mut broken = base.clone();
            broken.ca_files = vec![file.clone()];
            settings.push((broken, file));
            let mut broken = base.clone();
            broken.client_certificate = Some(file.clone());
            settings.push((broken, file));
            let mut broken = base.clone();
            broken.client_certificate = Some(one.certificate.clone());
            broken.client_key = Some(file.clone());
            settings.push((broken, file));
        }
        let mut mixed = base.clone();
        mixed.client_certificate = Some(one.certificate.clone());
        mixed.client_key = Some(two.key.clone());
        settings.push((mixed, &two.key));
        let mut alone = base;
        alone.client_key = Some(one.key.clone());
        settings.push((alone, &one.key));
        for (settings, file) in settings {
            let error = Tls::new(&settings, false).map(|_| ()).expect_err("must not be accepted").to_string();
            assert!(error.contains(&file.display().to_string()), "{error}");
        }
    }

    /// A certificate of its own issuer, and its key to sign with.
    fn own(
        name: &str,
        change: impl FnOnce(&mut rcgen::CertificateParams),
    ) -> rcgen::CertifiedIssuer<'static, rcgen::KeyPair> {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        change(&mut params);
        rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap()
    }

    /// A server's certificate for a.test from this issuer, with what else it shows.
    fn signed(
        issuer: &rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
        between: &[&str],
        change: impl FnOnce(&mut rcgen::CertificateParams),
    ) -> (tempfile::TempDir, Leaf) {
        let directory = tempfile::tempdir().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "the server");
        change(&mut params);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, issuer).unwrap();
        let leaf = Leaf { certificate: directory.path().join("a.pem"), key: directory.path().join("a.key") };
        std::fs::write(&leaf.certificate, certificate.pem() + &between.concat()).unwrap();
        std::fs::write(&leaf.key, key.serialize_pem()).unwrap();
        (directory, leaf)
    }

    fn trusting(directory: &tempfile::TempDir, pem: &str) -> Config {
        let file = directory.path().join("trusted.pem");
        std::fs::write(&file, pem).unwrap();
        let mut config = Config::default();
        config.tls.ca_files = vec![file];
        config
    }

    #[tokio::test]
    async fn a_root_issues_only_what_its_certificate_lets_it_issue() {
        use rcgen::{CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, date_time_ymd};
        type Change = fn(&mut rcgen::CertificateParams);
        let roots: [(&str, Change, Option<&str>); 11] = [
            ("plain", |_| {}, None),
            ("keyCertSign", |root| root.key_usages = vec![KeyUsagePurpose::KeyCertSign], None),
            ("for servers", |root| root.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth], None),
            ("an end certificate", |root| root.is_ca = IsCa::ExplicitNoCa, Some("may not issue any")),
            ("one that says nothing", |root| root.is_ca = IsCa::NoCa, Some("may not issue any")),
            (
                "one for signatures",
                |root| root.key_usages = vec![KeyUsagePurpose::DigitalSignature],
                Some("may not issue any"),
            ),
            (
                "one for clients",
                |root| root.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
                Some("not meant for servers"),
            ),
            (
                "one with a condition",
                |root| {
                    let mut condition = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
                    condition.set_criticality(true);
                    root.custom_extensions.push(condition);
                },
                Some("condition"),
            ),
            ("an expired one", |root| root.not_after = date_time_ymd(2020, 1, 1), Some("has expired")),
            ("an early one", |root| root.not_before = date_time_ymd(4000, 1, 1), Some("not valid yet")),
            (
                "one of the other kinds",
                |root| root.key_usages = vec![KeyUsagePurpose::CrlSign],
                Some("may not issue any"),
            ),
        ];
        local(async {
            for (what, change, refused) in roots {
                let root = own(what, change);
                let (directory, leaf) = signed(&root, &[], |_| {});
                let address = serve(&leaf).await;
                let config = trusting(&directory, &root.pem());
                match (connect(&config, "a.test", address).await, refused) {
                    (Ok(mut dialed), None) => assert_eq!(greeting(&mut dialed).await, "hello", "{what}"),
                    (failed, Some(says)) => {
                        let message = peer_failure(failed, Phase::Tls, FailureKind::CertificateUntrusted);
                        assert!(message.contains(says), "{what}: {message}");
                    }
                    (Err(error), None) => panic!("{what}: {error:?}"),
                }
                // Beside a root that may, it does no harm; and the server's own certificate is trusted whoever issued it.
                let both =
                    root.pem() + &own("another", |_| {}).pem() + &std::fs::read_to_string(&leaf.certificate).unwrap();
                assert!(connect(&trusting(&directory, &both), "a.test", address).await.is_ok(), "{what}");
            }
        })
        .await;
    }

    /// Of two certificates of one name and key the one that may issue does.
    #[tokio::test]
    async fn a_root_that_was_renewed_takes_the_place_of_the_expired_one() {
        local(async {
            let root = own("renewed", |_| {});
            let key = rcgen::KeyPair::from_pem(&root.key().serialize_pem()).unwrap();
            let mut old = rcgen::CertificateParams::new(Vec::new()).unwrap();
            old.distinguished_name.push(rcgen::DnType::CommonName, "renewed");
            old.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            old.not_after = rcgen::date_time_ymd(2020, 1, 1);
            let old = old.self_signed(&key).unwrap().pem();
            let (directory, leaf) = signed(&root, &[], |_| {});
            let address = serve(&leaf).await;
            for (pem, fine) in [(old.clone() + &root.pem(), true), (root.pem() + &old, true), (old, false)] {
                assert_eq!(connect(&trusting(&directory, &pem), "a.test", address).await.is_ok(), fine);
            }
        })
        .await;
    }

    #[tokio::test]
    async fn every_issuer_on_the_way_has_to_be_one() {
        use rcgen::{BasicConstraints, IsCa, KeyUsagePurpose};
        type Change = fn(&mut rcgen::CertificateParams);
        let issuers: [(&str, Change, bool); 5] = [
            ("plain", |_| {}, true),
            ("keyCertSign", |issuer| issuer.key_usages = vec![KeyUsagePurpose::KeyCertSign], true),
            ("for signatures", |issuer| issuer.key_usages = vec![KeyUsagePurpose::DigitalSignature], false),
            ("for revocations", |issuer| issuer.key_usages = vec![KeyUsagePurpose::CrlSign], false),
            ("no issuer", |issuer| issuer.is_ca = IsCa::ExplicitNoCa, false),
        ];
        local(async {
            let root = own("root", |_| {});
            let strict = own("strict", |root| root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
            for (what, change, fine) in issuers {
                let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
                params.distinguished_name.push(rcgen::DnType::CommonName, "between");
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                change(&mut params);
                let issue = |params: rcgen::CertificateParams, by| {
                    rcgen::CertifiedIssuer::signed_by(params, rcgen::KeyPair::generate().unwrap(), by).unwrap()
                };
                let between = issue(params.clone(), &root);
                let (directory, leaf) = signed(&between, &[&between.pem()], |_| {});
                let address = serve(&leaf).await;
                let dialed = connect(&trusting(&directory, &root.pem()), "a.test", address).await;
                assert_eq!(dialed.is_ok(), fine, "{what}: {dialed:?}");
                // A root that allows no issuer below it.
                let between = issue(params, &strict);
                let (directory, leaf) = signed(&between, &[&between.pem()], |_| {});
                let address = serve(&leaf).await;
                let failed = connect(&trusting(&directory, &strict.pem()), "a.test", address).await;
                peer_failure(failed, Phase::Tls, FailureKind::CertificateUntrusted);
            }
            let (directory, leaf) = signed(&strict, &[], |_| {});
            let address = serve(&leaf).await;
            assert!(connect(&trusting(&directory, &strict.pem()), "a.test", address).await.is_ok());
        })
        .await;
    }

    #[tokio::test]
    async fn a_server_s_key_has_to_be_for_tls_also_where_its_certificate_was_given() {
        use rcgen::KeyUsagePurpose;
        local(async {
            let root = own("root", |_| {});
            for (usages, fine) in [
                (vec![], true),
                (vec![KeyUsagePurpose::DigitalSignature], true),
                (vec![KeyUsagePurpose::KeyAgreement], true),
                (vec![KeyUsagePurpose::KeyCertSign], false),
                (vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature], true),
                (vec![KeyUsagePurpose::ContentCommitment], false),
            ] {
                let (directory, leaf) = signed(&root, &[], |leaf| leaf.key_usages.clone_from(&usages));
                let address = serve(&leaf).await;
                for trusted in [root.pem(), std::fs::read_to_string(&leaf.certificate).unwrap()] {
                    let dialed = connect(&trusting(&directory, &trusted), "a.test", address).await;
                    assert_eq!(dialed.is_ok(), fine, "{usages:?}: {dialed:?}");
                    if !fine {
                        let message = peer_failure(dialed, Phase::Tls, FailureKind::CertificateUntrusted);
                        assert!(message.contains("key usage"), "{message}");
                    }
                }
            }
        })
        .await;
    }

    #[tokio::test]
    async fn a_certificate_that_was_given_has_to_be_for_servers_too() {
        use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa};
        local(async {
            let stranger = own("a stranger", |_| {});
            for is_ca in [IsCa::ExplicitNoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
                for (purposes, fine) in [
                    (vec![], true),
                    (vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth], true),
                    (vec![ExtendedKeyUsagePurpose::ClientAuth], false),
                ] {
                    let (directory, leaf) = signed(&stranger, &[], |leaf| {
                        leaf.is_ca = is_ca;
                        leaf.extended_key_usages.clone_from(&purposes);
                    });
                    let address = serve(&leaf).await;
                    let own = std::fs::read_to_string(&leaf.certificate).unwrap();
                    let dialed = connect(&trusting(&directory, &own), "a.test", address).await;
                    assert_eq!(dialed.is_ok(), fine, "{is_ca:?} {purposes:?}: {dialed:?}");
                    if !fine {
                        let message = peer_failure(dialed, Phase::Tls, FailureKind::CertificateUntrusted);
                        assert!(message.contains("extended key usage"), "{message}");
                    }
                }
            }
        })
        .await;
    }

    #[tokio::test]
    async fn a_name_with_a_final_dot_is_a_name_unless_the_issuer_may_not_give_it() {
        use rcgen::{GeneralSubtree, NameConstraints, SanType};
        local(async {
            let dns = |name: &str| GeneralSubtree::DnsName(name.to_owned());
            for (permitted, excluded, fine) in
                [(vec![], vec![], true), (vec![dns("b.test")], vec![], false), (vec![], vec![dns("a.test")], false)]
            {
                let root = own("root", |root| {
                    if !(permitted.is_empty() && excluded.is_empty()) {
                        root.name_constraints =
                            Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: excluded });
                    }
                });
                let (directory, leaf) = signed(&root, &[], |leaf| {
                    leaf.subject_alt_names = vec![SanType::DnsName("a.test.".try_into().unwrap())];
                });
                let address = serve(&leaf).await;
                let config = trusting(&directory, &root.pem());
                assert_eq!(connect(&config, "a.test", address).await.is_ok(), fine);
                assert!(connect(&config, "b.test", address).await.is_err());
            }
        })
        .await;
    }

    #[tokio::test]
    async fn a_client_shows_whatever_certificate_its_key_belongs_to() {
        use rcgen::CustomExtension;
        let authority = Authority::new();
        let condition = || {
            let mut condition = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
            condition.set_criticality(true);
            condition
        };
        let (odd, other) = (
            authority.issue(&["odd.test"], |client| client.custom_extensions.push(condition())),
            authority.issue(&["other.test"], |client| client.custom_extensions.push(condition())),
        );
        let read = |certificate: &std::path::Path, key: &std::path::Path| {
            let mut settings = Config::default().tls;
            settings.client_certificate = Some(certificate.to_owned());
            settings.client_key = Some(key.to_owned());
            Tls::new(&settings, false).map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(read(&odd.certificate, &odd.key), Ok(()));
        let wrong = read(&odd.certificate, &other.key).unwrap_err();
        assert!(wrong.contains("belongs to another certificate"), "{wrong}");
    }

    #[test]
    fn one_configuration_serves_several_threads() {
        fn shared<T: Send + Sync>(_: &T) {}
        shared(&Arc::new(Tls::new(&Config::default().tls, false).unwrap()));
    }
}
