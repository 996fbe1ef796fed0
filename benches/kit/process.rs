//! Measures processes by the figures of the Linux kernel (`proc_pid_stat(5)`).

use std::{
    fs,
    path::Path,
    process::{self, Command, Stdio},
    time::Duration,
};

/// A child process that ends with the bench.
pub struct Child(process::Child);

impl Child {
    pub fn spawn(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::piped()).spawn().expect("a process"))
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn out(&mut self) -> process::ChildStdout {
        self.0.stdout.take().expect("it is read once")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// CPU time of all threads of the process since its start, in user and in kernel mode.
pub fn cpu_time(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("Linux, and a process that runs");
    // The program's name stands in parentheses and may contain spaces.
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |field: usize| fields[field - 3].parse::<u64>().expect("a number");
    // USER_HZ is 100 on all usual Linux systems, so a tick is 10 ms.
    Duration::from_millis(10) * (ticks(14) + ticks(15)) as u32
}

/// The present resident memory of the process in bytes.
pub fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("Linux, and a process that runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line that Linux always has");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

/// The bytes that the files of a folder take on disk.
pub fn disk(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(it) if it.is_dir() => disk(&entry.path()),
        // Counts blocks of 512 bytes, so holes in sparse files do not count.
        Ok(it) => std::os::unix::fs::MetadataExt::blocks(&it) * 512,
        Err(_) => 0,
    };
    entries.map(size).sum()
}
