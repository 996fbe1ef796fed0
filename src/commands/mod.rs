//! The commands of `galleria`: one function a command. Here are the commands that need no running
//! shop.
//!
//! ## Decisions
//!
//! - **The command line is part of the library.** `main.rs` only calls it. An async function is compiled
//!   where it is awaited, so in the binary the server would be compiled once more. Consequence: a first
//!   build takes less time.
//! - **Commands that check or change data open the data folder themselves.** Consequence: they need no
//!   running shop, and the lock of the folder keeps them from a running one.

mod cli;
mod output;
mod serve;
mod top;

pub use cli::run;
use output::say;
use serve::serve;
use top::top;

use crate::{
    app::{Fatal, Shop},
    config::{FirstOperator, SETTINGS, Setting, Settings},
    env::Env,
    gateway::{self, routes::ROUTES},
    storage::{self, Storage},
    telemetry::Tracer,
    types::{Email, Secret, Text},
};
use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, IsTerminal},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

fn routes() -> Result<ExitCode, Fatal> {
    let mut table =
        format!("# every request runs through: {}\n", gateway::filter_names().collect::<Vec<_>>().join(" > "));
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
    for Setting { name, default, meaning, .. } in SETTINGS {
        list += &format!("{name:18} {meaning} [default: {default}]\n");
    }
    say(&list)?;
    Ok(ExitCode::SUCCESS)
}

fn completions(cli: &mut clap::Command, shell: clap_complete::Shell) -> Result<ExitCode, Fatal> {
    let mut script = Vec::new();
    clap_complete::generate(shell, cli, "galleria", &mut script);
    say(&String::from_utf8_lossy(&script))?;
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
    // Written to a file beside it and renamed, so that a backup is never half written. It holds the
    // signing keys, too: only its owner may read it.
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

/// Checks every record, then the equations across all services.
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
