//! What a line of input and a line of output cost.

use std::hint::black_box;
use std::io::{self, Write};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use haul::model::{Attempt, CompleteResponse, Job, Outcome, Record, Sink, Source, Time, Timings, WebUrl};
use haul::sink::{Ndjson, RecordFields, append_line};
use haul::source::{Input, InputSettings, Inputs, Urls};
use http::Version;

const LINES: u64 = 10_000;

/// URLs of about 60 bytes, each already in its normal form.
fn urls() -> Vec<String> {
    (0..LINES).map(|n| format!("https://www.shop-{}.example.com/catalogue/item-{n}?page=2", n % 500)).collect()
}

fn file(lines: &[String]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("temporary file");
    file.write_all(lines.join("\n").as_bytes()).expect("written");
    file
}

fn drain(source: &mut dyn Source) -> usize {
    let (mut entries, mut count) = (Vec::with_capacity(1024), 0);
    while source.read(1024, Time::ZERO, &mut entries).expect("readable") == haul::model::More::Yes {
        count += entries.len();
        entries.clear();
    }
    count
}

fn intake(criterion: &mut Criterion) {
    let plain = urls();
    let bare: Vec<String> = (0..LINES).map(|n| format!("https://shop-{n}.example.com")).collect();
    let objects: Vec<String> = plain.iter().map(|url| format!(r#"{{"url":"{url}","id":7}}"#)).collect();
    let mut group = criterion.benchmark_group("intake");
    group.throughput(Throughput::Elements(LINES));
    for (name, lines) in [("url", &plain), ("bare_host", &bare), ("object", &objects)] {
        let file = file(lines);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let input = Input::File(file.path().to_owned());
                let mut source = Inputs::open(vec![input], InputSettings::default()).expect("readable");
                assert_eq!(drain(&mut source), lines.len());
            });
        });
    }
    group.bench_function("iterator", |bencher| bencher.iter(|| drain(&mut Urls::new(&plain))));
    group.finish();
    let mut group = criterion.benchmark_group("web_url_parse");
    for (name, url) in [("plain", &plain[0]), ("full_rules", &plain[0].replace("https", "HTTPS"))] {
        group.bench_function(name, |bencher| bencher.iter(|| WebUrl::parse(black_box(url))));
    }
    group.finish();
}

fn record(seq: u64) -> Record {
    let url = format!("https://www.shop-17.example.com/catalogue/item-{seq}?page=2");
    let job = Job::new(seq, WebUrl::parse(&url).expect("valid").0, Time::ZERO);
    let response = CompleteResponse {
        status: 200,
        version: Version::HTTP_11,
        headers: None,
        body: None,
        body_bytes: 1024,
        sha256: None,
        saved: None,
        close_delimited: false,
    };
    let micros = Duration::from_micros;
    let timings = Timings {
        queued: micros(12_345_678),
        first_byte: Some(micros(1234)),
        body: Some(micros(56)),
        total: micros(1290),
        ..Timings::default()
    };
    let remote = Some("192.0.2.7:443".parse().expect("an address"));
    let last = Attempt { result: Ok(response), timings, remote, reused: true, wire_bytes: 1024 };
    Record::Fetched(Outcome { job, attempts: 1, last })
}

fn writing(criterion: &mut Criterion) {
    let one = record(123_456);
    let mut line = Vec::with_capacity(1024);
    criterion.bench_function("record_line", |bencher| {
        bencher.iter(|| {
            line.clear();
            append_line(black_box(&one), &RecordFields::default(), &mut line);
        });
    });
    let mut group = criterion.benchmark_group("sink");
    group.throughput(Throughput::Elements(256));
    group.bench_function("ndjson_batch_of_256", |bencher| {
        let mut sink = Ndjson::new(io::sink(), "nowhere", RecordFields::default());
        let mut safe = Vec::new();
        bencher.iter_batched_ref(
            || (0..256).map(record).collect::<Vec<Record>>(),
            |batch| {
                safe.clear();
                sink.write(batch, &mut safe)
            },
            criterion::BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, intake, writing);
criterion_main!(benches);
