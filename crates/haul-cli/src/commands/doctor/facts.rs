//! What was found out about the machine. `None` and errors mean that it can't be seen here.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use haul::config::Limits;
use haul::engine::SocketBudget;
use haul_net::dial::TrustedRoots;

/// Everything that is judged.
#[derive(Clone, Debug)]
pub(super) struct MachineFacts {
    /// The limits of the run that is thought of.
    pub(super) limits: Limits,
    pub(super) descriptors: Option<Descriptors>,
    pub(super) ports: Option<Ports>,
    /// `Err`: why none is known.
    pub(super) name_servers: Result<Vec<NameServer>, String>,
    pub(super) clock: ClockReading,
    pub(super) roots: TrustedRoots,
    pub(super) memory: Option<Memory>,
    pub(super) cores: Cores,
    pub(super) conntrack: Option<Conntrack>,
    pub(super) temporary: TemporaryDirectory,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Descriptors {
    pub(super) soft: u64,
    pub(super) hard: u64,
    /// What the engine makes of the hard limit, to which it raises the soft one.
    pub(super) budget: SocketBudget,
}

/// Local ports of outgoing connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) low: u16,
    pub(super) high: u16,
    /// `net.ipv4.tcp_tw_reuse`: 0 off, 1 on, 2 on loopback only.
    pub(super) reuse: Option<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct NameServer {
    pub(super) address: SocketAddr,
    /// `None`: it was not asked.
    pub(super) answer: Option<NameServerAnswer>,
}

/// How a name server answered.
#[derive(Clone, Debug)]
pub(super) enum NameServerAnswer {
    /// After so long, whatever it said of the name.
    After(Duration),
    /// It was not asked, because the name needs no name server here.
    NotNeeded(String),
    /// Not at all, or that it can't; what was wrong.
    None(String),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct ClockReading {
    pub(super) now: SystemTime,
    /// When this program's file was written.
    pub(super) program: Option<SystemTime>,
}

/// Bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    /// On the machine.
    pub(super) available: u64,
    /// What a control group's limit leaves.
    pub(super) group: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Cores {
    /// Those that this process may use at once.
    pub(super) usable: usize,
    /// A control group's limit, in cores.
    pub(super) quota: Option<f64>,
}

/// The kernel's table of tracked connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conntrack {
    pub(super) used: u64,
    pub(super) most: u64,
}

#[derive(Clone, Debug)]
pub(super) struct TemporaryDirectory {
    pub(super) path: PathBuf,
    /// Free bytes; `Err`: why they can't be used.
    pub(super) free: Result<u64, String>,
    /// Whether it is kept in memory (tmpfs).
    pub(super) in_memory: bool,
}
