//! Opens inputs: standard input or a file, through gzip or zstd when its first bytes say so.

use std::fs::{self, File};
use std::io::{self, Cursor, ErrorKind, Read, Stdin};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::format::{self, Format};
use crate::model::without_credentials;

/// An open input, decompressed. Its errors name it and say how far it was read.
pub(super) struct OpenInput {
    reader: Box<dyn Read + Send>,
    name: Box<str>,
    format: Format,
    consumed: Arc<AtomicU64>,
}

/// Opens a file by name.
///
/// # Errors
/// It can't be opened or read, or is in a format haul does not read.
pub(super) fn file(path: &Path, max_window_log: u32) -> io::Result<OpenInput> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| cannot_open(&name, &error))?;
    reader(file, &name, max_window_log)
}

/// Opens standard input, past the standard library's own small buffer.
///
/// # Errors
/// As [`file()`].
pub(super) fn stdin(stdin: &Stdin, max_window_log: u32) -> io::Result<OpenInput> {
    let file = stdin.as_fd().try_clone_to_owned().map_err(|error| cannot_open("standard input", &error))?;
    reader(File::from(file), "standard input", max_window_log)
}

/// Checks that a file can be opened, without reading from it: a pipe's bytes stay in it.
///
/// # Errors
/// It can't, or is a directory.
pub(super) fn check(path: &Path) -> io::Result<()> {
    let name = path.display();
    let metadata = fs::metadata(path).map_err(|error| cannot_open(&name.to_string(), &error))?;
    if metadata.is_dir() {
        let message = format!("can't read input {name}: it is a directory; name the files in it");
        return Err(io::Error::new(ErrorKind::IsADirectory, message));
    }
    if metadata.is_file() {
        File::open(path).map_err(|error| cannot_open(&name.to_string(), &error))?;
    }
    Ok(())
}

fn cannot_open(name: &str, error: &io::Error) -> io::Error {
    let advice = if error.kind() == ErrorKind::NotFound { "; check the name given to -i" } else { "" };
    // A URL may have been given for it.
    let name = without_credentials(name);
    io::Error::new(error.kind(), format!("can't read input {name}: {error}{advice}"))
}

/// Wraps `inner` in the decoder that its first bytes ask for.
fn reader(inner: impl Read + Send + 'static, name: &str, max_window_log: u32) -> io::Result<OpenInput> {
    let consumed = Arc::new(AtomicU64::new(0));
    let mut counted = CountingReader { inner, consumed: Arc::clone(&consumed) };
    let (start, format) = peek(&mut counted).map_err(|error| cannot_open(name, &error))?;
    let whole = Cursor::new(start).chain(counted);
    let reader: Box<dyn Read + Send> = match format {
        Format::Plain => Box::new(whole),
        Format::Gzip => Box::new(flate2::read::MultiGzDecoder::new(whole)),
        Format::Zstd => {
            let mut decoder = zstd::Decoder::new(whole)?;
            decoder.window_log_max(max_window_log)?;
            Box::new(decoder)
        }
        Format::Foreign(advice) => {
            return Err(io::Error::new(ErrorKind::InvalidData, format!("can't read input: {name} {advice}")));
        }
    };
    Ok(OpenInput { reader, name: name.into(), format, consumed })
}

/// Reads until the format is known: usually one byte, never more than the longest magic.
fn peek(reader: &mut impl Read) -> io::Result<(Vec<u8>, Format)> {
    let mut start = Vec::with_capacity(format::LONGEST);
    loop {
        if let Some(format) = format::recognise(&start) {
            return Ok((start, format));
        }
        let before = start.len();
        reader.by_ref().take(1).read_to_end(&mut start)?;
        if start.len() == before {
            return Ok((start, Format::Plain));
        }
    }
}

impl Read for OpenInput {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.reader.read(into).map_err(|error| match error.kind() {
            ErrorKind::Interrupted => error,
            kind => io::Error::new(kind, self.broken(&error)),
        })
    }
}

