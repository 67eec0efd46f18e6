//! Room for the stack and the allocators: each thread's reserves more addresses than it ever uses, and under a limit of these
//! (`ulimit -v`) a refusal ends the process in the middle of its work.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::thread;

/// What any command needs: 64 MiB for the first heap, and the program. (Below about 60 MiB the language's own start fails, before
/// anything here is asked.)
const LEAST: u64 = 128 << 20;
/// What a run needs beside its shards: the threads that read, write, watch and count have heaps, too.
const RUN: u64 = 1 << 30;
/// What each thread that fetches needs: a heap of mimalloc, which lies at a multiple of its 32 MiB, and one of the C library,
/// which lies at a multiple of its 64 MiB. Measured (2 cores, 1 to 8 shards, the least limit that a fetch survived three times):
/// 550 MiB, 650 with two, 1,400 with eight.
const SHARD: u64 = 128 << 20;

/// The limit, if there is one.
fn limit() -> Option<u64> {
    rlimit::Resource::AS.get_soft().ok().filter(|limit| *limit != rlimit::INFINITY)
}

/// Whether there is room for any command at all.
///
/// Says so where there is not, without a heap.
pub(crate) fn has_least() -> bool {
    let has_least = limit().is_none_or(|limit| limit >= LEAST);
    if !has_least {
        const MESSAGE: &[u8] =
            b"haul: less than 128 MiB of address space (ulimit -v) is too little to start; raise that limit\n";
        let _ = io::stderr().write_all(MESSAGE);
    }
    has_least && has_stack()
}

/// What the main thread's stack needs: reading the command line takes more than 128 KiB in a build without optimisation.
const STACK: u64 = 512 << 10;

fn has_stack() -> bool {
    let has_stack = rlimit::Resource::STACK.get_soft().map_or(true, |limit| limit >= STACK);
    if !has_stack {
        let _ = io::stderr()
            .write_all(b"haul: less than 512 KiB of stack (ulimit -s) is too little to start; raise that limit\n");
    }
    has_stack
}

/// Limits below this are small: what the allocator reserves at once is a good part of them.
const SMALL: u64 = 4 << 30;

/// Whether there is a limit that a large reserve would use up.
pub(crate) fn is_small() -> bool {
    limit().is_some_and(|limit| limit < SMALL)
}

/// Whether there is room for a run of so many shards; 0: one per core.
///
/// # Errors
/// There is not. The message says how much it takes.
pub(crate) fn check(shards: usize) -> Result<(), String> {
    let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let shards = if shards == 0 { cores() } else { shards };
    limit().map_or(Ok(()), |limit| enough(limit, shards))
}

fn enough(limit: u64, shards: usize) -> Result<(), String> {
    let needed = RUN.saturating_add(SHARD.saturating_mul(shards as u64));
    if limit >= needed {
        return Ok(());
    }
    Err(format!(
        "the threads of this run reserve {} MiB of address space, and the limit (ulimit -v) is {} MiB; raise it, or lower \
         --shards where the command has it; to bound the memory used, --max-memory is better",
        needed >> 20,
        limit >> 20
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_shards_need_more() {
        assert!(enough(1152 << 20, 1).is_ok() && enough(2048 << 20, 8).is_ok());
        let message = enough(600 << 20, 2).expect_err("too little");
        assert!(message.contains("reserve 1280 MiB") && message.contains("is 600 MiB"), "{message}");
        assert!(enough(u64::MAX - 1, usize::MAX).is_err());
    }
}
