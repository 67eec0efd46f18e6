//! Connections that have been kept and are of no use any more, and peers that take few requests on one.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use haul::Client;
use haul::config::Config;
use haul::model::{FailureKind, Phase};
use http::Method;

use super::case::{Case, Group, Verdict, complete, failed};
use super::h2::{
    self, Conn, HTTP_1_1_REQUIRED, MAX_CONCURRENT_STREAMS, NO_ERROR, REFUSED_STREAM, goaway, hello, reset, together,
};
use super::lab::{Lab, SOON};
use super::peer::{Line, Peer, Step, play, read_head, read_request, send};
use super::tls_peer;
use haul_testsupport::certs::Authority;

const RETRYING: &str = "RFC 9112 §9.3.1";
const MISDIRECTED: &str = "RFC 9110 §15.5.20";
const RELIABILITY: &str = "RFC 9113 §8.7";
const GOING: &str = "RFC 9113 §6.8";
const CODE: &str = "RFC 9113 §7";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const FINE: Verdict = complete(200, 5);

pub(crate) fn group() -> Group {
    let cases = [dead(), worn(), hasty(), wrong_place(), old_protocol(), few_requests(), few_streams()];
    Group { title: "Kept connections, and peers that take few requests", cases: cases.into_iter().flatten().collect() }
}

/// What becomes of a kept connection at its next request.
#[derive(Clone, Copy)]
enum Death {
    Ends,
    Resets,
    Swallows,
}

fn dead() -> Vec<Case> {
    let deaths = [(Death::Ends, "end"), (Death::Resets, "are reset"), (Death::Swallows, "swallow it")];
    let mut cases = Vec::new();
    for (death, what) in deaths {
        for kept in [1, 8, 30] {
            let what = format!("of {kept} kept connections all {what} at their next request");
            cases.push(Case::new(what, RETRYING, FINE, move || of_many(kept, death, Method::GET)));
        }
    }
    cases.push(Case::new("the same of some over HTTP/2, which swallow it", RETRYING, FINE, of_many_h2));
    // It may have been acted on, and nobody but the user can say.
    cases.push(Case::new("of 8 kept connections all end at a POST", RETRYING, CLOSED, || {
        of_many(8, Death::Ends, Method::POST)
    }));
    cases
}

const CLOSED: Verdict = failed(Phase::Head, FailureKind::Closed);

/// Opens so many connections, and asks once more: over one of them, which dies, and over a new one. Nobody else is asked.
fn of_many(kept: usize, death: Death, method: Method) -> Verdict {
    let met = Arc::new(Barrier::new(kept));
    let peer = Peer::serving(move |mut stream, number| {
        if number >= kept {
            let _ = in_old_style(&mut stream);
            return;
        }
        let died = match death {
            Death::Ends => vec![Step::Request, Step::End],
            Death::Resets => vec![Step::Request, Step::Reset],
            Death::Swallows => vec![Step::Request, Step::Stall],
        };
        play(&mut stream, &[vec![Step::Request, Step::Meet(Arc::clone(&met)), send(OK)], died].concat());
    });
    then_once_more(&peer, kept, &method, || {}, |config| config.timeouts.first_byte = SOON * 2)
}

/// The same over HTTP/2: all connections that there are before the last request swallow it.
fn of_many_h2() -> Verdict {
    let old = Arc::new(AtomicUsize::new(0));
    let peer = {
        let old = Arc::clone(&old);
        h2::serve(move |conn| {
            conn.greet(&[(MAX_CONCURRENT_STREAMS, 1)])?;
            loop {
                let stream = conn.request()?;
                if conn.number < old.load(Ordering::SeqCst) {
                    return conn.stall();
                }
                thread::sleep(Duration::from_millis(20));
                conn.send(hello(stream))?;
            }
        })
    };
    let grow_old = || {
        assert!(peer.connections() > 1, "several are kept");
        old.store(peer.connections(), Ordering::SeqCst);
    };
    then_once_more(&peer, 8, &Method::GET, grow_old, |config| {
        config.network.http2_prior_knowledge = true;
        config.pool.max_h2_streams = 1;
        config.timeouts.first_byte = SOON * 2;
    })
}

