//! The `haul` command. It sees only what any other user of the library sees.

mod cli;

use std::process::ExitCode;

/// Many small allocations on many threads: about a tenth less CPU per request than with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
