//! The command line: its flags, and which command they lead to.

use crate::{
    config::{Form, LogFormat, SETTINGS, Setting, Settings, Source},
    telemetry::logs,
    types::{Email, Text},
};
use clap::{Arg, ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, value_parser};
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
Every flag can also be set as GALLERIA_NAME in the environment and as `name` in galleria.toml. Flags override the
environment; the environment overrides the file.

Exit codes: 0 done, 1 failed (or `check` found something), 2 bad flag or setting, 3 data folder in use, 4 data folder not
writable, 5 data damaged, 6 data of another version, 7 folder not empty, 8 disk failure, 9 cannot listen, 130 forced to stop.";

#[derive(Subcommand)]
enum Command {
    /// Open the shop (the default)
    Serve,
    /// Print the route table
    Routes,
    /// Print the API as an OpenAPI 3.1 document
    Openapi,
    /// Write all data to a file, as text
    Backup { file: PathBuf },
    /// Read a backup into an empty folder
    Restore { file: PathBuf },
    /// Verify every record and the equations across services
    Check,
    /// Print the settings in force, and all settings that exist
    Config,
    /// Show the metrics of a running shop: rates, times, calls in flight and breakers, every second
    Top {
        /// Address of the shop [default: the `listen` setting]
        #[arg(long)]
        url: Option<String>,
        /// Print once and end
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
    /// Create an operator's account, or give an account the role; the password is read from the
    /// terminal or a pipe
    Create {
        #[arg(long)]
        email: Email,
        #[arg(long, default_value = "Operator")]
        name: Text<1, 100>,
    },
}

/// The flags of the settings, made from their table, and `--config`.
struct Flags {
    config: Option<PathBuf>,
    settings: Source,
}

impl Args for Flags {
    fn augment_args(command: clap::Command) -> clap::Command {
        let config = Arg::new("config").long("config").value_name("FILE").global(true);
        let config =
            config.value_parser(value_parser!(PathBuf)).help("Settings file [default: galleria.toml, if it exists]");
        SETTINGS.iter().flat_map(flags_of).fold(command.arg(config), clap::Command::arg)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

/// The flags of one setting: none, one, or `--name` and `--no-name`.
fn flags_of(setting: &'static Setting) -> Vec<Arg> {
    let default = if setting.default.is_empty() { String::new() } else { format!(" [default: {}]", setting.default) };
    let flag = Arg::new(setting.name).long(setting.name.replace('_', "-")).global(true);
    let flag = flag.help(format!("{}{default}", capitalised(setting.meaning)));
    match setting.form {
        Form::Value => vec![flag.value_name(setting.value)],
        Form::List => vec![flag.value_name(setting.value).action(ArgAction::Append)],
        Form::Switch => {
            let off = format!("no-{}", setting.name.replace('_', "-"));
            let flag = flag.action(ArgAction::SetTrue).overrides_with(off.clone());
            let off =
                Arg::new(off.clone()).long(off).global(true).action(ArgAction::SetTrue).overrides_with(setting.name);
            vec![flag, off.help(format!("The opposite of {}", setting.flag()))]
        }
        Form::Environment => Vec::new(),
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self { config: None, settings: Source::default() };
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.config = matches.get_one::<PathBuf>("config").cloned();
        for setting in SETTINGS.iter().filter(|setting| setting.form != Form::Environment) {
            let value = match setting.form {
                Form::Switch => {
                    let off = format!("no-{}", setting.name.replace('_', "-"));
                    let switch = [("true", setting.name), ("false", off.as_str())].into_iter();
                    switch.filter(|(_, flag)| matches.get_flag(flag)).map(|(value, _)| value.to_owned()).next()
                }
                _ => matches.get_many::<String>(setting.name).map(|all| all.cloned().collect::<Vec<_>>().join(",")),
            };
            if let Some(value) = value {
                let set = self.settings.set(setting.name, value, setting.flag());
                set.map_err(|error| clap::Error::raw(clap::error::ErrorKind::InvalidValue, error))?;
            }
        }
        Ok(())
    }
}

/// Runs the command of the command line; gives the exit code.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let read = || {
        let environment = Source::environment(std::env::vars())?;
        Settings::from_sources(&[Source::file(cli.flags.config.as_deref())?, environment, cli.flags.settings.clone()])
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

/// Prints one line to standard error.
fn fail(message: &str, code: u8) -> ExitCode {
    eprintln!("galleria: {message}");
    ExitCode::from(code)
}