/// Connections that are good for one request, though the server never says so.
fn worn() -> Vec<Case> {
    let second = |what: &str, after: Vec<Step>| {
        let what = format!("answers the first request of each connection, and to the second {what}, of 100 URLs");
        Case::new(what, RETRYING, complete(200, 500), move || {
            let script = [vec![Step::Request, send(OK), Step::Request], after].concat();
            let lab = Lab::new().with(|config| {
                config.limits.per_host = 8.try_into().expect("not zero");
                config.timeouts.first_byte = SOON * 2;
                // A time-out is nobody's but the request's, as far as anyone can tell.
                config.retries.retries = 2;
            });
            all_with(100 + 30, lab, &Peer::playing(script), 100)
        })
    };
    vec![
        second("says nothing", vec![Step::Stall]),
        second("sends an empty line and closes", vec![send("\r\n"), Step::End]),
        second("sends `100 Continue` and closes", vec![send("HTTP/1.1 100 Continue\r\n\r\n"), Step::End]),
        second("resets", vec![Step::Reset]),
    ]
}

/// What the last request comes to, if no more than one connection was opened for it.
fn then_once_more(
    peer: &Peer,
    first: usize,
    method: &Method,
    grow_old: impl FnOnce(),
    change: impl FnOnce(&mut Config),
) -> Verdict {
    let client = Client::builder().concurrency(1000).per_host(100).retries(1).config(|config| {
        config.limits.shards = 1;
        config.retries.backoff_base = Duration::from_millis(1);
        config.retries.outage = Duration::ZERO;
        change(config);
    });
    let client = client.build().expect("valid settings");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let gets = (0..first).map(|_| client.get(peer.url("/")).send());
        for answered in futures::future::join_all(gets).await {
            answered.expect("the first requests go well").bytes().await.expect("a body");
        }
        // Long enough that a connection is not taken for one that a server closes after each response.
        tokio::time::sleep(Duration::from_millis(150)).await;
        grow_old();
        let before = peer.connections();
        let verdict = match client.request(method.clone(), peer.url("/")).send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                Verdict::Complete { status, bytes: response.bytes().await.map_or(0, |body| body.len() as u64) }
            }
            Err(error) => Verdict::Failed { phase: error.phase(), kind: error.kind() },
        };
        if method.is_idempotent() {
            // Those that were as old as the dead one are not asked any more.
            assert!(peer.connections() <= before + 1, "one that is new is enough");
            let both = [(); 2].map(|()| client.get(peer.url("/")).send());
            for next in futures::future::join_all(both).await {
                assert_eq!(next.expect("fine").attempts(), 1, "a sibling was asked, and is as dead");
            }
        }
        verdict
    })
}

/// The run's URLs are POSTs, of which none is sent twice.
fn posts(config: &mut Config) {
    config.request.method = Method::POST;
    config.request.body = Some("x".into());
    config.limits.per_host = 8.try_into().expect("not zero");
}

/// All of so many URLs of the peer: the bytes together, or the first failure.
fn all_of(lab: Lab, peer: &Peer, count: usize) -> Verdict {
    together(lab.fetch_all((0..count).map(|n| peer.url(&format!("/{n}")))))
}

/// The same, and that it took no more than so many attempts.
fn all_with(most: u32, lab: Lab, peer: &Peer, count: usize) -> Verdict {
    let outcomes = lab.fetch_all((0..count).map(|n| peer.url(&format!("/{n}"))));
    let attempts: u32 = outcomes.iter().map(|outcome| outcome.attempts).sum();
    assert!(attempts <= most, "{attempts} attempts");
    together(outcomes)
}

