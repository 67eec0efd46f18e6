//! Content codings: corrupt, cut, wrongly announced, several in a row, and bombs.

use std::io::{self, Read, Write};

use async_compression::Level;
use async_compression::tokio::bufread::BrotliEncoder;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use haul::config::Config;
use haul::model::{FailureKind, Phase};
use tokio::io::AsyncReadExt;

use super::case::{Case, Group, Verdict, complete, failed};
use super::lab::Lab;
use super::peer::{Peer, Step};

const CORRUPT: Verdict = failed(Phase::Decode, FailureKind::Corrupt);
const CUT: Verdict = failed(Phase::Decode, FailureKind::Truncated);
const TOO_LARGE: Verdict = failed(Phase::Decode, FailureKind::TooLarge);
const BOMB: Verdict = failed(Phase::Decode, FailureKind::ExpansionRatio);
const MIB: usize = 1 << 20;

pub(crate) fn group() -> Group {
    let cases = [announced(), gzip_damage(), other_damage(), after_the_end(), everywhere(), bombs(), caps()];
    Group { title: "Content codings", cases: cases.into_iter().flatten().collect() }
}

type Encode = fn(&[u8]) -> Vec<u8>;

const CODINGS: [(&str, &str, Encode); 5] = [
    ("gzip", "gzip", gzip),
    ("deflate as zlib", "deflate", zlib),
    ("raw deflate", "deflate", deflate),
    ("br", "br", brotli),
    ("zstd", "zstd", zstd),
];

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut to = GzEncoder::new(Vec::new(), Compression::default());
    to.write_all(data).and_then(|()| to.finish()).expect("in memory")
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut to = ZlibEncoder::new(Vec::new(), Compression::default());
    to.write_all(data).and_then(|()| to.finish()).expect("in memory")
}

fn deflate(data: &[u8]) -> Vec<u8> {
    let mut to = DeflateEncoder::new(Vec::new(), Compression::default());
    to.write_all(data).and_then(|()| to.finish()).expect("in memory")
}

fn brotli(data: &[u8]) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut coded = Vec::new();
    runtime.block_on(BrotliEncoder::with_quality(data, Level::Fastest).read_to_end(&mut coded)).expect("in memory");
    coded
}

/// With a checksum.
fn zstd(data: &[u8]) -> Vec<u8> {
    zstd_with(data, |to| to.include_checksum(true))
}

