//! The binary: what must be so before anything else, and [`galleria::commands`], so that the house is compiled once, as a library.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before there is a second thread. In huge pages each thread holds megabytes where it needs a few KB: 80 MB at rest, and 35 without.
    // They would save some 4 % of an order's time, which is within these benches' noise.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    galleria::commands::run()
}
