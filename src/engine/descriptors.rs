//! How the descriptors of this process are divided: connections, name look-ups, the rest.

/// Descriptors kept back: files, standard streams, the runtime's own, and the second address of a few happy-eyeballs
/// races.
const RESERVE: u64 = 128;

/// A look-up asks for both families at once.
const SOCKETS_PER_LOOKUP: u64 = 2;

/// What a run may open under a descriptor limit.
///
/// ```
/// use haul::{config::Config, engine::socket_budget};
///
/// let budget = socket_budget(&Config::default(), 20_000)?;
/// assert!(budget.sockets < 20_000);
/// # Ok::<(), haul::engine::StartError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketBudget {
    /// Connections over all shards.
    pub sockets: usize,
    /// Look-ups in flight per shard.
    pub lookups: usize,
    /// Shards: threads that fetch.
    pub shards: usize,
}

impl SocketBudget {
    /// Raises the descriptor limit to its hard limit and divides it. `sockets` and `lookups` (per shard) are what the
    /// user asked for; 0 sockets leaves them to the system.
    pub(super) fn claim(sockets: usize, lookups: usize, shards: usize) -> Self {
        let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024);
        Self::divide(limit, sockets, lookups, shards)
    }

    /// Under a small limit the reserve and the look-ups get no more than a quarter each, so that at least half is left
    /// for connections.
    pub(super) fn divide(limit: u64, sockets: usize, lookups: usize, shards: usize) -> Self {
        let per_lookup = SOCKETS_PER_LOOKUP * shards as u64;
        let lookups = (lookups as u64).min(limit / 4 / per_lookup).max(1);
        let free = limit.saturating_sub(RESERVE.min(limit / 4) + lookups * per_lookup).max(8);
        let free = usize::try_from(free).unwrap_or(usize::MAX);
        Self {
            sockets: if sockets == 0 { free } else { sockets.min(free) },
            lookups: usize::try_from(lookups).unwrap_or(usize::MAX),
            shards,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn divide(limit: u64, shards: usize) -> (usize, usize) {
        let SocketBudget { sockets, lookups, .. } = SocketBudget::divide(limit, 0, 256, shards);
        (sockets, lookups)
    }

    #[test]
    fn every_look_up_has_its_two_sockets() {
        assert_eq!(divide(1_048_576, 16), (1_048_576 - 128 - 2 * 256 * 16, 256));
        assert_eq!(divide(4096, 2), (4096 - 128 - 2 * 256 * 2, 256));
    }

    #[test]
    fn small_limits_leave_half_to_connections() {
        assert_eq!(divide(1024, 2), (1024 - 128 - 256, 64));
        assert_eq!(divide(256, 2), (128, 16));
        assert_eq!(divide(64, 16), (16, 1));
        assert_eq!(divide(0, 1), (8, 1));
    }

    #[test]
    fn the_user_may_ask_for_less_and_not_for_more() {
        assert_eq!(SocketBudget::divide(4096, 100, 8, 1), SocketBudget { sockets: 100, lookups: 8, shards: 1 });
        let most = SocketBudget { sockets: 4096 - 128 - 16, lookups: 8, shards: 1 };
        assert_eq!(SocketBudget::divide(4096, 9999, 8, 1), most);
    }
}