fn hasty() -> Vec<Case> {
    let hasty = |what: &str, head: &'static str| {
        Case::new(what, RETRYING, complete(200, 500), move || {
            let answer = format!("{head}\r\nContent-Length: 5\r\n\r\nhello");
            let peer = Peer::playing(vec![Step::Request, send(answer), Step::Drop]);
            all_of(Lab::new().with(posts), &peer, 100)
        })
    };
    vec![
        hasty("closes after each response to 100 POSTs, eight at once, and does not say so", "HTTP/1.1 200 OK"),
        hasty("the same over HTTP/1.0", "HTTP/1.0 200 OK"),
        Case::new("the same to GETs", RETRYING, complete(200, 500), || {
            let peer = Peer::playing(vec![Step::Request, send(OK), Step::Drop]);
            let lab = Lab::new().with(|config| config.limits.per_host = 8.try_into().expect("not zero"));
            all_of(lab, &peer, 100)
        }),
        Case::new("POSTs to a server that keeps connections use them again", RETRYING, complete(200, 1500), || {
            let peer = Peer::playing((0..400).flat_map(|_| [Step::Request, send(OK)]).collect());
            let verdict = all_of(Lab::new().with(posts), &peer, 300);
            assert!(peer.connections() < 150, "{} connections", peer.connections());
            verdict
        }),
        Case::new("the same, and it promises to", "RFC 9112 §9.3", complete(200, 1500), || {
            let promise = "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello";
            let peer = Peer::playing((0..400).flat_map(|_| [Step::Request, send(promise)]).collect());
            let verdict = all_of(Lab::new().with(posts), &peer, 300);
            assert!(peer.connections() <= 8, "{} connections", peer.connections());
            verdict
        }),
        Case::new("closes at every 20th URL, and keeps connections otherwise", RETRYING, complete(200, 950), || {
            let peer = Peer::serving(|mut stream, _| {
                while let Ok(Some(head)) = read_head(&mut stream) {
                    if head.contains("/bad ") || stream.write_all(OK.as_bytes()).is_err() {
                        return;
                    }
                }
            });
            let lab = Lab::new().with(|config| {
                config.limits.per_host = 8.try_into().expect("not zero");
                config.retries.dead_after = 0;
            });
            let url = |n: usize| peer.url(&if n.is_multiple_of(20) { "/bad".to_owned() } else { format!("/{n}") });
            let outcomes = lab.fetch_all((1..=200).map(url));
            let (bad, good) =
                outcomes.into_iter().partition::<Vec<_>, _>(|outcome| outcome.job.url.as_str().ends_with("/bad"));
            assert!(bad.iter().all(|outcome| Verdict::of(outcome) == CLOSED && outcome.attempts <= 2));
            // Two for each that is closed, and it is soon known that the others are not to blame.
            assert!(peer.connections() <= 8 + 2 * 10 + 10, "{} connections", peer.connections());
            together(good)
        }),
        Case::new("408 to a GET on a kept connection, and closes", "RFC 9110 §15.5.9", FINE, || {
            let late = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let peer = Peer::playing(vec![Step::Request, send(OK), Step::Request, send(late)]);
            Verdict::of(&Lab::new().fetch_in_turn([peer.url("/a"), peer.url("/b")])[1])
        }),
    ]
}

