//! Name servers that fail, lie, and send what nobody asked for.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use haul::model::{FailureKind, Phase};

use super::case::{Case, Group, Verdict, complete, failed};
use super::dns_peer::{A, AAAA, Answer, Deed, Names, Question};
use super::lab::Lab;
use super::peer::{Peer, Step, send};

const FINE: Verdict = complete(200, 5);
const NOT_FOUND: Verdict = failed(Phase::Dns, FailureKind::NameNotFound);
const NO_ADDRESS: Verdict = failed(Phase::Dns, FailureKind::NoAddress);
const FAILURE: Verdict = failed(Phase::Dns, FailureKind::ServerFailure);
const TIMEOUT: Verdict = failed(Phase::Dns, FailureKind::Timeout);
const FILTERED: Verdict = failed(Phase::Connect, FailureKind::AddressRefused);
/// Where the web server is.
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

pub(crate) fn group() -> Group {
    let cases =
        [codes(), strangers(), malformed(), aliases(), beside(), transports(), servers(), filtered(), rebinding()];
    Group { title: "Names", cases: cases.into_iter().flatten().collect() }
}

/// `there` is 127.0.0.1, with this time to live; it has no other address.
fn good(question: &Question, ttl: u32) -> Answer {
    let answer = Answer::to(question);
    if question.kind == A { answer.address(&question.name, ttl, HERE) } else { answer }
}

/// Answers a request on each connection, and closes.
fn web() -> Peer {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    Peer::playing(vec![Step::Request, send(answer)])
}

fn lab(servers: &[&Names]) -> Lab {
    let servers = servers.iter().map(|names| names.address).collect();
    Lab::new().with(|config| {
        config.dns.servers = servers;
        config.dns.query_timeout = Duration::from_millis(500);
        // A look-up that fails is tried again, with back-off, until its host is called dead.
        config.retries.dead_after = 1;
    })
}

fn url(web: &Peer) -> String {
    format!("http://there.test:{}/", web.address.port())
}

/// A name server that answers like this, over UDP and TCP.
fn case(
    what: impl Into<String>,
    rule: &'static str,
    expected: Verdict,
    script: impl Fn(&Question) -> Vec<Deed> + Send + Sync + 'static,
) -> Case {
    Case::new(what, rule, expected, move || {
        let (names, web) = (Names::answering(true, script), web());
        lab(&[&names]).fetch(url(&web))
    })
}

/// The same, where the look-up's time-out is to run out.
fn slow(
    what: impl Into<String>,
    rule: &'static str,
    script: impl Fn(&Question) -> Vec<Deed> + Send + Sync + 'static,
) -> Case {
    Case::new(what, rule, TIMEOUT, move || {
        let (names, web) = (Names::answering(true, script), web());
        lab(&[&names]).with(|config| config.timeouts.dns = super::lab::SOON).fetch(url(&web))
    })
}

fn codes() -> Vec<Case> {
    let names = [
        "FORMERR",
        "SERVFAIL",
        "NXDOMAIN",
        "NOTIMP",
        "REFUSED",
        "YXDOMAIN",
        "YXRRSET",
        "NXRRSET",
        "NOTAUTH",
        "NOTZONE",
        "code 11, unassigned",
        "code 12, unassigned",
        "code 13, unassigned",
        "code 14, unassigned",
        "code 15, unassigned",
    ];
    let coded = (1..).zip(names).map(|(code, name)| {
        let expected = if code == 3 { NOT_FOUND } else { FAILURE };
        case(format!("answers {name}"), "RFC 6895 §2.3", expected, move |question| {
            Answer::to(question).code(code).said()
        })
    });
    let rest = [
        case("answers with an address", "RFC 1035 §4.1", FINE, |question| good(question, 60).said()),
        case("answers without records", "RFC 2308 §2.2", NO_ADDRESS, |question| Answer::to(question).said()),
        case("answers SERVFAIL for IPv6, well for IPv4", "RFC 8305 §3", FINE, |question| match question.kind {
            AAAA => Answer::to(question).code(2).said(),
            _ => good(question, 60).said(),
        }),
        case("answers with a time to live of 68 years", "RFC 2181 §8", FINE, |question| {
            good(question, i32::MAX as u32).said()
        }),
        case("answers with a negative time to live", "RFC 2181 §8", FINE, |question| good(question, u32::MAX).said()),
        Case::new("answers NXDOMAIN; is asked once for ten URLs", "RFC 2308 §5", NOT_FOUND, || {
            let (names, web) = (
                // For each family with EDNS and without.
                Names::answering(true, |question| match question.number {
                    0..=3 => Answer::to(question).code(3).said(),
                    _ => good(question, 60).said(),
                }),
                web(),
            );
            same(lab(&[&names]).fetch_all((0..10).map(|n| format!("{}{n}", url(&web)))))
        }),
    ];
    coded.chain(rest).collect()
}