fn zstd_with(mut data: impl Read, set: impl FnOnce(&mut zstd::Encoder<'static, Vec<u8>>) -> io::Result<()>) -> Vec<u8> {
    let mut to = zstd::Encoder::new(Vec::new(), 1).expect("a valid level");
    set(&mut to).expect("a valid setting");
    io::copy(&mut data, &mut to).and_then(|_| to.finish()).expect("in memory")
}

/// A text of this length that shrinks to about a quarter.
fn text(length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    (0..length).map(|_| b"etaoin shrdlu"[random.usize(..6)]).collect()
}

fn altered(mut bytes: Vec<u8>, alter: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    alter(&mut bytes);
    bytes
}

fn fetch(head: &str, body: &[u8], change: impl FnOnce(&mut Config)) -> Verdict {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{head}\r\n", body.len());
    let peer = Peer::playing(vec![Step::Request, Step::Send([head.as_bytes(), body].concat())]);
    Lab::new().with(change).fetch(peer.url("/"))
}

/// A body that comes whole and is announced as coded like this.
fn coded(what: impl Into<String>, rule: &'static str, expected: Verdict, coding: &str, body: Vec<u8>) -> Case {
    coded_with(what, rule, expected, coding, body, |_| {})
}

fn coded_with(
    what: impl Into<String>,
    rule: &'static str,
    expected: Verdict,
    coding: &str,
    body: Vec<u8>,
    change: impl FnOnce(&mut Config) + Send + 'static,
) -> Case {
    let head = format!("Content-Encoding: {coding}\r\n");
    Case::new(what, rule, expected, move || fetch(&head, &body, change))
}

fn announced() -> Vec<Case> {
    const RULE: &str = "RFC 9110 §8.4";
    const LENGTH: usize = 40_000;
    let body = || text(LENGTH);
    let whole = complete(200, LENGTH as u64);
    let as_sent = |bytes: &[u8]| complete(200, bytes.len() as u64);
    let gz = gzip(&body());
    let mut cases: Vec<Case> = CODINGS
        .iter()
        .map(|(name, coding, encode)| coded(format!("codes by {name}"), RULE, whole, coding, encode(&body())))
        .collect();
    cases.extend(CODINGS.iter().map(|(name, coding, _)| {
        coded(format!("says {name} and sends no byte"), RULE, complete(200, 0), coding, Vec::new())
    }));
    cases.extend([
        coded("codes by x-gzip", "RFC 9110 §8.4.1.3", whole, "x-gzip", gz.clone()),
        coded("writes GZIP", "RFC 9110 §8.4.1", whole, "GZIP", gz.clone()),
        coded("says identity", "RFC 9110 §8.4.1", whole, "identity", body()),
        coded("says nothing of the coding", RULE, as_sent(&gz), "", gz.clone()),
        coded("says a coding nobody knows", RULE, whole, "sdch", body()),
        coded("says gzip and one nobody knows", RULE, as_sent(&gz), "gzip, sdch", gz.clone()),
        coded("codes by gzip, then by br", RULE, whole, "gzip, br", brotli(&gz)),
        coded("codes by deflate, gzip and zstd", RULE, whole, "deflate, gzip, zstd", zstd(&gzip(&zlib(&body())))),
        coded("codes by gzip twice", RULE, whole, "gzip, gzip", gzip(&gz)),
        coded(
            "codes by gzip and br, each in a header of its own",
            RULE,
            whole,
            "gzip\r\nContent-Encoding: br",
            brotli(&gz),
        ),
        coded("says gzip twice, codes once", RULE, CORRUPT, "gzip, gzip", gz.clone()),
        coded("codes by br, then by gzip, says it the other way round", RULE, CORRUPT, "br, gzip", brotli(&gz)),
        coded("says four codings", RULE, CORRUPT, "gzip, gzip, gzip, gzip", gzip(&gzip(&gzip(&gz)))),
        coded("says gzip a thousand times", RULE, CORRUPT, &vec!["gzip"; 1000].join(","), gz.clone()),
        coded("says gzip, sends text", RULE, CORRUPT, "gzip", body()),
        coded("says deflate, sends gzip", RULE, CORRUPT, "deflate", gz.clone()),
        coded("says zstd, sends gzip", RULE, CORRUPT, "zstd", gz.clone()),
        coded("says br, sends gzip", RULE, CORRUPT, "br", gz),
    ]);
    cases
}

fn gzip_damage() -> Vec<Case> {
    const RULE: &str = "RFC 1952 §2.3";
    let body = text(20_000);
    let damaged = |what: &str, expected, alter: &dyn Fn(&mut Vec<u8>)| {
        coded(format!("gzip: {what}"), RULE, expected, "gzip", altered(gzip(&body), alter))
    };
    let with_flag = |flag: u8, extra: &'static [u8]| {
        move |bytes: &mut Vec<u8>| {
            bytes[3] |= flag;
            bytes.splice(10..10, extra.iter().copied());
        }
    };
    let whole = complete(200, 20_000);
    vec![
        damaged("a wrong first byte", CORRUPT, &|bytes| bytes[0] = 0),
        damaged("a method that is not deflate", CORRUPT, &|bytes| bytes[2] = 7),
        damaged("flags that are reserved", CORRUPT, &|bytes| bytes[3] |= 0x80),
        damaged("a byte of the middle changed", CORRUPT, &|bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0xff;
        }),
        damaged("a wrong checksum", CORRUPT, &|bytes| {
            let at = bytes.len() - 8;
            bytes[at] ^= 1;
        }),
        damaged("a wrong length", CORRUPT, &|bytes| {
            let at = bytes.len() - 4;
            bytes[at] ^= 1;
        }),
        damaged("without checksum and length", CUT, &|bytes| bytes.truncate(bytes.len() - 8)),
        damaged("cut after the first byte", CUT, &|bytes| bytes.truncate(1)),
        damaged("cut after the header", CUT, &|bytes| bytes.truncate(10)),
        damaged("cut in the middle", CUT, &|bytes| bytes.truncate(bytes.len() / 2)),
        damaged("with a name, a comment and an extra field", whole, &with_flag(0x1c, b"\x03\0abcname\0comment\0")),
        damaged("with a wrong checksum of its header", CORRUPT, &with_flag(0x02, b"\0\0")),
        damaged("a name that never ends", CUT, &|bytes| {
            bytes[3] |= 8;
            bytes.truncate(10);
            bytes.extend([b'x'; 100_000]);
        }),
        damaged("an extra field longer than the body", CUT, &|bytes| {
            bytes[3] |= 4;
            bytes.truncate(10);
            bytes.extend([0xff, 0xff, 0]);
        }),
    ]
}

