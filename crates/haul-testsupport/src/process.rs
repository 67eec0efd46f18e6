//! A process as the kernel sees it while it runs: memory, descriptors, connections that it should have closed.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// Time between two looks.
const EVERY: Duration = Duration::from_millis(100);
/// What the last third may have more than the first, beside a quarter: the allocator's and the run's ups and downs.
const MEMORY_MARGIN_KIB: u64 = 16 << 10;
const DESCRIPTOR_MARGIN: u64 = 64;
/// How long a connection that its peer has closed may stay open.
const CLOSED_BY: Duration = Duration::from_secs(3);
/// CLOSE_WAIT in /proc/net/tcp.
const CLOSE_WAIT: &str = "08";

#[derive(Clone, Copy, Debug, Default)]
struct Look {
    memory_kib: u64,
    descriptors: u64,
    half_closed: u64,
}

/// What was seen of a process.
pub struct Watch {
    process: u32,
    looks: Vec<Look>,
    /// Connections now in CLOSE_WAIT by inode, and since when.
    half_closed: BTreeMap<u64, Instant>,
    longest_half_closed: Duration,
}

impl Watch {
    pub fn new(process: u32) -> Self {
        Self { process, looks: Vec::new(), half_closed: BTreeMap::new(), longest_half_closed: Duration::ZERO }
    }

    /// Looks until this is so.
    pub fn until(&mut self, over: impl Fn() -> bool) {
        while !over() {
            self.look();
            thread::sleep(EVERY);
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a process is watched in real time")]
    fn look(&mut self) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process)).unwrap_or_default();
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
        let sockets = self.descriptors();
        let (now, before) = (Instant::now(), std::mem::take(&mut self.half_closed));
        let waiting = half_closed().into_iter().filter(|inode| sockets.contains(&format!("socket:[{inode}]")));
        self.half_closed = waiting.map(|inode| (inode, before.get(&inode).copied().unwrap_or(now))).collect();
        let longest = self.half_closed.values().map(|since| now - *since).max().unwrap_or_default();
        self.longest_half_closed = self.longest_half_closed.max(longest);
        self.looks.push(Look {
            memory_kib: memory.trim().trim_end_matches(" kB").parse().unwrap_or(0),
            descriptors: sockets.len() as u64,
            half_closed: self.half_closed.len() as u64,
        });
    }

    /// What its descriptors lead to; each by itself, even where they lead to the same.
    fn descriptors(&self) -> HashSet<String> {
        let Ok(directory) = fs::read_dir(format!("/proc/{}/fd", self.process)) else { return HashSet::new() };
        let leads_to = |path: PathBuf| {
            let target = fs::read_link(&path).unwrap_or_default();
            let named = target.to_string_lossy().starts_with("socket:");
            if named { target } else { path }.to_string_lossy().into_owned()
        };
        directory.flatten().map(|entry| leads_to(entry.path())).collect()
    }

    /// The most that each sixth of the time has seen.
    fn sixths(&self) -> Vec<Look> {
        let size = self.looks.len().div_ceil(6).max(1);
        let most = |looks: &[Look]| {
            looks.iter().fold(Look::default(), |most, look| Look {
                memory_kib: most.memory_kib.max(look.memory_kib),
                descriptors: most.descriptors.max(look.descriptors),
                half_closed: most.half_closed.max(look.half_closed),
            })
        };
        self.looks.chunks(size).map(most).collect()
    }

    /// How long a connection has stayed open at the most after its peer had closed it.
    pub const fn longest_half_closed(&self) -> Duration {
        self.longest_half_closed
    }

    /// Whether nothing grows and no connection stays half closed; an error says what is wrong.
    pub fn is_flat(&self) -> Result<(), String> {
        let sixths = self.sixths();
        let grows = |of: fn(&Look) -> u64, margin: u64| {
            let most = |looks: &[Look]| looks.iter().map(of).max().unwrap_or(0);
            let (early, late) = (most(&sixths[..2]), most(&sixths[sixths.len() - 2..]));
            early == 0 || late > early + early / 4 + margin
        };
        let wrong = if sixths.len() < 3 {
            "there is too little to judge by"
        } else if grows(|look| look.memory_kib, MEMORY_MARGIN_KIB) {
            "memory grows"
        } else if grows(|look| look.descriptors, DESCRIPTOR_MARGIN) {
            "descriptors grow"
        } else if self.longest_half_closed >= CLOSED_BY {
            "connections stay half closed"
        } else {
            return Ok(());
        };
        Err(format!("{wrong}:\n{self}"))
    }
}

impl fmt::Display for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told =
            |of: fn(&Look) -> u64| self.sixths().iter().map(|look| of(look).to_string()).collect::<Vec<_>>().join(", ");
        writeln!(f, "process: most memory in each sixth of the time, in MiB: {}", told(|look| look.memory_kib >> 10))?;
        writeln!(f, "process: most descriptors: {}", told(|look| look.descriptors))?;
        writeln!(
            f,
            "process: most in CLOSE_WAIT: {}, each for less than {:?}",
            told(|look| look.half_closed),
            self.longest_half_closed + EVERY
        )
    }
}

/// The inodes of all connections whose peer has closed them and whose owner has not.
fn half_closed() -> Vec<u64> {
    let inode = |line: &str| {
        let mut fields = line.split_whitespace();
        (fields.nth(3)? == CLOSE_WAIT).then(|| fields.nth(5)?.parse().ok())?
    };
    fs::read_to_string("/proc/net/tcp").unwrap_or_default().lines().skip(1).filter_map(inode).collect()
}
