//! The command line.

use clap::{Args, CommandFactory, Parser, Subcommand};
use galleria::{
    app::{self, Doorway, Fatal, Open, Shop},
    config::{BadSetting, FirstOperator, Given, LogFormat, Settings},
    env::Env,
    gateway::{self, routes::ROUTES},
    storage::{self, Storage, StorageError},
    telemetry::{Tracer, logs},
    types::{Certificate, Email, Secret, Text},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::Instant,
};
use top::Look;

mod top;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A complete web shop in one binary, and a working lesson in microservices and API gateways.
#[derive(Parser)]
#[command(version, about, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags,
}

const EXIT_CODES: &str = "\
Every flag can also be set as GALLERIA_NAME in the environment and as `name` in galleria.toml; flags win over the
environment, and that over the file.

Exit codes: 0 done, 1 failed (or `check` found something), 2 bad flag or setting, 3 data folder in use, 4 data folder not
writable, 5 data damaged, 6 data of a newer version, 7 folder not empty, 8 disk failure, 9 cannot listen, 130 forced to stop.";

#[derive(Subcommand)]
enum Command {
    /// Open the shop (what happens without a command)
    Serve,
    /// Print the route table
    Routes,
    /// Print the API as an OpenAPI 3.1 document
    Openapi,
    /// Write all data to a file, as text
    Backup { file: PathBuf },
    /// Read all data from such a file into an empty folder
    Restore { file: PathBuf },
    /// Verify every record and every rule across records
    Check,
    /// Print the settings that would be used, and what can be set
    Config,
    /// Look at a running shop: rates, times, calls in hand and breakers, anew each second
    Top {
        /// Where it is [default: where this one would listen]
        #[arg(long)]
        url: Option<String>,
        /// Look once, and end
        #[arg(long)]
        once: bool,
    },
    /// Manage operators' accounts
    #[command(subcommand)]
    Operator(OperatorCommand),
    /// Print a completion script for a shell
    Completions { shell: clap_complete::Shell },
}

#[derive(Subcommand)]
enum OperatorCommand {
    /// Make an operator's account, or make an account an operator's; the password is read from the terminal or a pipe
    Create {
        #[arg(long)]
        email: Email,
        #[arg(long, default_value = "Operator")]
        name: Text<1, 100>,
    },
}

#[derive(Args)]
struct Flags {
    /// Address and port of the door; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where everything is kept [default: ./data]
    #[arg(long, global = true, value_name = "FOLDER")]
    data_dir: Option<String>,
    /// Settings file [default: galleria.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Instances of a service, such as orders=4; may be given again [default: 2 of each]
    #[arg(long, global = true, value_name = "SERVICE=N")]
    instances: Vec<String>,
    /// Fill a shop without products with the demo catalogue [default]
    #[arg(long, global = true, overrides_with = "no_demo")]
    demo: bool,
    /// Leave a new shop empty
    #[arg(long, global = true, overrides_with = "demo")]
    no_demo: bool,
    /// How many times faster than real time the carrier moves parcels [default: 3600]
    #[arg(long, global = true, value_name = "N")]
    carrier_speed: Option<String>,
    /// What goes wrong at the payment provider's sandbox, such as delay=300,fail=30,lose=10,twice=20 (ms, percent) [default: nothing]
    #[arg(long, global = true, value_name = "FAULT=N")]
    provider_faults: Option<String>,
    /// Whether clients that call too often are told to wait [default: true], and how often: browse.rate=100,browse.burst=1000
    #[arg(long, global = true, value_name = "BOOL|CLASS.RATE=N")]
    throttling: Option<String>,
    /// Speak TLS with a certificate that is made at each start: self-signed
    #[arg(long, global = true, value_name = "self-signed")]
    tls: Option<String>,
    /// Speak TLS with this certificate, a PEM file; read again on SIGHUP
    #[arg(long, global = true, value_name = "FILE")]
    tls_cert: Option<String>,
    /// Its private key, a PEM file
    #[arg(long, global = true, value_name = "FILE")]
    tls_key: Option<String>,
    /// Sites whose pages may use the API, such as https://app.example, with commas between
    #[arg(long, global = true, value_name = "ORIGINS")]
    cors_origins: Option<String>,
    /// Names that the shop is called by beside localhost and IP addresses, with commas between
    #[arg(long, global = true, value_name = "NAMES")]
    allowed_hosts: Option<String>,
    /// Networks of proxies whose word about a client's address is believed, such as 10.0.0.0/8, with commas between
    #[arg(long, global = true, value_name = "NETWORKS")]
    trusted_proxies: Option<String>,
    /// Threads that serve HTTP [default: one a core]
    #[arg(long, global = true, value_name = "N")]
    workers: Option<String>,
    /// Log lines for people (text), or one JSON object each (json) [default: text]
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
    /// MiB in which the spans of the last minutes are kept; 0 for none [default: 16]
    #[arg(long, global = true, value_name = "MIB")]
    trace_memory: Option<String>,
    /// Forget what operators changed while the shop ran
    #[arg(long, global = true)]
    reset_controls: bool,
}