fn wrong_place() -> Vec<Case> {
    const WRONG: &str = "HTTP/1.1 421 Misdirected Request\r\nContent-Length: 5\r\n\r\nwrong";
    let second = |what: &str, expected, method: Method, scripts: Vec<Vec<Step>>| {
        Case::new(what, MISDIRECTED, expected, move || {
            let connections = scripts.len();
            let peer = Peer::playing_each(scripts);
            let lab = Lab::new().with(|config| config.request.method = method);
            let verdict = Verdict::of(&lab.fetch_in_turn([peer.url("/a"), peer.url("/b")])[1]);
            assert_eq!(peer.connections(), connections);
            verdict
        })
    };
    let kept = || vec![Step::Request, send(OK), Step::Request, send(WRONG), Step::Request, send(WRONG)];
    vec![
        second(
            "421 on a kept connection, then answers on a new one",
            FINE,
            Method::GET,
            vec![kept(), vec![Step::Request, send(OK)]],
        ),
        second(
            "421 on a kept connection, and on a new one",
            complete(421, 5),
            Method::GET,
            vec![kept(), vec![Step::Request, send(WRONG)]],
        ),
        Case::new(
            "421 to all but the first request of each connection, of 100 URLs",
            MISDIRECTED,
            complete(200, 500),
            || {
                let wrong = (0..100).flat_map(|_| [Step::Request, send(WRONG)]);
                let script = [Step::Request, send(OK)].into_iter().chain(wrong).collect();
                all_with(100 + 15, Lab::new(), &Peer::playing(script), 100)
            },
        ),
        Case::new("421 on a new connection", MISDIRECTED, complete(421, 5), move || {
            let peer = Peer::playing(vec![Step::Request, send(WRONG), Step::Request, send(OK)]);
            Lab::new().fetch(peer.url("/"))
        }),
        Case::new("421 to a POST on a kept connection, then answers on a new one", MISDIRECTED, FINE, move || {
            let peer = Peer::playing_each(vec![kept(), vec![Step::Request, send(OK)]]);
            let lab = Lab::new().with(|config| config.retries.retries = 0);
            let client = Client::builder().config(|config| *config = lab.config).build().expect("valid settings");
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                client.get(peer.url("/")).send().await.expect("fine").bytes().await.expect("a body");
                tokio::time::sleep(Duration::from_millis(100)).await;
                let response = client.post(peer.url("/")).body("x").send().await.expect("an answer");
                Verdict::Complete {
                    status: response.status().as_u16(),
                    bytes: response.bytes().await.expect("a body").len() as u64,
                }
            })
        }),
        Case::new("over HTTP/2 421 on the second stream, then answers on a new connection", MISDIRECTED, FINE, || {
            let peer = h2::serve(|conn| {
                conn.greet(&[])?;
                for stream in 0.. {
                    let id = conn.request()?;
                    if conn.number == 0 && stream > 0 {
                        let head =
                            h2::frame(h2::HEADERS, h2::END_HEADERS | h2::END_STREAM, id, h2::field(":status", "421"));
                        conn.send(head)?;
                    } else {
                        conn.send(hello(id))?;
                    }
                }
                Ok(())
            });
            Verdict::of(&h2::lab().fetch_in_turn([peer.url("/a"), peer.url("/b")])[1])
        }),
    ]
}

/// Answers one request after the other over HTTP/1.1.
fn in_old_style(line: &mut impl Line) -> io::Result<()> {
    while read_request(line)? {
        line.write_all(OK.as_bytes())?;
        line.flush()?;
    }
    Ok(())
}

/// The first connection speaks HTTP/2 and is sent these bytes in answer to its first request; the others speak HTTP/1.1.
fn turning_back(bytes: Vec<u8>) -> Peer {
    Peer::serving(move |mut stream: TcpStream, number| {
        if number > 0 {
            let _ = in_old_style(&mut stream);
            return;
        }
        let bytes = bytes.clone();
        h2::play(Box::new(stream), number, &move |conn: &mut Conn| {
            conn.greet(&[])?;
            conn.request()?;
            conn.send(&bytes)
        });
    })
}

