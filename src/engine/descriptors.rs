//! How many sockets this process may have.

/// Descriptors kept back from connections: files, standard streams, DNS sockets, the runtime's own, and the second
/// address of a few happy-eyeballs races.
const RESERVE: u64 = 128;

/// Raises the descriptor limit to its hard limit and returns the budget for connections. `wanted` is what the user
/// asked for; 0 leaves it to the system.
pub(super) fn socket_budget(wanted: usize, lookups: usize) -> usize {
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024);
    let free = limit.saturating_sub(RESERVE + lookups as u64).max(limit / 4).max(8);
    let free = usize::try_from(free).unwrap_or(usize::MAX);
    if wanted == 0 { free } else { wanted.min(free) }
}
