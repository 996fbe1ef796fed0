//! The program as a shell starts it: its arguments, its output, its exit code.

use super::PATIENCE;
use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_galleria");
/// A start of the program in its own folder, without the environment settings of the tester.
pub struct Program(Command);

/// The output and the exit code; the code is `None` where a signal ended the program.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Program {
    pub fn new(folder: &Path, arguments: &[&str]) -> Self {
        Self::of(Command::new(PROGRAM), folder).arguments(arguments)
    }

    /// Starts the program from a shell that first runs another command, for example a command that
    /// sets a limit.
    pub fn in_shell(folder: &Path, first: &str, arguments: &[&str]) -> Self {
        let script = format!("{first}; exec \"$0\" \"$@\"");
        Self::of(Command::new("sh"), folder).arguments(&["-c", &script, PROGRAM]).arguments(arguments)
    }

    /// Runs a shell script in which `"$0"` is the program.
    pub fn in_words(folder: &Path, script: &str) -> Self {
        Self::of(Command::new("sh"), folder).arguments(&["-c", script, PROGRAM])
    }

    fn of(mut command: Command, folder: &Path) -> Self {
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GALLERIA_")) {
            command.env_remove(name);
        }
        command.env_remove("RUST_LOG").env("RUST_BACKTRACE", "0").current_dir(folder).stdin(Stdio::null());
        Self(command)
    }

    pub fn arguments<S: AsRef<std::ffi::OsStr>>(mut self, arguments: &[S]) -> Self {
        self.0.args(arguments);
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    /// Starts the program with standard output on a pipe and the log in a file.
    pub fn start(mut self, log: File) -> Child {
        self.0.stdout(Stdio::piped()).stderr(log).spawn().expect("the program starts")
    }

    pub fn run(self) -> Ran {
        self.run_with("")
    }

    /// Runs the program to its end, with this standard input.
    #[track_caller]
    pub fn run_with(mut self, input: &str) -> Ran {
        let mut child = self
            .0
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        // A program that reads nothing closes the pipe.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        let (out, err) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
        let (out, err) = (std::thread::spawn(|| whole(out)), std::thread::spawn(|| whole(err)));
        let code = wait(&mut child, PATIENCE);
        if code.is_none() {
            let _ = child.kill();
        }
        let (out, err) = (out.join().expect("read"), err.join().expect("read"));
        Ran { code: code.unwrap_or_else(|| panic!("the program hangs\n{out}\n{err}")), out, err }
    }
}

impl Ran {
    /// Checks that the exit code is 0.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    /// Checks the exit code, and that the last line of the error output contains these words. A
    /// refusal causes no panic.
    #[track_caller]
    pub fn refused(self, code: i32, words: &str) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(!self.err.contains("panicked"), "{self:#?}");
        let line = self.err.lines().last().unwrap_or_default();
        assert!(line.starts_with("galleria: ") && line.contains(words), "{self:#?}");
        self
    }
}

/// The exit code (inner `None`: ended by a signal); outer `None` where the program has not ended in
/// time.
pub fn wait(child: &mut Child, patience: Duration) -> Option<Option<i32>> {
    let begun = Instant::now();
    loop {
        match child.try_wait().expect("a child can be waited for") {
            Some(status) => return Some(status.code()),
            None if begun.elapsed() > patience => return None,
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn whole(mut from: impl Read) -> String {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).expect("readable");
    String::from_utf8_lossy(&bytes).into_owned()
}