fn old_protocol() -> Vec<Case> {
    let back = |what: &str, count: u64, change: fn(&mut Config), bytes: Vec<u8>| {
        Case::new(what, CODE, complete(200, 5 * count), move || {
            let peer = turning_back(bytes);
            all_of(h2::lab().with(change), &peer, usize::try_from(count).expect("few"))
        })
    };
    let code = HTTP_1_1_REQUIRED;
    vec![
        back("resets the stream with HTTP_1_1_REQUIRED, then speaks HTTP/1.1", 1, |_| {}, reset(1, code)),
        back("leaves with HTTP_1_1_REQUIRED, then speaks HTTP/1.1", 1, |_| {}, goaway(0, code)),
        back("the same, and says that it has seen the request", 1, |_| {}, goaway(1, code)),
        back("resets a POST's stream with HTTP_1_1_REQUIRED, then speaks HTTP/1.1", 1, posts, reset(1, code)),
        back("the same to the first of 20 URLs, of which the others use HTTP/1.1 too", 20, |_| {}, reset(1, code)),
        Case::new(
            "resets every stream with HTTP_1_1_REQUIRED over TLS, where HTTP/2 is offered",
            CODE,
            complete(200, 100),
            || {
                let authority = Authority::new();
                let leaf = authority.issue(&[tls_peer::NAME], |_| {});
                let config = Arc::new(tls_peer::config(&leaf, &[&rustls::version::TLS13], &["h2", "http/1.1"]));
                let newer = Arc::new(AtomicUsize::new(0));
                let peer = {
                    let newer = Arc::clone(&newer);
                    Peer::serving(move |tcp, number| {
                        let connection = rustls::ServerConnection::new(Arc::clone(&config)).expect("valid");
                        let mut line = rustls::StreamOwned::new(connection, tcp);
                        if line.conn.complete_io(&mut line.sock).is_err() {
                            return;
                        }
                        if line.conn.alpn_protocol() != Some(b"h2") {
                            let _ = in_old_style(&mut line);
                            return;
                        }
                        newer.fetch_add(1, Ordering::SeqCst);
                        h2::play(Box::new(line), number, &|conn: &mut Conn| {
                            conn.greet(&[])?;
                            loop {
                                let stream = conn.request()?;
                                conn.send(reset(stream, HTTP_1_1_REQUIRED))?;
                            }
                        });
                    })
                };
                let lab = tls_peer::lab(&authority, &peer)
                    .with(|config| config.limits.per_host = 8.try_into().expect("not zero"));
                let verdict = together(lab.fetch_all((0..20).map(|n| tls_peer::url(&peer, &format!("/{n}")))));
                assert_eq!(newer.load(Ordering::SeqCst), 1, "it is asked over HTTP/2 once");
                verdict
            },
        ),
    ]
}

/// A peer that takes so many requests a connection, leaves, and answers each of those a while after it has come.
fn taking(requests: usize, after: Duration, code: u32) -> Peer {
    h2::serve(move |conn| {
        conn.greet(&[(MAX_CONCURRENT_STREAMS, 100)])?;
        let line = Arc::new(Mutex::new(conn.tcp().try_clone()?));
        let answers = (0..requests).map(|taken| {
            let stream = conn.request()?;
            let last = if taken + 1 == requests { goaway(stream, code) } else { Vec::new() };
            line.lock().expect("lock").write_all(&last)?;
            let line = Arc::clone(&line);
            Ok(thread::spawn(move || {
                thread::sleep(after);
                line.lock().expect("lock").write_all(&hello(stream))
            }))
        });
        for answer in answers.collect::<io::Result<Vec<_>>>()? {
            answer.join().expect("no panic")?;
        }
        conn.end()
    })
}

