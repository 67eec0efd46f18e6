//! The `haul` command. It sees only what any other user of the library sees.

mod cli;

use std::process::ExitCode;

/// Several threads make many small allocations and free each other's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
