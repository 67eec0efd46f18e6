//! A file of URLs into a file of records, with progress, and an orderly stop at Ctrl-C.
//!
//! In Scrapy: `start_urls` from a file, `-o records.jsonl`, and the first Ctrl-C. As a command: `haul get -i urls.txt -o
//! records.ndjson`.
//!
//! `cargo run --example file_to_ndjson -- urls.txt records.ndjson`

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use haul::config::Config;
use haul::engine::{Engine, Handle};
use haul::sink::{Ndjson, RecordFields};
use haul::source::{Input, InputSettings, Inputs};
use haul_testserver::TestServer;
use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;

fn main() -> Result<(), Box<dyn Error>> {
    let (from, to, _server) = match &env::args().skip(1).map(PathBuf::from).collect::<Vec<_>>()[..] {
        [from, to] => (from.clone(), to.clone(), None),
        _ => {
            let server = TestServer::start()?;
            (example_input(&server)?, env::temp_dir().join("haul-records.ndjson"), Some(server))
        }
    };

    let engine = Engine::new(Config::default())?;
    stop_at_ctrl_c(engine.handle())?;
    show_progress(engine.handle());
    let source = Inputs::open(vec![Input::File(from)], InputSettings::default())?;
    let sink = Ndjson::new(File::create(&to)?, to.display().to_string(), RecordFields::default());
    let report = engine.run(Box::new(source), Box::new(sink));

    let totals = report.totals;
    println!(
        "{} succeeded, {} failed, {} left; records are in {}",
        totals.succeeded,
        totals.failed,
        report.left,
        to.display()
    );
    for ((phase, kind), count) in report.failures {
        println!("{count} failed in phase {phase}: {kind}");
    }
    report.source_error.or(report.sink_error).map_or(Ok(()), |error| Err(error.into()))
}

/// What is in flight may end within 5 s, and its records are written.
fn stop_at_ctrl_c(handle: Handle) -> Result<(), Box<dyn Error>> {
    let mut signals = Signals::new([SIGINT])?;
    thread::spawn(move || signals.forever().for_each(|_| handle.stop(Duration::from_secs(5))));
    Ok(())
}

fn show_progress(handle: Handle) {
    thread::spawn(move || {
        loop {
            thread::sleep(Duration::from_millis(250));
            let now = handle.progress();
            eprintln!(
                "{} done, {} in flight, {} waiting, {} retries",
                now.done(),
                now.in_flight,
                now.queued,
                now.retries
            );
        }
    });
}

/// A file of URLs on a test server.
fn example_input(server: &TestServer) -> Result<PathBuf, Box<dyn Error>> {
    let line = |n| server.url_on(&format!("h{}.localhost", n % 10), &format!("/delay/{}ms?n={n}\n", n % 7 * 100));
    let path = env::temp_dir().join("haul-urls.txt");
    fs::write(&path, (0..500).map(line).chain(["not a url\n".to_owned()]).collect::<String>())?;
    Ok(path)
}