impl Flags {
    fn given(&self) -> Result<Given, BadSetting> {
        let mut given = Given::default();
        let instances = (!self.instances.is_empty()).then(|| self.instances.join(","));
        let reset = self.reset_controls.then(|| "true".to_owned());
        let demo = (self.demo || self.no_demo).then(|| self.demo.to_string());
        #[rustfmt::skip]
        let flags = [
            ("listen",          "--listen",          &self.listen),
            ("data_dir",        "--data-dir",        &self.data_dir),
            ("instances",       "--instances",       &instances),
            ("demo",            "--demo",            &demo),
            ("carrier_speed",   "--carrier-speed",   &self.carrier_speed),
            ("provider_faults", "--provider-faults", &self.provider_faults),
            ("throttling",      "--throttling",      &self.throttling),
            ("allowed_hosts",   "--allowed-hosts",   &self.allowed_hosts),
            ("trusted_proxies", "--trusted-proxies", &self.trusted_proxies),
            ("workers",         "--workers",         &self.workers),
            ("tls",             "--tls",             &self.tls),
            ("tls_cert",        "--tls-cert",        &self.tls_cert),
            ("tls_key",         "--tls-key",         &self.tls_key),
            ("cors_origins",    "--cors-origins",    &self.cors_origins),
            ("log_format",      "--log-format",      &self.log_format),
            ("trace_memory",    "--trace-memory",    &self.trace_memory),
            ("reset_controls",  "--reset-controls",  &reset),
        ];
        for (name, flag, value) in flags {
            if let Some(value) = value {
                given.set(name, value.clone(), flag)?;
            }
        }
        Ok(given)
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let read = || {
        let environment = Given::of_environment(std::env::vars())?;
        Settings::from_sources(&[Given::of_file(cli.flags.config.as_deref())?, environment, cli.flags.given()?])
    };
    let (settings, operator) = match read() {
        Ok(settings) => settings,
        Err(error) => return fail(&error.to_string(), 2),
    };
    logs::start(settings.log_format == LogFormat::Json);
    let done = match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(&settings, operator, read),
        Command::Routes => routes(),
        Command::Openapi => openapi(),
        Command::Backup { file } => backup(&settings, &file),
        Command::Restore { file } => restore(&settings, &file),
        Command::Check => check(&settings),
        Command::Config => config(&settings),
        Command::Top { url, once } => look(url.unwrap_or_else(|| format!("http://{}", settings.listen)), once),
        Command::Operator(OperatorCommand::Create { email, name }) => create_operator(&settings, operator, email, name),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "galleria", &mut script);
            say(&String::from_utf8_lossy(&script)).map(|()| ExitCode::SUCCESS)
        }
    };
    done.unwrap_or_else(|error| fail(&error.to_string(), error.exit_code()))
}

/// One clear line.
fn fail(words: &str, code: u8) -> ExitCode {
    eprintln!("galleria: {words}");
    ExitCode::from(code)
}

/// Whoever closes the pipe has read enough: `galleria routes | head`.
fn say(words: &str) -> Result<(), Fatal> {
    let mut out = io::stdout();
    match out.write_all(words.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Fatal::Refused(format!("standard output cannot be written to: {error}")))
        }
        _ => Ok(()),
    }
}

fn serve(
    settings: &Settings,
    operator: Option<FirstOperator>,
    read: impl Fn() -> Result<(Settings, Option<FirstOperator>), BadSetting>,
) -> Result<ExitCode, Fatal> {
    open_all_files();
    actix::System::new().block_on(async {
        let doorway = Doorway::take(settings, &Env::system())?;
        let (open, serving) = app::open(settings, &doorway, operator.clone(), Env::system()).await?;
        greet(settings, &open);
        // Done once: a folder that is opened anew keeps what was changed since.
        let settings = &Settings { reset_controls: false, ..settings.clone() };
        let mut serving = Serving { open, ends: actix::spawn(serving) };
        let (mut settings, mut told_to_read) = (settings.clone(), hangups());
        loop {
            tokio::select! {
                () = until_told_to_stop() => break,
                () = told_to_read.next() => {
                    match read() {
                        Ok((new, _)) => serving.open.change(&mut settings, new).await,
                        Err(error) => log::error!("the settings stay as they are: {error}"),
                    }
                    continue;
                }
                () = serving.open.shop.disk_comes_back() => {}
            }
            log::warn!("the disk takes writes again: opening the folder anew");
            if let Err(error) = serving.close().await {
                log::warn!("not closed in order: {error}");
            }
            serving = open_again(&settings, &doorway, operator.clone()).await?;
        }
        let tracer = doorway.close();
        log::info!("closing: no new requests, those in flight finish");
        actix::spawn(async {
            until_told_to_stop().await;
            // Told twice: at once, and as after a crash the next start recovers.
            std::process::exit(130);
        });
        serving.close().await?;
        tracer.close();
        log::info!("closed");
        Ok(ExitCode::SUCCESS)
    })
}

