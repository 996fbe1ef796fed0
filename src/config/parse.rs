//! From a setting's text to its value. Each parser also takes the value of the sources before, if
//! any.

use crate::{
    gateway::Throttling,
    services::payments::ProviderFaults,
    types::{Email, Network, Secret, Service, parse_bool},
};
use std::{net::SocketAddr, path::PathBuf, str::FromStr};

type Parsed<T> = Result<T, String>;

/// How many instances each service has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instances([usize; Service::COUNT]);

const MOST_INSTANCES: usize = 32;

impl Default for Instances {
    fn default() -> Self {
        Self([2; Service::COUNT])
    }
}

impl Instances {
    pub fn of(&self, service: Service) -> usize {
        self.0[service as usize]
    }
}

/// Pairs such as `orders=4,products=2`.
pub(super) fn instances(text: &str, before: Option<&Instances>) -> Parsed<Instances> {
    let mut instances = before.cloned().unwrap_or_default();
    for part in list(text) {
        let (name, count) = part.split_once('=').ok_or_else(|| format!("`{part}` is not of the form service=n"))?;
        let service = Service::from_str(name.trim()).map_err(|error| error.to_string())?;
        let count = count.trim().parse().ok().filter(|count| (1..=MOST_INSTANCES).contains(count));
        instances.0[service as usize] =
            count.ok_or_else(|| format!("`{part}`: a service has 1 to {MOST_INSTANCES} instances"))?;
    }
    Ok(instances)
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people, in colours on a terminal.
    #[default]
    Text,
    /// One JSON object a line, for programs.
    Json,
}

pub(super) fn log_format(text: &str, _: Option<&LogFormat>) -> Parsed<LogFormat> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        other => Err(format!("`{other}` is neither text nor json")),
    }
}

/// The items of a list with commas between them.
fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

pub(super) fn address(text: &str, _: Option<&SocketAddr>) -> Parsed<SocketAddr> {
    text.parse().map_err(|_| format!("`{text}` is not an address and a port such as 127.0.0.1:8080"))
}

pub(super) fn folder(text: &str, _: Option<&PathBuf>) -> Parsed<PathBuf> {
    if text.is_empty() { Err("must name a folder".into()) } else { Ok(text.into()) }
}

pub(super) fn file(text: &str, _: Option<&Option<PathBuf>>) -> Parsed<Option<PathBuf>> {
    Ok((!text.is_empty()).then(|| text.into()))
}

pub(super) fn boolean(text: &str, _: Option<&bool>) -> Parsed<bool> {
    parse_bool(text)
}

/// Above 0 and up to 1e9.
pub(super) fn speed(text: &str, _: Option<&f64>) -> Parsed<f64> {
    let speed = text.parse().ok().filter(|speed: &f64| speed.is_finite() && *speed > 0.0 && *speed <= 1e9);
    speed.ok_or_else(|| format!("`{text}` is not a number above 0 and up to 1e9"))
}

pub(super) fn faults(text: &str, _: Option<&ProviderFaults>) -> Parsed<ProviderFaults> {
    text.parse()
}

pub(super) fn throttling(text: &str, before: Option<&Throttling>) -> Parsed<Throttling> {
    let mut throttling = before.cloned().unwrap_or_default();
    throttling.set(text)?;
    Ok(throttling)
}

/// Whether the certificate is made at each start.
pub(super) fn tls(text: &str, _: Option<&bool>) -> Parsed<bool> {
    match text {
        "self-signed" => Ok(true),
        "" | "off" => Ok(false),
        _ => Err(format!(
            "`{text}` is neither self-signed nor off; a certificate of your own goes into tls_cert and tls_key"
        )),
    }
}

/// Origins as browsers send them (RFC 6454 §6.2): a scheme and a host, perhaps a port, nothing
/// after it.
pub(super) fn origins(text: &str, _: Option<&Vec<String>>) -> Parsed<Vec<String>> {
    let origin = |text: &str| {
        let (scheme, host) = text.split_once("://").unwrap_or_default();
        let is_host = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]_".contains(&b));
        let is_good = matches!(scheme, "http" | "https") && is_host && !text.bytes().any(|b| b.is_ascii_uppercase());
        is_good.then(|| text.to_owned()).ok_or_else(|| format!("`{text}` is not an origin such as https://app.example"))
    };
    list(text).map(origin).collect()
}

pub(super) fn hosts(text: &str, _: Option<&Vec<String>>) -> Parsed<Vec<String>> {
    Ok(list(text).map(str::to_ascii_lowercase).collect())
}

pub(super) fn networks(text: &str, _: Option<&Vec<Network>>) -> Parsed<Vec<Network>> {
    list(text).map(str::parse).collect()
}

/// From 1 to 256; one a core where the text is empty.
pub(super) fn workers(text: &str, before: Option<&usize>) -> Parsed<usize> {
    if text.is_empty() && before.is_none() {
        return Ok(std::thread::available_parallelism().map_or(2, Into::into));
    }
    let workers = text.parse().ok().filter(|workers| (1..=256).contains(workers));
    workers.ok_or_else(|| format!("`{text}` is not a number from 1 to 256"))
}

/// MiB, at most 4096.
pub(super) fn memory(text: &str, _: Option<&usize>) -> Parsed<usize> {
    const MOST: usize = 4096;
    let memory = text.parse().ok().filter(|memory| *memory <= MOST);
    memory.ok_or_else(|| format!("`{text}` is not a number of MiB from 0 to {MOST}"))
}

/// `None` only as the default: an empty variable is no address.
pub(super) fn email(text: &str, before: Option<&Option<Email>>) -> Parsed<Option<Email>> {
    match before {
        None => Ok(None),
        Some(_) => text.parse().map(Some).map_err(|error: crate::types::email::BadEmail| error.to_string()),
    }
}

pub(super) fn password(text: &str, before: Option<&Option<Secret>>) -> Parsed<Option<Secret>> {
    Ok(before.map(|_| Secret::new(text.to_owned())))
}
