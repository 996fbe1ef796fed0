//! A running shop for one test: the real program on a free port, with a temporary folder.

use super::{
    PATIENCE,
    client::{Client, Customer, fresh},
    connection::RawConnection,
    program::{Program, Ran, wait},
};
use std::{
    fs::File,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
};
use tempfile::TempDir;

pub const OPERATOR_EMAIL: &str = "operator@galleria.example";
pub const OPERATOR_PASSWORD: &str = "keys to every till";

/// The settings of a start.
#[derive(Clone)]
pub struct Options {
    flags: Vec<String>,
    environment: Vec<(String, String)>,
    demo: bool,
    throttling: bool,
    operator: bool,
    /// Commands of the shell that then replaces itself by the program.
    shell: Option<String>,
}

/// The current address of the gateway. A restarted shop has another port, and its clients use the
/// new one.
pub type ShopAddress = Arc<RwLock<SocketAddr>>;

pub struct Shop {
    options: Options,
    home: TempDir,
    child: Option<Child>,
    address: ShopAddress,
    /// The token that creates the first operator, where there is no operator.
    pub setup_token: Option<String>,
    panics_are_expected: AtomicBool,
}

impl Options {
    /// The defaults: no throttling, no demo, one operator.
    fn new() -> Self {
        Self { flags: Vec::new(), environment: Vec::new(), demo: false, throttling: false, operator: true, shell: None }
    }

    pub fn demo(mut self) -> Self {
        self.demo = true;
        self
    }

    pub fn throttled(mut self) -> Self {
        self.throttling = true;
        self
    }

    pub fn without_operator(mut self) -> Self {
        self.operator = false;
        self
    }

    /// Parcels are delivered within moments.
    pub fn fast_carrier(self) -> Self {
        self.flag("--carrier-speed", "100000000")
    }

    /// Limits the size of every file to so many bytes. This simulates a full disk.
    pub fn file_size(mut self, most: usize) -> Self {
        // POSIX counts in blocks of 512 bytes. Without the trap, the first write beyond the limit
        // would end the process.
        self.shell = Some(format!("trap '' XFSZ; ulimit -S -f {}", most / 512));
        self
    }

    /// Sets the soft limit of open files, and so of connections, to the usual limit of a shell.
    pub fn open_files(mut self, most: usize) -> Self {
        self.shell = Some(format!("ulimit -S -n {most}"));
        self
    }

    pub fn unlimited(mut self) -> Self {
        self.shell = None;
        self
    }

    pub fn flag(mut self, name: &str, value: &str) -> Self {
        self.flags.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// An environment variable for the program.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn open(self) -> Shop {
        let mut shop = self.closed();
        shop.start();
        shop
    }

    /// A shop with a folder, not started yet.
    pub fn closed(self) -> Shop {
        let home = tempfile::tempdir().expect("a folder that goes away");
        Shop {
            options: self,
            home,
            child: None,
            address: Arc::new(RwLock::new(([0, 0, 0, 0], 0).into())),
            setup_token: None,
            panics_are_expected: AtomicBool::new(false),
        }
    }
}

impl Shop {
    pub fn open() -> Self {
        Options::new().open()
    }

    pub fn options() -> Options {
        Options::new()
    }

    /// Changes the settings of the next start.
    pub fn change(&mut self, change: impl FnOnce(Options) -> Options) {
        self.options = change(self.options.clone());
    }

    pub fn anonymous(&self) -> Client {
        Client::new(&self.address)
    }

    /// A newly registered client.
    #[track_caller]
    pub fn shopper(&self) -> Client {
        let mut shopper = self.anonymous();
        shopper.register(&format!("{}@example.com", fresh("shopper"))).created();
        shopper
    }

    /// A registered client with an address and a valid card.
    #[track_caller]
    pub fn customer(&self) -> Customer {
        Customer::of(self.shopper())
    }

    #[track_caller]
    pub fn operator(&self) -> Client {
        let mut operator = self.anonymous();
        operator.sign_in(OPERATOR_EMAIL, OPERATOR_PASSWORD).created();
        operator
    }

    pub fn raw_connection(&self) -> RawConnection {
        RawConnection::to(self.address())
    }

    /// The answer to the readiness probe as text, with the status line first.
    pub fn readyz(&self) -> String {
        let host = self.address();
        let request = format!("GET /readyz?verbose HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        self.raw_connection().say(request).listen().text
    }

    pub fn address(&self) -> SocketAddr {
        *self.address.read().expect("no panic while the address was locked")
    }

    /// The id of the process.
    pub fn process(&self) -> u32 {
        self.child.as_ref().expect("a running shop").id()
    }

    pub fn folder(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// The folder that holds the data folder, for other files of the test.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Runs another command of the program on the data folder.
    pub fn command(&self, arguments: &[&str]) -> Ran {
        Program::new(self.home(), arguments).arguments(&["--data-dir", "data"]).run()
    }

    /// Stops the shop and edits its data: the lines of a backup, without the first and the last
    /// line.
    #[track_caller]
    pub fn edit_data(&mut self, change: impl FnOnce(&mut Vec<String>)) {
        assert_eq!(self.stop(), Some(0));
        self.command(&["backup", "unedited"]).succeeded();
        let text = std::fs::read_to_string(self.home().join("unedited")).expect("a backup");
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let head = lines.remove(0);
        lines.pop();
        change(&mut lines);
        // The last line holds the checksum of the lines before it.
        let body = format!("{head}\n{}\n", lines.join("\n"));
        let end = serde_json::json!({"end": true, "lines": lines.len(), "crc32": crc32fast::hash(body.as_bytes())});
        std::fs::write(self.home().join("edited"), format!("{body}{end}\n")).expect("room for it");
        std::fs::remove_dir_all(self.folder()).expect("it is there");
        self.command(&["restore", "edited"]).succeeded();
    }

    /// The log since the first start.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    /// The test is going to crash an instance: a panic in the log is expected.
    pub fn expect_panics(&self) {
        self.panics_are_expected.store(true, Ordering::Relaxed);
    }

    /// Sends SIGTERM, as a service manager does, and waits for the end. Gives the exit code.
    #[track_caller]
    pub fn stop(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.wait()
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.process())]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the shop has ended by itself\n{}", self.log());
    }

