//! The one chromedriver of a test run, and where the other tools are: axe, Lighthouse, the client
//! generator.

use std::{
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

/// The longest that its browsers may take to close at the end.
const CLOSING: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(50);

pub struct Driver {
    child: Child,
    pub url: String,
    /// Its output. The pipe stays open, since chromedriver ends when it cannot write.
    _words: BufReader<ChildStdout>,
}

impl Driver {
    /// Starts it on a free port. `None` if it is not installed.
    pub fn start() -> Option<Self> {
        let mut command = Command::new(chromedriver()?);
        let mut child = command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let mut words = BufReader::new(child.stdout.take().expect("a pipe"));
        let port = words.by_ref().lines().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let url = format!("http://127.0.0.1:{}", port.expect("it says where it listens"));
        Some(Self { child, url, _words: words })
    }
}

/// Ends it and its browsers.
impl Drop for Driver {
    fn drop(&mut self) {
        let _ = ureq::get(format!("{}/shutdown", self.url)).call();
        for _ in 0..CLOSING.as_millis() / GLANCE.as_millis() {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            thread::sleep(GLANCE);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn chromedriver() -> Option<PathBuf> {
    chromium().and(on_the_path(&["chromedriver"]))
}

pub fn chromium() -> Option<PathBuf> {
    on_the_path(&["chromium", "chromium-browser", "google-chrome"])
}

pub fn on_the_path(names: &[&str]) -> Option<PathBuf> {
    let folders: Vec<_> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|path| path.is_file())
}

/// A file of a tool that `tests/run` installs. `None` if it is not installed.
pub fn tool(file: &str) -> Option<PathBuf> {
    Some(output().join("node_modules").join(file)).filter(|path| path.is_file())
}

/// The folder for screenshots, reports and the installed tools.
pub fn output() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/browser");
    std::fs::create_dir_all(&folder).expect("room for screenshots");
    folder
}