fn few_requests() -> Vec<Case> {
    let many = |config: &mut Config| config.limits.per_host = 50.try_into().expect("not zero");
    let mut cases = Vec::new();
    for requests in [1, 3, 10] {
        let what = format!("leaves after every {requests} requests, of 300 URLs, 50 at once");
        cases.push(Case::new(what, GOING, complete(200, 1500), move || {
            let peer = taking(requests, Duration::ZERO, NO_ERROR);
            all_with(300 + 150, h2::lab().with(many), &peer, 300)
        }));
    }
    cases.push(Case::new("the same after 3, with answers that take a while", GOING, complete(200, 450), move || {
        all_of(h2::lab().with(many), &taking(3, Duration::from_millis(300), NO_ERROR), 90)
    }));
    cases.push(Case::new("the same after 3, with INTERNAL_ERROR", GOING, complete(200, 450), move || {
        all_of(h2::lab().with(many), &taking(3, Duration::ZERO, h2::INTERNAL_ERROR), 90)
    }));
    cases.push(Case::new(
        "ends after every 3 requests and does not say so, of 300 URLs, 50 at once",
        RETRYING,
        complete(200, 1500),
        move || {
            let peer = ending_after(3);
            let verdict = all_of(h2::lab().with(many), &peer, 300);
            assert!(peer.connections() < 200, "{} connections", peer.connections());
            verdict
        },
    ));
    cases.push(Case::new(
        "leaves after every 3 requests and closes with others unread, of 90 POSTs, 20 at once",
        GOING,
        complete(200, 450),
        || {
            let peer = h2::serve(|conn| {
                conn.greet(&[(MAX_CONCURRENT_STREAMS, 100)])?;
                let mut last = 0;
                for _ in 0..3 {
                    last = conn.request()?;
                    conn.send(hello(last))?;
                }
                conn.send(goaway(last, NO_ERROR))?;
                // The others' requests have come: the system answers them with a reset.
                thread::sleep(Duration::from_millis(30));
                Err(io::ErrorKind::ConnectionAborted.into())
            });
            let lab = h2::lab().with(posts).with(|config| config.limits.per_host = 20.try_into().expect("not zero"));
            all_of(lab, &peer, 90)
        },
    ));
    cases.push(Case::new("the same after 3, to POSTs", GOING, complete(200, 450), move || {
        all_of(h2::lab().with(posts).with(many), &taking(3, Duration::ZERO, NO_ERROR), 90)
    }));
    cases
}

/// A peer that answers so many requests a connection and ends it without a word.
fn ending_after(requests: usize) -> Peer {
    h2::serve(move |conn| {
        conn.greet(&[(MAX_CONCURRENT_STREAMS, 100)])?;
        for _ in 0..requests {
            let stream = conn.request()?;
            conn.send(hello(stream))?;
        }
        conn.end()
    })
}

/// A run over 300 URLs against a peer that never gets anything done: how it ends, and that it is asked no more than so often.
fn in_vain(answer: fn(u32) -> Vec<u8>, most: usize) -> Verdict {
    let asked = Arc::new(AtomicUsize::new(0));
    let peer = {
        let asked = Arc::clone(&asked);
        h2::serve(move |conn| {
            conn.greet(&[(MAX_CONCURRENT_STREAMS, 100)])?;
            loop {
                let stream = conn.request()?;
                asked.fetch_add(1, Ordering::SeqCst);
                conn.send(answer(stream))?;
            }
        })
    };
    let lab = h2::lab().with(|config| {
        config.limits.per_host = 50.try_into().expect("not zero");
        config.retries.outage = Duration::ZERO;
    });
    let outcomes = lab.fetch_all((0..300).map(|n| peer.url(&format!("/{n}"))));
    let asked = asked.load(Ordering::SeqCst);
    assert!(asked <= most, "asked {asked} times");
    Verdict::of(&outcomes[0])
}

/// A peer that refuses streams, by the number of the connection and how many it has taken on it, and never leaves.
fn refusing(refuses: impl Fn(usize, usize) -> bool + Send + Sync + 'static) -> Peer {
    h2::serve(move |conn| {
        conn.greet(&[(MAX_CONCURRENT_STREAMS, 100)])?;
        for taken in 0.. {
            let stream = conn.request()?;
            conn.send(if refuses(conn.number, taken) { reset(stream, REFUSED_STREAM) } else { hello(stream) })?;
        }
        Ok(())
    })
}