fn other_damage() -> Vec<Case> {
    let body = text(20_000);
    let flip = |at: fn(usize) -> usize| {
        move |bytes: &mut Vec<u8>| {
            let at = at(bytes.len());
            bytes[at] ^= 0xff;
        }
    };
    let skippable =
        |length: u32, bytes: usize| [&[0x50, 0x2a, 0x4d, 0x18][..], &length.to_le_bytes(), &vec![0; bytes]].concat();
    let whole = complete(200, 20_000);
    let windowed = |log| zstd_with(&body[..], |to| to.window_log(log).and_then(|()| to.long_distance_matching(true)));
    let mut cases = vec![
        coded("zlib: a wrong checksum", "RFC 1950 §2.2", CORRUPT, "deflate", altered(zlib(&body), flip(|len| len - 1))),
        coded("zlib: a preset dictionary", "RFC 1950 §2.2", CORRUPT, "deflate", vec![0x78, 0xbb, 0, 0, 0, 1, 3, 0]),
        coded(
            "raw deflate: a block of the reserved type",
            "RFC 1951 §3.2.3",
            CORRUPT,
            "deflate",
            vec![0x07, 0xff, 0, 0],
        ),
        coded(
            "raw deflate: stored lengths that disagree",
            "RFC 1951 §3.2.4",
            CORRUPT,
            "deflate",
            vec![1, 5, 0, 5, 0, 1, 2],
        ),
        coded("br: random bytes", "RFC 7932 §9", CORRUPT, "br", vec![0xde; 100]),
        coded("br: a large window, which HTTP does not have", "RFC 7932 §9.1", CORRUPT, "br", vec![0x11, 0x3e, 3, 3]),
        coded("zstd: a wrong checksum", "RFC 8878 §3.1.1", CORRUPT, "zstd", altered(zstd(&body), flip(|len| len - 1))),
        coded(
            "zstd: a block of the reserved type",
            "RFC 8878 §3.1.1.2",
            CORRUPT,
            "zstd",
            [&zstd(b"")[..5], &[0, 7, 0, 0]].concat(),
        ),
        coded("zstd: a window of 8 MiB", "RFC 9659 §3", whole, "zstd", windowed(23)),
        coded("zstd: a window of 16 MiB", "RFC 9659 §3", CORRUPT, "zstd", windowed(24)),
        coded("zstd: a window of 128 MiB", "RFC 9659 §3", CORRUPT, "zstd", windowed(27)),
        coded(
            "zstd: a window of 3.75 TiB",
            "RFC 9659 §3",
            CORRUPT,
            "zstd",
            vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0xff, 1, 0, 0],
        ),
        coded(
            "zstd: needs a dictionary",
            "RFC 8878 §3.1.1.1.3",
            CORRUPT,
            "zstd",
            vec![0x28, 0xb5, 0x2f, 0xfd, 0x21, 7, 0, 1, 0, 0],
        ),
        coded(
            "zstd: skips ten bytes first",
            "RFC 8878 §3.1.2",
            whole,
            "zstd",
            [skippable(10, 10), zstd(&body)].concat(),
        ),
        coded(
            "zstd: skips ten bytes after",
            "RFC 8878 §3.1.2",
            whole,
            "zstd",
            [zstd(&body), skippable(10, 10)].concat(),
        ),
        coded("zstd: nothing but skipped bytes", "RFC 8878 §3.1.2", complete(200, 0), "zstd", skippable(10, 10)),
        coded("zstd: says to skip 4 GiB", "RFC 8878 §3.1.2", CUT, "zstd", skippable(u32::MAX, 10)),
    ];
    for (name, coding, encode) in CODINGS.iter().skip(1) {
        let halved = altered(encode(&body), |bytes| bytes.truncate(bytes.len() / 2));
        cases.push(coded(format!("{name}: cut in the middle"), "", CUT, coding, halved));
        // Raw deflate and brotli have no checksum: a changed byte may go unseen.
        if !matches!(*name, "raw deflate" | "br") {
            let changed = altered(encode(&body), flip(|len| len / 2));
            let case = coded(format!("{name}: a byte of the middle changed"), "", CORRUPT, coding, changed);
            cases.push(case);
        }
    }
    cases
}

