//! A name with several machines, of which some are of no use: what connects is not all that matters.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use haul::config::ResolveRule;
use haul_testsupport::stub::{Answer, Stub};

use super::{config, count, run, status};

const BAD: [u8; 4] = [127, 0, 0, 41];
const WORSE: [u8; 4] = [127, 0, 0, 42];
const GOOD: [u8; 4] = [127, 0, 0, 43];

/// What a machine answers to everything, and after how long.
type Machine = (&'static [u8], Duration);

const OK: Machine = (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Duration::ZERO);
const UNAVAILABLE: Machine = (b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", Duration::ZERO);
const SILENT: Machine = (b"", Duration::from_secs(3600));

/// A machine at this address, and how often it was asked.
fn machine(at: [u8; 4], port: u16, (bytes, after): Machine) -> (u16, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&asked);
    let stub = Stub::at((IpAddr::from(at), port).into(), move |_| {
        counting.fetch_add(1, Ordering::SeqCst);
        Answer { bytes: bytes.into(), after }
    });
    (stub.port(), asked)
}

#[test]
fn an_address_over_which_nothing_comes_back_well_is_left_for_the_others() {
    for (bad, worse) in [(UNAVAILABLE, OK), (SILENT, OK), (UNAVAILABLE, SILENT), (SILENT, UNAVAILABLE)] {
        let (port, asked) = machine(BAD, 0, bad);
        let (_, asked_second) = machine(WORSE, port, worse);
        machine(GOOD, port, OK);
        let mut config = config();
        config.limits.per_host = count(8);
        config.timeouts.first_byte = Duration::from_millis(300);
        let addresses = [BAD, WORSE, GOOD].map(IpAddr::from).into();
        config.network.resolve = vec![ResolveRule { host: None, port, addresses }];
        let (outcomes, report) = run(config, (0..100).map(|n| format!("http://many.test:{port}/{n}")));
        assert_eq!(
            (report.totals.succeeded, outcomes.iter().filter(|one| status(one) == Some(200)).count()),
            (100, 100)
        );
        // As many as it takes to know that this is no chance.
        assert!(asked.load(Ordering::SeqCst) <= 64, "{asked:?}");
        assert!(worse == OK || asked_second.load(Ordering::SeqCst) <= 16, "{asked_second:?}");
    }
}

#[test]
fn urls_that_fail_beside_others_are_nothing_against_the_address() {
    let ok = |(bytes, after): Machine| Answer { bytes: bytes.into(), after };
    let first = Stub::at((IpAddr::from(BAD), 0).into(), move |request| {
        ok(if request.path().ends_with('7') { UNAVAILABLE } else { OK })
    });
    let (port, second) = (first.port(), Arc::new(AtomicUsize::new(0)));
    let counting = Arc::clone(&second);
    Stub::at((IpAddr::from(GOOD), port).into(), move |_| {
        counting.fetch_add(1, Ordering::SeqCst);
        ok(UNAVAILABLE)
    });
    let mut config = config();
    let addresses = [BAD, GOOD].map(IpAddr::from).into();
    config.network.resolve = vec![ResolveRule { host: None, port, addresses }];
    let (outcomes, _) = run(config, (0..200).map(|n| format!("http://many.test:{port}/{n}")));
    assert_eq!(outcomes.iter().filter(|one| status(one) == Some(200)).count(), 180);
    // The repeats that are left in the end may look elsewhere.
    assert!(second.load(Ordering::SeqCst) <= 40, "{second:?}");
}
