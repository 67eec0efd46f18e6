//! What a dial and a look-up say when the process has no descriptor left. A test of its own process: the limit is the
//! process's.

#![expect(clippy::unwrap_used, reason = "a test may panic, and says where")]

use std::fs::File;
use std::rc::Rc;

use haul::config::Config;
use haul::model::{FailureKind, Phase, Resolve, Scheme};
use haul_net::dial::DialFailure;
use haul_net::dns::Resolver;
use haul_testsupport::dialing::{Names, dial, dialer};
use tokio::task::LocalSet;

#[tokio::test]
async fn no_descriptor_is_our_fault_and_passes() {
    LocalSet::new().run_until(run()).await;
}

async fn run() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let dialer = dialer(&Config::default(), Rc::new(Names::default()));
    let mut config = Config::default();
    config.dns.servers = vec![address];
    config.timeouts.dns = std::time::Duration::from_millis(200);
    let resolver = Resolver::new(&config, haul_testsupport::clock::running());
    let (_, hard) = rlimit::Resource::NOFILE.get().unwrap();
    rlimit::setrlimit(rlimit::Resource::NOFILE, 64, hard).unwrap();
    let mut hoard = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        hoard.push(file);
    }
    let error = dial(&dialer, Scheme::Http, "127.0.0.1", address).await.expect_err("there is no descriptor");
    let DialFailure::NoDescriptors(failure) = error.cause else { panic!("{:?}", error.cause) };
    assert_eq!((failure.phase, failure.kind), (Phase::Connect, FailureKind::Io));
    assert!(failure.message.contains("ulimit -n"), "{failure}");
    let unresolved = resolver.resolve("a.test").await.expect_err("there is no descriptor");
    assert_eq!((unresolved.phase, unresolved.kind), (Phase::Dns, FailureKind::Io), "{unresolved}");
    assert!(unresolved.message.contains("ulimit -n"), "{unresolved}");
    hoard.clear();
    let unresolved = resolver.resolve("a.test").await.expect_err("nobody answers");
    assert_ne!(unresolved.kind, FailureKind::Io, "not remembered: {unresolved}");
    assert!(dial(&dialer, Scheme::Http, "127.0.0.1", address).await.is_ok());
}
