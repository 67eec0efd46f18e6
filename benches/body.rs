//! What taking a body in costs, beside the connection: plain and coded, dropped and kept.

use std::cell::Cell;
use std::convert::Infallible;
use std::hint::black_box;
use std::io::Write;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flate2::{Compression, write::GzEncoder};
use haul::config::BodySettings;
use haul_net::body::{BodyPlan, receive};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use http_body::{Body, Frame};

/// A body of one frame.
struct Once(Option<Bytes>);

impl Body for Once {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|data| Ok(Frame::data(data))))
    }
}

fn take(settings: &BodySettings, headers: &HeaderMap, body: &Bytes) -> u64 {
    let wire = Cell::new(0);
    let receiving = receive(Once(Some(body.clone())), BodyPlan::new(settings, headers), None, None, &wire);
    match pin!(receiving).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(received)) => received.body_bytes,
        other => panic!("{other:?}"),
    }
}

/// Text that compresses about as well as a page does.
fn page(len: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut page = Vec::with_capacity(len + 32);
    while page.len() < len {
        writeln!(page, "<li class=item>{}</li>", rng.u32(..100_000)).expect("in memory");
    }
    page.truncate(len);
    page
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).and_then(|()| encoder.finish()).expect("in memory")
}

type Case = (&'static str, fn(&[u8]) -> Vec<u8>);

fn bench(criterion: &mut Criterion) {
    let codings: [Case; 3] =
        [("identity", <[u8]>::to_vec), ("gzip", gzip), ("zstd", |data| zstd::encode_all(data, 3).expect("in memory"))];
    for (coding, encode) in codings {
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, coding.parse().expect("valid"))]);
        let mut group = criterion.benchmark_group(format!("body/{coding}"));
        for len in [1 << 10, 16 << 10, 128 << 10] {
            let coded = Bytes::from(encode(&page(len)));
            group.throughput(Throughput::Bytes(len as u64));
            for keep in [false, true] {
                let settings = BodySettings { keep, ..BodySettings::default() };
                let name = if keep { "kept" } else { "dropped" };
                group.bench_function(BenchmarkId::new(name, len), |bencher| {
                    bencher.iter(|| black_box(take(&settings, &headers, &coded)));
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
