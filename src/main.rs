//! The binary: the allocator, memory settings, and a call of [`galleria::commands`]. All other code
//! is the library, so that it is compiled once.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Done before a second thread exists. With huge pages each thread holds megabytes where it
    // needs a few KB: 80 MB at rest instead of 35. Huge pages would save about 4 % of an order's
    // time, which is within the noise of the benches.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    galleria::commands::run()
}