fn few_streams() -> Vec<Case> {
    let many = |config: &mut Config| config.limits.per_host = 50.try_into().expect("not zero");
    vec![
        Case::new("allows 100 streams and refuses all over 5", RELIABILITY, complete(200, 1500), move || {
            let peer = h2::serve(|conn| {
                conn.greet(&[(MAX_CONCURRENT_STREAMS, 100)])?;
                let line = Arc::new(Mutex::new(conn.tcp().try_clone()?));
                let taken = Arc::new(AtomicUsize::new(0));
                loop {
                    let stream = conn.request()?;
                    if taken.fetch_add(1, Ordering::SeqCst) >= 5 {
                        taken.fetch_sub(1, Ordering::SeqCst);
                        line.lock().expect("lock").write_all(&reset(stream, REFUSED_STREAM))?;
                        continue;
                    }
                    let (line, taken) = (Arc::clone(&line), Arc::clone(&taken));
                    thread::spawn(move || {
                        thread::sleep(Duration::from_millis(40));
                        taken.fetch_sub(1, Ordering::SeqCst);
                        let _ = line.lock().expect("lock").write_all(&hello(stream));
                    });
                }
            });
            all_of(h2::lab().with(many), &peer, 300)
        }),
        Case::new("refuses every stream of its first connection", RELIABILITY, FINE, || {
            let peer = refusing(|conn, _| conn == 0);
            h2::lab().with(|config| config.retries.retries = 0).fetch(peer.url("/"))
        }),
        Case::new(
            "takes 3 requests a connection and refuses the rest, of 60 POSTs",
            RELIABILITY,
            complete(200, 300),
            || {
                let peer = refusing(|_, taken| taken >= 3);
                all_of(h2::lab().with(posts).with(|config| config.retries.retries = 0), &peer, 60)
            },
        ),
        Case::new("refuses every stream of 300 URLs", RELIABILITY, CLOSED, || {
            // Four times each, and once more while the connection seemed to take others in its stead.
            in_vain(|stream| reset(stream, REFUSED_STREAM), 6 * 300)
        }),
        Case::new("leaves before every stream of 300 URLs", RELIABILITY, CLOSED, || {
            in_vain(|_| goaway(0, NO_ERROR), 4 * 300)
        }),
        Case::new(
            "refuses one URL of 200 every time, and is asked for it so often that it can be foreseen",
            RELIABILITY,
            CLOSED,
            || {
                let asked = Arc::new(Mutex::new(0));
                let peer = {
                    let asked = Arc::clone(&asked);
                    h2::serve(move |conn| {
                        conn.greet(&[(MAX_CONCURRENT_STREAMS, 100)])?;
                        loop {
                            let head = conn.until(|frame| frame.is(h2::HEADERS, h2::END_HEADERS))?;
                            // The one with the long path.
                            if head.payload.len() > 100 {
                                *asked.lock().expect("lock") += 1;
                                conn.send(reset(head.stream, REFUSED_STREAM))?;
                            } else {
                                conn.send(hello(head.stream))?;
                            }
                        }
                    })
                };
                let others = (0..199).map(|n| peer.url(&format!("/{n}")));
                let urls = std::iter::once(peer.url(&format!("/{}", "x".repeat(300)))).chain(others);
                let lab = h2::lab().with(|config| config.limits.per_host = 8.try_into().expect("not zero"));
                let mut outcomes = lab.fetch_all(urls);
                let refused = outcomes.remove(0);
                assert_eq!(together(outcomes), complete(200, 199 * 5));
                let asked = *asked.lock().expect("lock");
                // 64, the logarithm of the answers, the first, and three in a row without an answer in between.
                assert!(asked <= 64 + 8 + 1 + 3, "asked {asked} times");
                Verdict::of(&refused)
            },
        ),
    ]
}
