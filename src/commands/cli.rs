//! The command line: its flags, and which command they lead to.

use crate::{
    config::{BadSetting, Given, LogFormat, Settings},
    telemetry::logs,
    types::{Email, Text},
};
use clap::{Args, CommandFactory, Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

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
writable, 5 data damaged, 6 data of another version, 7 folder not empty, 8 disk failure, 9 cannot listen, 130 forced to stop.";

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

/// Does what the command line says; gives the code to end with.
pub fn run() -> ExitCode {
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
        Command::Serve => super::serve(&settings, operator, read),
        Command::Routes => super::routes(),
        Command::Openapi => super::openapi(),
        Command::Backup { file } => super::backup(&settings, &file),
        Command::Restore { file } => super::restore(&settings, &file),
        Command::Check => super::check(&settings),
        Command::Config => super::config(&settings),
        Command::Top { url, once } => super::top(&url.unwrap_or_else(|| format!("http://{}", settings.listen)), once),
        Command::Operator(OperatorCommand::Create { email, name }) => {
            super::create_operator(&settings, operator, email, name)
        }
        Command::Completions { shell } => super::completions(&mut Cli::command(), shell),
    };
    log::logger().flush();
    done.unwrap_or_else(|error| fail(&error.to_string(), error.exit_code()))
}

/// One clear line.
fn fail(words: &str, code: u8) -> ExitCode {
    eprintln!("galleria: {words}");
    ExitCode::from(code)
}
