//! Looks at the system. Never fails: what can't be seen is left out.

use std::fs;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use haul::config::{Config, Limits};
use haul::engine;
use haul_net::{dial, dns};

use super::facts::{
    ClockReading, Conntrack, Cores, Descriptors, MachineFacts, Memory, NameServer, Ports, TemporaryDirectory,
};
use super::parse;

/// Finds out what can be seen without sending anything. `servers` replaces the system's name servers unless empty.
pub(super) fn look(concurrency: NonZeroU32, servers: &[SocketAddr]) -> MachineFacts {
    let config = Config { limits: Limits { concurrency, ..Limits::default() }, ..Config::default() };
    MachineFacts {
        descriptors: descriptors(&config),
        limits: config.limits,
        ports: ports(),
        name_servers: name_servers(servers),
        clock: clock(),
        roots: dial::trusted_roots(),
        memory: memory(),
        cores: cores(),
        conntrack: conntrack(),
        temporary: temporary(std::env::temp_dir()),
    }
}

fn descriptors(config: &Config) -> Option<Descriptors> {
    let (soft, hard) = rlimit::getrlimit(rlimit::Resource::NOFILE).ok()?;
    let budget = engine::socket_budget(config, hard).ok()?;
    Some(Descriptors { soft, hard, budget })
}

fn ports() -> Option<Ports> {
    let (low, high) = parse::range(&sysctl("net/ipv4/ip_local_port_range")?)?;
    Some(Ports { low, high, reuse: sysctl("net/ipv4/tcp_tw_reuse").as_deref().and_then(parse::number) })
}

fn name_servers(given: &[SocketAddr]) -> Result<Vec<NameServer>, String> {
    let addresses =
        if given.is_empty() { dns::system_servers().map_err(|error| error.to_string())? } else { given.to_vec() };
    Ok(addresses.into_iter().map(|address| NameServer { address, answer: None }).collect())
}

#[expect(clippy::disallowed_methods, reason = "whether the system's clock is right is what is asked here")]
fn clock() -> ClockReading {
    let program = std::env::current_exe().and_then(fs::metadata).and_then(|file| file.modified());
    ClockReading { now: SystemTime::now(), program: program.ok() }
}

fn memory() -> Option<Memory> {
    let available = parse::meminfo(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable")?;
    Some(Memory { available, group: smallest(&control_groups("memory"), left_in_group) })
}

/// Bytes that the control group at `folder` may still take. What the kernel can drop does not count as taken.
fn left_in_group(folder: &Path) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let one = |names: [&'static str; 2]| names.into_iter().find_map(read).as_deref().and_then(parse::number);
    let most = one(["memory.max", "memory.limit_in_bytes"])?;
    let used = one(["memory.current", "memory.usage_in_bytes"])?;
    let stat = read("memory.stat").unwrap_or_default();
    let cache = parse::stat(&stat, "total_inactive_file").or_else(|| parse::stat(&stat, "inactive_file"));
    Some(most.saturating_sub(used.saturating_sub(cache.unwrap_or(0))))
}

fn cores() -> Cores {
    let quota = smallest(&control_groups("cpu"), |folder| {
        let read = |name| fs::read_to_string(folder.join(name)).ok();
        match read("cpu.max") {
            Some(text) => parse::cpu_max(&text),
            None => parse::cores(&read("cpu.cfs_quota_us")?, &read("cpu.cfs_period_us")?),
        }
    });
    Cores { usable: std::thread::available_parallelism().map_or(1, usize::from), quota }
}

/// The folders of the control groups that this process is in, from its own up to the root.
fn control_groups(controller: &str) -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let (own, unified) = parse::groups(&text, controller);
    let up = |mount: PathBuf, path: String| -> Vec<PathBuf> {
        let path = PathBuf::from(path);
        path.ancestors().map(|part| mount.join(part.strip_prefix("/").unwrap_or(part))).collect()
    };
    let root = Path::new("/sys/fs/cgroup");
    let own = own.map(|path| up(root.join(controller), path));
    own.into_iter().chain(unified.map(|path| up(root.to_owned(), path))).flatten().collect()
}

/// The smallest limit that any of these groups has.
fn smallest<T: PartialOrd>(folders: &[PathBuf], limit: impl Fn(&Path) -> Option<T>) -> Option<T> {
    let limits = folders.iter().filter_map(|folder| limit(folder));
    limits.reduce(|least, limit| if limit < least { limit } else { least })
}

fn conntrack() -> Option<Conntrack> {
    let number = |name| sysctl(name).as_deref().and_then(parse::number);
    Some(Conntrack {
        used: number("net/netfilter/nf_conntrack_count")?,
        most: number("net/netfilter/nf_conntrack_max")?,
    })
}

fn temporary(path: PathBuf) -> TemporaryDirectory {
    let free = match tempfile::tempfile_in(&path) {
        Ok(_) => nix::sys::statvfs::statvfs(&path)
            .map(|found| found.blocks_available().saturating_mul(found.fragment_size()))
            .map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    TemporaryDirectory { in_memory: is_in_memory(&path), path, free }
}

#[cfg(target_os = "linux")]
fn is_in_memory(path: &Path) -> bool {
    use nix::sys::statfs::{TMPFS_MAGIC, statfs};
    statfs(path).is_ok_and(|found| found.filesystem_type() == TMPFS_MAGIC)
}

#[cfg(not(target_os = "linux"))]
const fn is_in_memory(_: &Path) -> bool {
    false
}

/// The text of a kernel setting.
fn sysctl(name: &str) -> Option<String> {
    fs::read_to_string(Path::new("/proc/sys").join(name)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_never_fails_and_sees_what_every_system_has() {
        let server = "127.0.0.1:53".parse().expect("an address");
        let facts = look(NonZeroU32::MIN, &[server]);
        assert_eq!(facts.name_servers.expect("given").len(), 1);
        assert!(facts.cores.usable >= 1);
        let descriptors = facts.descriptors.expect("there is a limit");
        assert!(descriptors.budget.sockets > 0 && descriptors.hard >= descriptors.soft);
        look(NonZeroU32::MAX, &[]);
    }

    #[test]
    fn a_folder_that_can_t_be_written_to_is_told() {
        assert!(temporary("/no/such/folder".into()).free.is_err());
        let free = temporary(std::env::temp_dir()).free.expect("writable");
        assert!(free > 0);
    }
}