fn after_the_end() -> Vec<Case> {
    const RULE: &str = "RFC 1952 §2.2";
    let body = text(20_000);
    let (whole, twice) = (complete(200, 20_000), complete(200, 40_000));
    let then = |encode: Encode, more: &[u8]| [&encode(&body), more].concat();
    let gz = gzip(&body);
    vec![
        coded("gzip: zeros after the end", RULE, whole, "gzip", then(gzip, &[0; 500])),
        coded("gzip: text after the end", RULE, whole, "gzip", then(gzip, b"<!-- served in 3 ms -->")),
        coded("gzip: a second member", RULE, twice, "gzip", then(gzip, &gz)),
        coded("gzip: a second member, empty", RULE, whole, "gzip", then(gzip, &gzip(b""))),
        coded("gzip: a thousand empty members", RULE, complete(200, 0), "gzip", gzip(b"").repeat(1000)),
        coded("gzip: a second member, cut", RULE, CUT, "gzip", then(gzip, &gz[..gz.len() / 2])),
        coded(
            "gzip: a second member with a wrong checksum",
            RULE,
            CORRUPT,
            "gzip",
            then(
                gzip,
                &altered(gz.clone(), |bytes| {
                    let at = bytes.len() - 8;
                    bytes[at] ^= 1;
                }),
            ),
        ),
        coded("gzip: a second member's first byte", RULE, CUT, "gzip", then(gzip, &[0x1f])),
        coded("zstd: a second frame", "RFC 8878 §3.1", twice, "zstd", then(zstd, &zstd(&body))),
        coded("zstd: text after the end", "RFC 8878 §3.1", whole, "zstd", then(zstd, b"text")),
        coded("zlib: text after the end", "RFC 1950 §2.2", whole, "deflate", then(zlib, b"text")),
        coded("br: text after the end", "RFC 7932 §9", whole, "br", then(brotli, b"text")),
    ]
}

/// Each coding cut at every byte, and in two chunks that meet at every byte.
fn everywhere() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, coding, encode) in CODINGS {
        let coded = encode(&text(600));
        let (head, bytes) = (format!("Content-Encoding: {coding}\r\n"), coded.clone());
        let what = format!("{name}: cut at every byte but the first, {} times", coded.len() - 1);
        cases.push(Case::new(what, "", CUT, move || {
            first_other(CUT, (1..bytes.len()).map(|at| fetch(&head, &bytes[..at], |_| {})))
        }));
        let what = format!("{name}: in two chunks that meet at every byte, {} times", coded.len() - 1);
        let whole = complete(200, 600);
        cases.push(Case::new(what, "", whole, move || {
            first_other(whole, (1..coded.len()).map(|at| fetch_chunks(coding, &coded[..at], &coded[at..])))
        }));
    }
    cases
}

/// The first verdict that is not as expected, or the expected one.
fn first_other(expected: Verdict, verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    verdicts.into_iter().find(|verdict| *verdict != expected).unwrap_or(expected)
}

fn fetch_chunks(coding: &str, first: &[u8], second: &[u8]) -> Verdict {
    let head = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: {coding}\r\n\r\n");
    let chunk = |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    let answer = [head.into_bytes(), chunk(first), chunk(second), chunk(&[])].concat();
    let peer = Peer::playing(vec![Step::Request, Step::Send(answer)]);
    Lab::new().fetch(peer.url("/"))
}

