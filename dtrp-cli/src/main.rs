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

/// Called before anything else of the program, the libraries' own beginnings included: where the working directory has been
/// deleted, those of MKL end the program with a message about one of its files.
#[cfg(target_os = "linux")]
#[used]
#[unsafe(link_section = ".preinit_array")]
static BEFORE_LIBRARIES: extern "C" fn() = need_working_directory;

#[cfg(target_os = "linux")]
extern "C" fn need_working_directory() {
    const TEXT: &str = "error: the working directory is not there any more: change to one that is\n";
    let mut path = [0_u8; libc::PATH_MAX as usize];
    // SAFETY: the size is the array's, and the text's. Nothing else of the program exists yet, and nothing of it is used.
    unsafe {
        let found = libc::getcwd(path.as_mut_ptr().cast(), path.len());
        if found.is_null() && *libc::__errno_location() == libc::ENOENT {
            libc::write(libc::STDERR_FILENO, TEXT.as_ptr().cast(), TEXT.len());
            libc::_exit(9);
        }
    }
}

fn main() -> ExitCode {
    dtrp_cli::main()
}