/// Until Ctrl-C, or until whoever reads it has read enough.
fn look(url: String, once: bool) -> Result<ExitCode, Fatal> {
    let url = url.trim_end_matches('/');
    let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().timeout_global(Some(LOOK_WITHIN)).build());
    let scrape = || -> Result<(Look, Instant), Fatal> {
        let answer = agent.get(format!("{url}/metrics")).call();
        let text = answer.and_then(|mut answer| answer.body_mut().read_to_string());
        let text = text.map_err(|error| Fatal::Refused(format!("there is no shop to look at on {url}: {error}")))?;
        Ok((Look::read(&text), Instant::now()))
    };
    let (mut before, mut then) = scrape()?;
    loop {
        std::thread::sleep(LOOK_EVERY);
        let (now, at) = scrape()?;
        let clear = if io::stdout().is_terminal() { "\x1b[H\x1b[J" } else { "" };
        let screen = format!("{clear}{}", top::screen(url, &before, &now, at - then));
        say(&screen)?;
        let is_read = io::stdout().write_all(b"\n").and_then(|()| io::stdout().flush()).is_ok();
        if once || !is_read {
            return Ok(ExitCode::SUCCESS);
        }
        (before, then) = (now, at);
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_WITHIN: Duration = Duration::from_secs(5);

/// Every connection is an open file. A shell lets a program have a thousand, and as many more as it asks for, up to a limit of the
/// system's: with a thousand, some hundreds who say nothing would keep everybody else out.
fn open_all_files() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        log::warn!("no more than {:?} connections and files at a time: {error}", limit.current);
    }
}

/// An open shop that serves.
struct Serving {
    open: Open,
    ends: tokio::task::JoinHandle<io::Result<()>>,
}

impl Serving {
    async fn close(self) -> Result<(), StorageError> {
        let Open { shop, door, .. } = self.open;
        door.close().await;
        let _ = self.ends.await;
        drop(door);
        shop.close()
    }
}