fn bombs() -> Vec<Case> {
    const RULE: &str = "RFC 9110 §17.6";
    let zeros = vec![0; 20 * MIB];
    let off = |config: &mut Config| config.body.max_ratio = u32::MAX;
    let mut cases: Vec<Case> = CODINGS
        .iter()
        .map(|(name, coding, encode)| coded(format!("{name}: 20 MiB of zeros"), RULE, BOMB, coding, encode(&zeros)))
        .collect();
    cases.extend(CODINGS.iter().map(|(name, coding, encode)| {
        let what = format!("{name}: 20 MiB of zeros, where any ratio is allowed but 8 MiB decoded");
        coded_with(what, RULE, TOO_LARGE, coding, encode(&zeros), move |config| {
            off(config);
            config.body.max_decoded = 8 << 20;
        })
    }));
    let gz = gzip(&zeros);
    cases.extend([
        coded("gzip in gzip: 20 MiB of zeros", RULE, BOMB, "gzip, gzip", gzip(&gz)),
        coded("gzip in br: 20 MiB of zeros", RULE, BOMB, "gzip, br", brotli(&gz)),
        coded("br in gzip: 20 MiB of zeros", RULE, BOMB, "br, gzip", gzip(&brotli(&zeros))),
        coded("zstd in gzip in br: 20 MiB of zeros", RULE, BOMB, "zstd, gzip, br", brotli(&gzip(&zstd(&zeros)))),
        coded(
            "br in gzip: 20 MiB in between that br would skip over",
            RULE,
            BOMB,
            "br, gzip",
            gzip(&[brotli(b"small"), zeros.clone()].concat()),
        ),
        coded("gzip: 20 MiB of zeros in a thousand members", RULE, BOMB, "gzip", gzip(&zeros[..20 << 10]).repeat(1000)),
    ]);
    cases
}

fn caps() -> Vec<Case> {
    let mib = vec![0; MIB];
    let gz = gzip(&mib);
    let ratio = u32::try_from(MIB.div_ceil(gz.len())).expect("small");
    let allow = move |ratio: u32| move |config: &mut Config| config.body.max_ratio = ratio;
    let decoded = |most: usize| {
        move |config: &mut Config| {
            config.body.max_ratio = u32::MAX;
            config.body.max_decoded = most as u64;
        }
    };
    let kept = |most: usize| move |config: &mut Config| config.body.max_kept = most as u64;
    let wire = |most: usize| move |config: &mut Config| config.body.max_wire = most as u64;
    let (whole, length) = (complete(200, MIB as u64), gz.len());
    let case = |what: &str, expected, change: Box<dyn FnOnce(&mut Config) + Send>| {
        coded_with(what, "", expected, "gzip", gz.clone(), change)
    };
    vec![
        case("expands by as much as is allowed", whole, Box::new(allow(ratio))),
        case("expands by one more than is allowed", BOMB, Box::new(allow(ratio - 1))),
        coded_with(
            "expands by far more, but to less than 1 MiB",
            "",
            complete(200, MIB as u64 - 1),
            "gzip",
            gzip(&mib[1..]),
            allow(2),
        ),
        case(
            "decodes to as many bytes as are allowed",
            whole,
            Box::new(move |config| {
                decoded(MIB)(config);
            }),
        ),
        case("decodes to a byte more than is allowed", TOO_LARGE, Box::new(decoded(MIB - 1))),
        coded_with(
            "decodes to a byte more than may be kept",
            "",
            TOO_LARGE,
            "identity, gzip",
            gz.clone(),
            move |config| {
                decoded(MIB)(config);
                kept(MIB - 1)(config);
            },
        ),
        case(
            "sends as many bytes as are allowed",
            complete(200, MIB as u64),
            Box::new(move |config| {
                wire(length)(config);
                config.body.max_ratio = u32::MAX;
            }),
        ),
        case(
            "sends a byte more than is allowed",
            failed(Phase::Body, FailureKind::TooLarge),
            Box::new(wire(length - 1)),
        ),
    ]
}
