//! Runs the work of an order in PostgreSQL: one prepared transaction of a guarded stock update and
//! four inserts. Each transaction is on disk before its reply, because `fsync` and
//! `synchronous_commit` are on by default.

use super::Seen;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

/// A PostgreSQL cluster in a temporary folder. Clients use a socket in that folder.
pub struct Postgres {
    folder: TempDir,
    programs: PathBuf,
}

const PRODUCTS: usize = 100;

const TABLES: &str = "
    CREATE TABLE products (id int PRIMARY KEY, available int NOT NULL CHECK (available >= 0));
    CREATE TABLE orders (id uuid PRIMARY KEY, customer int NOT NULL, product int NOT NULL, placed timestamptz NOT NULL, body jsonb NOT NULL);
    CREATE INDEX ON orders (customer, placed);
    CREATE TABLE payments (id uuid PRIMARY KEY, order_id uuid NOT NULL, amount int NOT NULL, body jsonb NOT NULL);
    CREATE TABLE shipments (id uuid PRIMARY KEY, order_id uuid NOT NULL, body jsonb NOT NULL);
    CREATE TABLE notifications (id uuid PRIMARY KEY, customer int NOT NULL, body jsonb NOT NULL);
    CREATE INDEX ON notifications (customer);
    INSERT INTO products SELECT id, 1000000000 FROM generate_series(1, 100) id;
";

/// The script for `pgbench`. Its bodies are about as long as the records of the shop.
fn transaction() -> String {
    let body = format!(r#"{{"address": "{}", "items": "{}"}}"#, "a".repeat(200), "i".repeat(200));
    format!(
        "\\set product random(1, {PRODUCTS})\n\\set customer random(1, 128)\n\
         BEGIN;\n\
         UPDATE products SET available = available - 1 WHERE id = :product AND available >= 1;\n\
         INSERT INTO orders VALUES (gen_random_uuid(), :customer, :product, now(), '{body}');\n\
         INSERT INTO payments VALUES (gen_random_uuid(), gen_random_uuid(), 100, '{body}');\n\
         INSERT INTO shipments VALUES (gen_random_uuid(), gen_random_uuid(), '{body}');\n\
         INSERT INTO notifications VALUES (gen_random_uuid(), :customer, '{body}');\n\
         END;\n"
    )
}

impl Postgres {
    /// Starts the cluster. Prints the reason and gives `None` if PostgreSQL is not installed or
    /// does not start.
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            println!("PostgreSQL is not installed (Debian: postgresql): its columns stay empty.\n");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder that goes away");
        let it = Self { folder, programs };
        // PostgreSQL refuses to run as root, so it runs as the account of its package.
        it.run("chown", &["postgres", it.path()], false)?;
        it.run("initdb", &["-D", &it.data(), "-A", "trust", "-U", "postgres", "--no-sync"], true)?;
        let options = format!("-c listen_addresses='' -c max_connections=200 -c unix_socket_directories={}", it.path());
        it.run(
            "pg_ctl",
            &["-D", &it.data(), "-o", &options, "-l", &format!("{}/log", it.path()), "-w", "start"],
            true,
        )?;
        fs::write(it.folder.path().join("order.sql"), transaction()).expect("room for it");
        it.run("psql", &["-h", it.path(), "-U", "postgres", "-q", "-c", TABLES], true)?;
        Some(it)
    }

    /// Runs transactions for `time`, rounded up to whole seconds.
    pub fn transactions_for(&self, clients: usize, time: Duration) -> Seen {
        let seconds = (time.as_secs_f64().ceil() as u64).max(1).to_string();
        let (clients, script) = (clients.to_string(), format!("{}/order.sql", self.path()));
        let threads = if clients == "1" { "1" } else { "2" };
        let log = format!("{}/transactions", self.path());
        let arguments = [
            &["-h", self.path(), "-U", "postgres", "-n", "-M", "prepared", "-f", &script][..],
            &["-c", &clients, "-j", threads, "-T", &seconds, "-l", "--log-prefix", &log, "postgres"],
        ]
        .concat();
        let said = self.run("pgbench", &arguments, true).expect("it worked when it was started");
        let tps = said.lines().find_map(|line| line.strip_prefix("tps = ")).and_then(|rest| rest.split(' ').next());
        let per_second = tps.and_then(|tps| tps.parse().ok()).unwrap_or_else(|| panic!("no figure in {said}"));
        Seen::of(per_second, self.logged("transactions"))
    }

    /// The time of each transaction, from the logs whose names begin with `prefix`. Removes these
    /// logs. pgbench writes one log a thread and one line a transaction; the third word of a line
    /// is the time in microseconds.
    fn logged(&self, prefix: &str) -> Vec<Duration> {
        let files = fs::read_dir(self.folder.path()).expect("it is there").flatten();
        let logs = files.filter(|file| file.file_name().to_string_lossy().starts_with(prefix));
        let texts: Vec<_> = logs
            .map(|log| {
                let text = fs::read_to_string(log.path()).expect("what pgbench logged");
                fs::remove_file(log.path()).expect("it is ours");
                text
            })
            .collect();
        let micros = texts.iter().flat_map(|text| text.lines()).filter_map(|line| line.split(' ').nth(2)?.parse().ok());
        micros.map(Duration::from_micros).collect()
    }

    fn path(&self) -> &str {
        self.folder.path().to_str().expect("a path in ASCII")
    }

    fn data(&self) -> String {
        format!("{}/data", self.path())
    }

    fn run(&self, program: &str, arguments: &[&str], is_its_own: bool) -> Option<String> {
        let own = self.programs.join(program);
        let mut command = match is_its_own {
            true if is_root() => {
                let mut command = Command::new("runuser");
                command.args(["-u", "postgres", "--"]).arg(own);
                command
            }
            true => Command::new(own),
            false if is_root() => Command::new(program),
            false => return Some(String::new()),
        };
        let ran = command.args(arguments).current_dir("/").output().ok()?;
        if !ran.status.success() {
            println!("{program}: {}\n", String::from_utf8_lossy(&ran.stderr));
            return None;
        }
        Some(String::from_utf8_lossy(&ran.stdout).into_owned())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.run("pg_ctl", &["-D", &self.data(), "-m", "immediate", "stop"], true);
    }
}

/// The folder of PostgreSQL's programs: where Debian installs them, or a folder of `PATH`.
fn programs() -> Option<PathBuf> {
    let versions =
        fs::read_dir("/usr/lib/postgresql").ok().into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<_> = versions.chain(std::env::split_paths(&paths)).filter(|folder| has_all(folder)).collect();
    found.sort();
    found.pop()
}

fn has_all(folder: &Path) -> bool {
    ["initdb", "pg_ctl", "psql", "pgbench"].iter().all(|program| folder.join(program).exists())
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