/// Tries until the disk lets it.
async fn open_again(settings: &Settings, doorway: &Doorway, operator: Option<FirstOperator>) -> Result<Serving, Fatal> {
    loop {
        match app::open(settings, doorway, operator.clone(), Env::system()).await {
            Ok((open, serving)) => {
                log::info!("open again");
                return Ok(Serving { open, ends: actix::spawn(serving) });
            }
            Err(error) if error.may_pass() => log::error!("not open yet: {error}"),
            Err(error) => return Err(error),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn greet(settings: &Settings, open: &Open) {
    let address = open.address;
    let fingerprint = open.door.fingerprint();
    let scheme = if fingerprint.is_some() { "https" } else { "http" };
    let operator = match &open.setup_token {
        Some(token) => {
            let token = token.expose();
            format!("make the operator's account at {scheme}://{address}/setup#{token} (once, within 30 minutes)")
        }
        None => format!("sign in with the operator's account at {scheme}://{address}/sign-in"),
    };
    let greeting = format!(
        "Galleria {} is open.\n  Shop      {scheme}://{address}/\n  Operator  {operator}\n  Data      {}\n  Stop      Ctrl-C\n",
        env!("CARGO_PKG_VERSION"),
        settings.data_dir.display()
    );
    if let Err(error) = say(&greeting) {
        log::warn!("{error}");
    }
    if let (Some(Certificate::SelfSigned), Some(fingerprint)) = (&settings.certificate, &fingerprint) {
        eprintln!(
            "galleria: the certificate was made just now; browsers will warn of it. Its SHA-256 fingerprint is {fingerprint}"
        );
    }
    if !address.ip().is_loopback() && fingerprint.is_none() {
        eprintln!(
            "galleria: warning: {address} can be reached from other machines, and what they send is not encrypted"
        );
    }
}

/// SIGHUP: read the settings again.
struct Hangups(Option<Signal>);

fn hangups() -> Hangups {
    Hangups(signal(SignalKind::hangup()).ok())
}

impl Hangups {
    async fn next(&mut self) {
        match &mut self.0 {
            Some(signal) => _ = signal.recv().await,
            None => std::future::pending().await,
        }
    }
}

async fn until_told_to_stop() {
    let (interrupt, terminate) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    match (interrupt, terminate) {
        (Ok(mut interrupt), Ok(mut terminate)) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        _ => std::future::pending().await,
    }
}

fn routes() -> Result<ExitCode, Fatal> {
    let mut table = format!("# every request passes: {}\n", gateway::duty_names().collect::<Vec<_>>().join(" > "));
    let width = ROUTES.iter().map(|route| route.path.len()).max().unwrap_or_default();
    for route in ROUTES {
        let (access, class, key, cache) = (route.access.name(), route.class.name(), route.key.name(), route.cache);
        let (method, path, seconds) = (route.method.as_str(), route.path, route.deadline.as_secs());
        table += &format!("{method:7} {path:width$}  {access:9} {class:8} {seconds:>3} s  key {key:8} cache {cache}\n");
    }
    say(&table)?;
    Ok(ExitCode::SUCCESS)
}

fn openapi() -> Result<ExitCode, Fatal> {
    say(&format!("{}\n", gateway::openapi_document()))?;
    Ok(ExitCode::SUCCESS)
}

fn config(settings: &Settings) -> Result<ExitCode, Fatal> {
    let mut list = format!("{settings:#?}\n\n");
    for (name, default, meaning) in galleria::config::SETTINGS {
        list += &format!("{name:18} {meaning} [default: {default}]\n");
    }
    say(&list)?;
    Ok(ExitCode::SUCCESS)
}

fn create_operator(
    settings: &Settings,
    given: Option<FirstOperator>,
    email: Email,
    name: Text<1, 100>,
) -> Result<ExitCode, Fatal> {
    let password = match given {
        Some(operator) => operator.password,
        None => read_password()?,
    };
    actix::System::new().block_on(async {
        let shop = Shop::open(settings, Env::system(), Tracer::off())?;
        let made = shop.create_operator(email.clone(), password, name).await;
        shop.close()?;
        made?;
        say(&format!("{email} is an operator of the shop in {}.\n", settings.data_dir.display()))?;
        Ok(ExitCode::SUCCESS)
    })
}

fn read_password() -> Result<Secret, Fatal> {
    if io::stdin().is_terminal() {
        eprint!("Password (12 to 128 characters; it will be shown): ");
    }
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Fatal::Refused(format!("the password could not be read: {error}")))?;
    Ok(Secret::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

fn backup(settings: &Settings, file: &Path) -> Result<ExitCode, Fatal> {
    let refused = |error: io::Error| Fatal::Refused(format!("{} cannot be written: {error}", file.display()));
    if !settings.data_dir.exists() {
        return Err(Fatal::Refused(format!("there is no data in {}", settings.data_dir.display())));
    }
    if file.exists() {
        return Err(Fatal::Refused(format!("{} exists already; name a file that does not", file.display())));
    }
    let storage = Storage::open(&settings.data_dir, &Env::system())?;
    // Written beside it first, so that a backup that is there is whole. It holds what the data folder holds, the keys too:
    // for its owner's eyes.
    let part = PathBuf::from(format!("{}.part", file.display()));
    let out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part).map_err(refused)?;
    let written = storage::backup(&storage, BufWriter::new(&out)).map_err(Fatal::from).and_then(|lines| {
        out.sync_all().and_then(|()| std::fs::rename(&part, file)).map_err(refused)?;
        Ok(lines)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    storage.close()?;
    say(&format!("{} lines written to {}.\n", written?, file.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn restore(settings: &Settings, file: &Path) -> Result<ExitCode, Fatal> {
    let opened =
        File::open(file).map_err(|error| Fatal::Refused(format!("{} cannot be read: {error}", file.display())))?;
    let lines = storage::restore(&settings.data_dir, BufReader::new(opened), &Env::system())?;
    say(&format!("{lines} lines restored into {}.\n", settings.data_dir.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Every record by itself, then the books across all services.
fn check(settings: &Settings) -> Result<ExitCode, Fatal> {
    if !settings.data_dir.exists() {
        return Err(Fatal::Refused(format!("there is no data in {}", settings.data_dir.display())));
    }
    actix::System::new().block_on(async {
        let shop = Shop::open(settings, Env::system(), Tracer::off())?;
        let found = shop.check().await;
        shop.close()?;
        let found = found?;
        let faults: String = found.faults.iter().map(|line| format!("FAULT  {line}\n")).collect();
        let notes: String = found.notes.iter().map(|line| format!("NOTE   {line}\n")).collect();
        let (records, holding, count) = (found.records, found.holding, found.faults.len());
        say(&format!("{faults}{notes}{records} records, {holding} equations hold, {count} faults.\n"))?;
        Ok(if found.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}
