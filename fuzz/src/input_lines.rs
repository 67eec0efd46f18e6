//! The bytes are a file of input: plain, gzip or zstd.
//!
//! Promise: every entry is a job or a rejection, `seq` counts both from 0 without a gap, and a job's URL is in normal
//! form: parsing it again changes nothing.

use std::io::Write;

use haul::model::{Job, More, Phase, Rejected, Source, Time, WebUrl};
use haul::source::{Input, InputSettings, Inputs};

/// Short, so that small inputs have lines that are too long.
const MAX_LINE: usize = 256;
/// Entries per read: less than most files have, so that reading goes on in the middle.
const BATCH: usize = 3;
/// Reads after which the rest is left: a few packed bytes may hold millions of lines.
const MOST_READS: u64 = 2_000;

/// Reads a file with these bytes.
pub fn run(bytes: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("written");
    let settings = InputSettings { max_line: MAX_LINE, ..InputSettings::default() };
    let mut inputs = Inputs::open(vec![Input::File(file.path().to_owned())], settings).expect("a file that is there");
    let mut entries = Vec::new();
    let (mut seq, mut line) = (0, 0);
    for _ in 0..MOST_READS {
        let more = inputs.read(BATCH, Time::ZERO, &mut entries);
        assert!(entries.len() <= BATCH, "{} entries in one read", entries.len());
        for entry in entries.drain(..) {
            check(&entry, seq, &mut line);
            seq += 1;
        }
        if !matches!(more, Ok(More::Yes)) {
            return;
        }
    }
}

fn check(entry: &Result<Job, Rejected>, seq: u64, line: &mut u64) {
    match entry {
        Ok(job) => {
            assert_eq!(job.seq, seq);
            let (again, credentials) = WebUrl::parse(job.url.as_str()).expect("it was parsed before");
            assert_eq!((again, credentials.is_none()), (job.url.clone(), true));
        }
        Err(rejected) => {
            assert_eq!((rejected.seq, rejected.failure.phase), (seq, Phase::Input));
            assert!(rejected.line > *line, "line {} after line {line}", rejected.line);
            *line = rejected.line;
        }
    }
}
