//! The machine a report was made on, as far as it can be seen; nothing that names it or its user.

use std::fs;
use std::num::NonZeroUsize;
use std::thread;
use std::time::SystemTime;

use humantime::format_rfc3339_seconds;
use indicatif::HumanBytes;

use super::NamedValues;

/// What is known of this machine, and when that was.
#[expect(clippy::disallowed_methods, reason = "the time of day for the reader; nothing is measured with it")]
pub(super) fn look() -> NamedValues {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cores = thread::available_parallelism().map_or(0, NonZeroUsize::get);
    let mut facts = vec![
        ("made", format_rfc3339_seconds(SystemTime::now()).to_string()),
        ("haul", env!("CARGO_PKG_VERSION").to_owned()),
        ("system", format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
    ];
    facts.extend(found(&read("/proc/sys/kernel/osrelease"), &read("/proc/cpuinfo"), &read("/proc/meminfo")));
    facts.push(("cores usable", cores.to_string()));
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What these files of the kernel say.
fn found(release: &str, cpuinfo: &str, meminfo: &str) -> Vec<(&'static str, String)> {
    let release = Some(release.trim().to_owned()).filter(|release| !release.is_empty());
    let model = value(cpuinfo, "model name").map(str::to_owned);
    let kibibytes = value(meminfo, "MemTotal").and_then(|text| text.trim_end_matches("kB").trim().parse::<u64>().ok());
    let memory = kibibytes.map(|kibibytes| HumanBytes(kibibytes << 10).to_string());
    let all = [("kernel", release), ("processor", model), ("memory", memory)];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// The value of the first line `name : value`.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let of_line =
        |line: &'a str| line.split_once(':').filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim());
    text.lines().find_map(of_line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_told_and_what_it_does_not_say_is_left_out() {
        let told = found("6.1.0\n", "processor\t: 0\nmodel name\t: Some CPU @ 2GHz\n", "MemTotal:  2048 kB\n");
        let expected = [("kernel", "6.1.0"), ("processor", "Some CPU @ 2GHz"), ("memory", "2.00 MiB")];
        assert_eq!(told, expected.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(found("", "flags : x", "MemTotal: many kB"), []);
    }

    #[test]
    fn looking_never_fails() {
        assert!(look().iter().any(|(name, _)| name == "haul"));
    }
}