    #[track_caller]
    pub fn wait(&mut self) -> Option<i32> {
        let ended = wait(self.child.as_mut().expect("a running shop"), PATIENCE);
        let code = ended.unwrap_or_else(|| panic!("the shop does not close\n{}", self.log()));
        self.child = None;
        code
    }

    /// Removes the limit of the file size: the disk has room again.
    pub fn lift_file_size(&self) {
        let process = format!("--pid={}", self.process());
        let lifted = Command::new("prlimit").args([&process, "--fsize=unlimited"]).status();
        assert!(lifted.is_ok_and(|status| status.success()), "prlimit is in util-linux");
    }

    /// Ends the process with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it can be killed");
            child.wait().expect("it ends");
        }
    }

    /// Starts the program on the same folder again. Existing clients use the new address.
    #[track_caller]
    pub fn start(&mut self) {
        self.try_start().unwrap_or_else(|words| panic!("the shop does not open\n{words:#?}\n{}", self.log()));
    }

    /// As [`Shop::start`]. The error holds the output of a program that did not start.
    pub fn try_start(&mut self) -> Result<(), Vec<String>> {
        let log = File::options().create(true).append(true).open(self.home.path().join("log")).expect("a log");
        let demo = if self.options.demo { "--demo" } else { "--no-demo" };
        let throttling = self.options.throttling.to_string();
        let arguments = ["serve", "--data-dir", "data", "--listen", "127.0.0.1:0", demo, "--throttling", &throttling];
        let mut program = match &self.options.shell {
            None => Program::new(self.home(), &arguments),
            Some(narrow) => Program::in_shell(self.home(), narrow, &arguments),
        };
        program = program.arguments(&self.options.flags);
        if self.options.operator {
            program = program
                .env("GALLERIA_OPERATOR_EMAIL", OPERATOR_EMAIL)
                .env("GALLERIA_OPERATOR_PASSWORD", OPERATOR_PASSWORD);
        }
        for (name, value) in &self.options.environment {
            program = program.env(name, value);
        }
        let mut child = program.start(log);
        let banner = banner(&mut child);
        self.child = Some(child);
        let told = |name: &str| banner.iter().find_map(|line| line.trim().strip_prefix(name));
        let Some(shop) = told("Shop") else { return Err(banner) };
        let plain = shop.trim().strip_prefix("http://").or(shop.trim().strip_prefix("https://"));
        let address = plain.and_then(|rest| rest.trim_end_matches('/').parse().ok());
        *self.address.write().expect("no panic while the address was locked") =
            address.unwrap_or_else(|| panic!("an address in {banner:#?}"));
        self.setup_token = told("Operator")
            .and_then(|words| words.split_once("/setup#"))
            .map(|(_, rest)| rest.split_whitespace().next().unwrap_or_default().to_owned());
        Ok(())
    }

    /// The resident memory of the process in bytes.
    pub fn resident(&self) -> usize {
        let child = self.child.as_ref().expect("a running shop");
        let pages = std::fs::read_to_string(format!("/proc/{}/statm", child.id())).expect("a running process");
        pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number") * 4096
    }

    /// Whether the process has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| child.try_wait().is_ok_and(|ended| ended.is_some()))
    }
}

/// The lines of the banner. Its last line says how to stop the shop; the shop is then ready.
fn banner(child: &mut Child) -> Vec<String> {
    let words = BufReader::new(child.stdout.take().expect("a pipe"));
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in words.lines().map_while(Result::ok) {
            // The thread reads on when the receiver is gone, so that the pipe never fills.
            let _ = tell.send(line);
        }
    });
    let mut banner = Vec::new();
    while !banner.last().is_some_and(|line: &String| line.trim().starts_with("Stop")) {
        match told.recv_timeout(PATIENCE) {
            Ok(line) => banner.push(line),
            Err(_) => break,
        }
    }
    banner
}

/// A test fails when its shop panicked unexpectedly.
impl Drop for Shop {
    fn drop(&mut self) {
        self.kill();
        let log = self.log();
        let panicked = log.contains("panicked at") && !self.panics_are_expected.load(Ordering::Relaxed);
        if std::thread::panicking() {
            let tail: Vec<_> = log.lines().rev().take(12).collect();
            eprintln!("the shop's last words:\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
        } else {
            assert!(!panicked, "something in the shop panicked:\n{log}");
        }
    }
}