impl OpenInput {
    fn broken(&self, error: &io::Error) -> String {
        let (name, consumed) = (&self.name, self.consumed.load(Ordering::Relaxed));
        match self.format {
            Format::Zstd if error.to_string().contains(TOO_LARGE) => format!(
                "can't read input {name}: to decompress it takes more memory than allowed; compress it with a smaller window, or pipe \
                 it through zstdcat"
            ),
            Format::Gzip | Format::Zstd => {
                let format = if self.format == Format::Gzip { "gzip" } else { "zstd" };
                format!(
                    "can't read input {name} further: broken {format} data within its first {consumed} bytes: {error}; \
                     the lines before were read"
                )
            }
            _ => format!("can't read input {name} further: {error} after {consumed} bytes; the lines before were read"),
        }
    }
}

/// What zstd says of a window over the limit; it has no kind of its own.
const TOO_LARGE: &str = "too much memory";

/// Counts the bytes that pass.
struct CountingReader<R> {
    inner: R,
    consumed: Arc<AtomicU64>,
}

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(into)?;
        self.consumed.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).expect("memory");
        encoder.finish().expect("memory")
    }

    fn read(bytes: Vec<u8>) -> io::Result<String> {
        let mut text = String::new();
        reader(Cursor::new(bytes), "list", 27)?.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn plain_gzip_and_zstd_read_the_same_several_members_included() {
        let text = "http://a.example/\n".repeat(1000);
        assert_eq!(read(text.clone().into_bytes()).expect("plain"), text);
        let two_members = [gzip(&text.as_bytes()[..5000]), gzip(&text.as_bytes()[5000..])].concat();
        assert_eq!(read(two_members).expect("gzip"), text);
        let frame = |bytes: &[u8]| zstd::encode_all(bytes, 1).expect("memory");
        let two_frames = [frame(&text.as_bytes()[..5000]), frame(&text.as_bytes()[5000..])].concat();
        assert_eq!(read(two_frames).expect("zstd"), text);
        assert_eq!(read(Vec::new()).expect("empty"), "");
        assert_eq!(read(b"\x1f".to_vec()).expect("a beginning of a magic"), "\x1f");
    }

    #[test]
    fn a_broken_stream_says_which_and_where() {
        let mut random = fastrand::Rng::with_seed(1);
        let text: Vec<u8> = (0..100_000).map(|_| random.u8(..)).collect();
        for mut bytes in [gzip(&text), zstd::encode_all(&*text, 1).expect("memory")] {
            bytes.truncate(50_000);
            let mut sink = Vec::new();
            let error =
                reader(Cursor::new(bytes), "list", 27).expect("opens").read_to_end(&mut sink).expect_err("cut off");
            assert!(!sink.is_empty(), "what came before is read");
            let message = error.to_string();
            assert!(message.contains("input list further"), "{message}");
            assert!(message.contains("within its first 50000 bytes"), "{message}");
        }
    }

    #[test]
    fn a_window_over_the_limit_is_refused() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("a level");
        encoder.window_log(25).expect("a window");
        encoder.write_all(b"http://a.example/\n").expect("memory");
        let list = encoder.finish().expect("memory");
        assert_eq!(read(list.clone()).expect("within the limit"), "http://a.example/\n");
        let refused = reader(Cursor::new(list), "list", 23).expect("opens").read_to_end(&mut Vec::new());
        let message = refused.expect_err("over the limit").to_string();
        assert!(message.contains("more memory than allowed") && message.contains("zstdcat"), "{message}");
    }

    #[test]
    fn unreadable_inputs_say_what_to_do() {
        let message = read(b"BZh91AY".to_vec()).expect_err("bzip2").to_string();
        assert!(message.contains("bzcat"), "{message}");
        let message = check(Path::new("/does/not/exist")).expect_err("missing").to_string();
        assert!(message.contains("/does/not/exist") && message.contains("check the name"), "{message}");
        let message = check(Path::new("/tmp")).expect_err("directory").to_string();
        assert!(message.contains("directory"), "{message}");
    }
}
