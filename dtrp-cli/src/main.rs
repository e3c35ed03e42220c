//! The `dtrp` program: see `dtrp --help`.

#[cfg(target_os = "linux")]
mod exit;

use std::process::ExitCode;

/// One allocator for Rust and libtorch: with its unprefixed names it also serves the `malloc` of every library.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Read by jemalloc when the program starts. Training allocates the same large blocks over and over: memory that is
/// freed stays with the program, in huge pages, instead of being handed back and asked for again.
#[unsafe(export_name = "malloc_conf")]
static MALLOC_CONF: &[u8; 29] = b"dirty_decay_ms:-1,thp:always\0";

fn main() -> ExitCode {
    dtrp_cli::main()
}