/// The verdict that all have, or the first other one.
fn same(outcomes: Vec<haul::model::Outcome>) -> Verdict {
    let first = Verdict::of(&outcomes[0]);
    outcomes.iter().map(Verdict::of).find(|verdict| *verdict != first).unwrap_or(first)
}

/// Messages that are no answer to the question: RFC 5452 has them ignored.
fn strangers() -> Vec<Case> {
    const RULE: &str = "RFC 5452 §9.1";
    type Make = fn(&Question) -> Deed;
    let evil = |question: &Question| Answer::to(question).address(&question.name, 60, [127, 0, 0, 66].into());
    let kinds: [(&str, Make); 3] = [
        ("an answer with another number", |question| Deed::Say(good(question, 60).id(question.id ^ 1).bytes())),
        ("an answer about another name", |question| Deed::Say(good(question, 60).about("evil.test").bytes())),
        ("an answer from another port", |question| Deed::SayFromElsewhere(good(question, 60).bytes())),
    ];
    let mut cases = Vec::new();
    for (name, make) in kinds {
        cases.push(slow(format!("sends {name} and nothing else"), RULE, move |question| vec![make(question)]));
        cases.push(case(format!("sends {name}, then the right one"), RULE, FINE, move |question| {
            vec![make(question), Deed::Say(good(question, 60).bytes())]
        }));
    }
    cases.push(case("sends a hundred answers with other numbers, then the right one", RULE, FINE, move |question| {
        let wrong = (1..100).map(|n| Deed::Say(evil(question).id(question.id.wrapping_add(n)).bytes()));
        wrong.chain([Deed::Say(good(question, 60).bytes())]).collect()
    }));
    let back = |question: &Question| {
        let mut bytes = Answer::to(question).bytes();
        bytes[2] &= 0x7f;
        Deed::Say(bytes)
    };
    cases.push(case("sends its question back", "RFC 1035 §7.3", FAILURE, move |question| vec![back(question)]));
    cases.push(case("sends its question back, then the right one", "RFC 1035 §7.3", FINE, move |question| {
        vec![back(question), Deed::Say(good(question, 60).bytes())]
    }));
    cases.push(case("answers with the address of another name", "RFC 5452 §6", NO_ADDRESS, |question| {
        Answer::to(question).address("evil.test", 60, HERE).said()
    }));
    cases.push(case("answers with a record of another type", "RFC 1035 §4.1.3", NO_ADDRESS, |question| {
        Answer::to(question).record(&question.name, 16, 60, b"\x04text").said()
    }));
    cases
}

