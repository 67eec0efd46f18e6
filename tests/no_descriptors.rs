//! What a dial says when the process has no descriptor left. A test of its own process: the limit is the process's.

mod support {
    pub(crate) mod clock;
    pub(crate) mod dialing;
}

use std::fs::File;
use std::rc::Rc;

use haul::config::Config;
use haul::dial::Cause;
use haul::model::{FailureKind, Phase, Scheme};
use support::dialing::{Names, dial, dialer};

#[tokio::test]
async fn no_descriptor_is_our_fault_and_passes() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let dialer = dialer(&Config::default(), Rc::new(Names::default()));
    let (_, hard) = rlimit::Resource::NOFILE.get().unwrap();
    rlimit::setrlimit(rlimit::Resource::NOFILE, 64, hard).unwrap();
    let mut hoard = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        hoard.push(file);
    }
    let error = dial(&dialer, Scheme::Http, "127.0.0.1", address).await.expect_err("there is no descriptor");
    let Cause::NoDescriptors(failure) = error.cause else { panic!("{:?}", error.cause) };
    assert_eq!((failure.phase, failure.kind), (Phase::Connect, FailureKind::Io));
    assert!(failure.message.contains("ulimit -n"), "{failure}");
    hoard.clear();
    assert!(dial(&dialer, Scheme::Http, "127.0.0.1", address).await.is_ok());
}