fn malformed() -> Vec<Case> {
    const RULE: &str = "RFC 1035 §4.1";
    type Spoil = fn(&Question) -> Vec<u8>;
    let kinds: [(&str, Spoil); 8] = [
        ("three bytes", |question| good(question, 60).bytes()[..3].to_vec()),
        ("a header alone", |question| good(question, 60).bytes()[..12].to_vec()),
        ("an answer cut within its record", |question| {
            let bytes = good(question, 60).bytes();
            bytes[..bytes.len() - 2].to_vec()
        }),
        ("an address of three bytes", |question| {
            Answer::to(question).record(&question.name, question.kind, 60, &[1, 2, 3]).bytes()
        }),
        ("a count of 65535 records", |question| {
            let mut bytes = good(question, 60).bytes();
            bytes[6..8].fill(0xff);
            bytes
        }),
        ("a name that points at itself", |question| {
            let mut bytes = Answer::to(question).bytes();
            let at = u8::try_from(bytes.len()).expect("short");
            bytes[7] = 1;
            bytes.extend([0xc0, at, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
            bytes
        }),
        ("a name that points beyond the end", |question| {
            let mut bytes = Answer::to(question).bytes();
            bytes[7] = 1;
            bytes.extend([0xff, 0xff, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
            bytes
        }),
        ("random bytes", |question| {
            let mut random = fastrand::Rng::with_seed(9);
            let noise: Vec<u8> = (0..200).map(|_| random.u8(..)).collect();
            [&question.id.to_be_bytes()[..], &noise].concat()
        }),
    ];
    let mut cases = Vec::new();
    for (name, spoil) in kinds {
        cases.push(case(format!("sends {name}"), RULE, FAILURE, move |question| vec![Deed::Say(spoil(question))]));
    }
    cases.push(case("sends random bytes, then the answer", RULE, FINE, |question| {
        vec![Deed::Say(vec![0xa5; 300]), Deed::Say(good(question, 60).bytes())]
    }));
    cases
}

fn aliases() -> Vec<Case> {
    const RULE: &str = "RFC 1034 §3.6.2";
    vec![
        case("answers with an alias and its address", RULE, FINE, |question| {
            let answer = Answer::to(question).alias(&question.name, "b.test");
            if question.kind == A { answer.address("b.test", 60, HERE).said() } else { answer.said() }
        }),
        case("answers with five aliases in a row and an address", RULE, FINE, |question| {
            let names = [question.name.as_str(), "b.test", "c.test", "d.test", "e.test", "f.test"];
            let answer = names.windows(2).fold(Answer::to(question), |answer, pair| answer.alias(pair[0], pair[1]));
            if question.kind == A { answer.address("f.test", 60, HERE).said() } else { answer.said() }
        }),
        case("answers with an alias alone; has an address for that", RULE, FINE, |question| {
            match question.name.as_str() {
                "there.test" => Answer::to(question).alias("there.test", "b.test").said(),
                _ => good(question, 60).said(),
            }
        }),
        case("answers with an alias alone, for which there is nothing", RULE, NOT_FOUND, |question| {
            match question.name.as_str() {
                "there.test" => Answer::to(question).alias("there.test", "b.test").said(),
                _ => Answer::to(question).code(3).said(),
            }
        }),
        case("answers with an alias of itself", RULE, NO_ADDRESS, |question| {
            Answer::to(question).alias(&question.name, &question.name).said()
        }),
        case("answers with two aliases of each other", RULE, NO_ADDRESS, |question| {
            Answer::to(question).alias("there.test", "b.test").alias("b.test", "there.test").said()
        }),
        case("answers with aliases of each other, one at a time", RULE, NO_ADDRESS, |question| {
            let other = if question.name == "b.test" { "there.test" } else { "b.test" };
            Answer::to(question).alias(&question.name, other).said()
        }),
        case("answers with a new alias each time, without end", RULE, NO_ADDRESS, |question| {
            Answer::to(question).alias(&question.name, &format!("n{}.test", question.number)).said()
        }),
    ]
}

/// Servers that do not know EDNS, and what stands in a message beside its answer.
fn beside() -> Vec<Case> {
    const EDNS: &str = "RFC 6891 §7";
    let refusal = |name: &str, refuse: fn(&Question) -> Vec<u8>| {
        case(format!("answers {name} to EDNS, and rightly without it"), EDNS, FINE, move |question| {
            if question.edns { vec![Deed::Say(refuse(question))] } else { good(question, 60).said() }
        })
    };
    let sections = |what: &str, authorities, additionals, bytes: &'static [u8]| {
        case(format!("answers, and {what}"), "RFC 1035 §4.1", FINE, move |question| {
            good(question, 60).rest(authorities, additionals, bytes).said()
        })
    };
    vec![
        refusal("FORMERR", |question| Answer::to(question).code(1).bytes()),
        refusal("NOTIMP", |question| Answer::to(question).code(4).bytes()),
        refusal("SERVFAIL", |question| Answer::to(question).code(2).bytes()),
        refusal("REFUSED", |question| Answer::to(question).code(5).bytes()),
        refusal("NXDOMAIN", |question| Answer::to(question).code(3).bytes()),
        refusal("nothing", |question| Answer::to(question).bytes()),
        refusal("FORMERR without the question", |question| {
            [&question.id.to_be_bytes()[..], &[0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0]].concat()
        }),
        refusal("BADVERS", |question| Answer::to(question).rest(0, 1, &[0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0]).bytes()),
        case("drops questions with EDNS", EDNS, FINE, |question| {
            if question.edns { Vec::new() } else { good(question, 60).said() }
        }),
        case("answers FORMERR to EDNS, and SERVFAIL without it", EDNS, FAILURE, |question| {
            Answer::to(question).code(if question.edns { 1 } else { 2 }).said()
        }),
        sections("names an authority that can't be read", 1, 0, &[0xff, 0xff, 0, 2]),
        sections("an authority whose name points at itself", 1, 0, &[0xc0, 40, 0, 2, 0, 1, 0, 0, 0, 9, 0, 1, 0]),
        sections("a SOA record cut short", 1, 0, &[0, 0, 6, 0, 1, 0, 0, 0, 9, 0, 2, 0, 0]),
        sections("an address of five bytes beside it", 0, 1, &[0, 0, 1, 0, 1, 0, 0, 0, 9, 0, 5, 1, 2, 3, 4, 5]),
        sections("says that there is more than there is", 7, 7, &[]),
        sections("a record of another class beside it", 1, 0, &[0, 0, 1, 0, 3, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4]),
        case("answers with a spoiled address and a good one", "RFC 1035 §4.1", FINE, |question| {
            let answer = Answer::to(question).record(&question.name, question.kind, 60, &[1, 2, 3]);
            if question.kind == A { answer.address(&question.name, 60, HERE).said() } else { answer.said() }
        }),
    ]
}

/// Answers too long for UDP, and what happens over TCP.
fn transports() -> Vec<Case> {
    const RULE: &str = "RFC 7766 §5";
    let over_tcp = |deeds: fn(&Question) -> Vec<Deed>| {
        move |question: &Question| if question.tcp { deeds(question) } else { Answer::to(question).truncated().said() }
    };
    let many = |question: &Question, count: u32| {
        let all = (0..count).fold(good(question, 60), |answer, n| {
            let [_, b, c, d] = n.to_be_bytes();
            if question.kind == A { answer.address(&question.name, 60, [127, b, c, d.max(2)].into()) } else { answer }
        });
        all.bytes()
    };
    vec![
        case("cuts its answer, and gives it over TCP", RULE, FINE, over_tcp(|question| good(question, 60).said())),
        case("cuts its answer, and cuts it over TCP too", RULE, FAILURE, |question| {
            Answer::to(question).truncated().said()
        }),
        case(
            "cuts its answer, and closes the TCP connection",
            RULE,
            FAILURE,
            over_tcp(|question| vec![Deed::Break(good(question, 60).bytes(), 0)]),
        ),
        case(
            "cuts its answer, and closes the TCP connection within it",
            RULE,
            FAILURE,
            over_tcp(|question| vec![Deed::Break(good(question, 60).bytes(), 20)]),
        ),
        slow("cuts its answer, and is silent over TCP", RULE, over_tcp(|_| Vec::new())),
        Case::new("cuts its answer, and nobody listens to TCP", RULE, FAILURE, || {
            let (names, web) = (Names::answering(false, |question| Answer::to(question).truncated().said()), web());
            lab(&[&names]).fetch(url(&web))
        }),
        case("answers with 40 addresses, the first of them good", RULE, FINE, move |question| {
            vec![Deed::Say(many(question, 40))]
        }),
        case("answers over UDP with more than was allowed", "RFC 6891 §6.2.5", FINE, move |question| {
            vec![Deed::Say(many(question, 200))]
        }),
        case("answers with 1,600 addresses over TCP, the first of them good", RULE, FINE, move |question| {
            if question.tcp { vec![Deed::Say(many(question, 1600))] } else { Answer::to(question).truncated().said() }
        }),
    ]
}

fn servers() -> Vec<Case> {
    let with_two = |what: &str, first: fn(&Question) -> Vec<Deed>| {
        Case::new(what, "", FINE, move || {
            let (first, second) = (Names::answering(true, first), Names::answering(true, |q| good(q, 60).said()));
            lab(&[&first, &second]).fetch(url(&web()))
        })
    };
    vec![
        slow("is silent", "", |_| Vec::new()),
        slow("answers too late", "", |question| {
            vec![Deed::Wait(Duration::from_secs(2)), Deed::Say(good(question, 60).bytes())]
        }),
        case("answers after 100 ms", "", FINE, |question| {
            vec![Deed::Wait(Duration::from_millis(100)), Deed::Say(good(question, 60).bytes())]
        }),
        case("is silent about IPv6, answers for IPv4", "RFC 8305 §3", FINE, |question| match question.kind {
            AAAA => Vec::new(),
            _ => good(question, 60).said(),
        }),
        case("answers the second time it is asked", "RFC 1035 §4.2.1", FINE, |question| match question.number {
            0 | 1 => Vec::new(),
            _ => good(question, 60).said(),
        }),
        with_two("is silent, but there is another server", |_| Vec::new()),
        with_two("refuses, but there is another server", |question| Answer::to(question).code(5).said()),
        with_two("fails, but there is another server", |question| Answer::to(question).code(2).said()),
        with_two("sends nonsense, but there is another server", |_| vec![Deed::Say(vec![0xff; 100])]),
        Case::new("is not there", "", FAILURE, || {
            let names = Names::answering(true, |_| Vec::new());
            let lab = lab(&[&names]);
            drop(names);
            lab.fetch(url(&web()))
        }),
        Case::new("is not there, but there is another server", "", FINE, || {
            let (gone, names) =
                (Names::answering(true, |_| Vec::new()), Names::answering(true, |q| good(q, 60).said()));
            let lab = lab(&[&gone, &names]);
            drop(gone);
            lab.fetch(url(&web()))
        }),
        case("answers after four times the wait for one question", "", FINE, |question| {
            vec![Deed::Wait(Duration::from_secs(2)), Deed::Say(good(question, 60).bytes())]
        }),
        Case::new("answers over TCP alone, as resolv.conf wants it", "resolv.conf(5), use-vc", FINE, || {
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(file.path(), "options use-vc").expect("a file");
            let names = Names::answering(true, |q| if q.tcp { good(q, 60).said() } else { Vec::new() });
            let path = file.path().to_owned();
            let lab = lab(&[&names]).with(|config| config.dns.resolv_conf = Some(path));
            lab.fetch(url(&web()))
        }),
        Case::new("is silent about one name of many; the others are fetched", "", complete(200, 20 * 5), || {
            let (names, web) = (
                Names::answering(true, |question| match question.name.as_str() {
                    "silent.test" => Vec::new(),
                    _ => good(question, 60).said(),
                }),
                web(),
            );
            let port = web.address.port();
            let names_of = (0..20).map(|n| format!("http://n{n}.test:{port}/"));
            let urls = (0..5).map(|n| format!("http://silent.test:{port}/{n}")).chain(names_of);
            let lab = lab(&[&names]).with(|config| config.timeouts.dns = super::lab::SOON);
            let mut outcomes = lab.fetch_all(urls);
            let others = outcomes.split_off(5);
            let silent = same(outcomes);
            if silent == TIMEOUT { super::h2::together(others) } else { silent }
        }),
    ]
}

/// Names whose addresses a filter refuses: everything but 127.0.0.1.
fn filtered() -> Vec<Case> {
    let with = |what: &str, expected, addresses: &'static [&'static str]| {
        Case::new(what, "", expected, move || {
            let names = Names::answering(true, move |question| {
                let parsed = addresses.iter().map(|text| text.parse::<IpAddr>().expect("an address"));
                let wanted = parsed.filter(|address| address.is_ipv4() == (question.kind == A));
                wanted.fold(Answer::to(question), |answer, ip| answer.address(&question.name, 60, ip)).said()
            });
            let mut lab = lab(&[&names]);
            lab.extensions.address_filter = Some(Arc::new(|address| address == HERE));
            lab.fetch(url(&web()))
        })
    };
    vec![
        with("gives an address the filter lets pass", FINE, &["127.0.0.1"]),
        with("gives an address the filter refuses", FILTERED, &["127.0.0.2"]),
        with(
            "gives ten addresses, all refused",
            FILTERED,
            &[
                "10.0.0.1",
                "10.0.0.2",
                "192.168.0.1",
                "169.254.169.254",
                "::1",
                "fe80::1",
                "fd00::1",
                "172.16.0.1",
                "100.64.0.1",
                "0.0.0.0",
            ],
        ),
        with("gives an address refused and one that passes", FINE, &["127.0.0.2", "127.0.0.1"]),
        with("gives a refused address written as IPv6", FILTERED, &["::ffff:127.0.0.2"]),
        with("gives a passing address written as IPv6", FINE, &["::ffff:127.0.0.1"]),
        case("gives a private address, where nothing is filtered", "", FINE, |question| good(question, 60).said()),
    ]
}

/// The name's address changes between two look-ups: first the one that passes the filter, then one it refuses.
fn rebinding() -> Vec<Case> {
    let second = |what: &str, expected, pinned: bool| {
        Case::new(what, "", expected, move || {
            let names = Names::answering(true, |question| {
                let address: IpAddr = if question.number < 2 { HERE } else { [127, 0, 0, 2].into() };
                let answer = Answer::to(question);
                if question.kind == A { answer.address(&question.name, 0, address).said() } else { answer.said() }
            });
            let web = web();
            let mut lab = lab(&[&names]);
            lab.extensions.address_filter = Some(Arc::new(|address| address == HERE));
            if !pinned {
                (lab.config.dns.min_ttl, lab.config.dns.stale_for) = (Duration::ZERO, Duration::ZERO);
            }
            let outcomes = lab.fetch_all((0..2).map(|n| format!("{}{n}", url(&web))));
            if Verdict::of(&outcomes[0]) == FINE { Verdict::of(&outcomes[1]) } else { Verdict::of(&outcomes[0]) }
        })
    };
    vec![
        second("changes to a refused address between two requests, with a time to live of 0", FILTERED, false),
        second("the same, where answers are kept for 30 s at least (the default)", FINE, true),
    ]
}
