//! Settings: defaults < `galleria.toml` < environment < flags.
//!
//! [`SETTINGS`] is the list; each setting has one name, spelled `carrier_speed` in the file, `GALLERIA_CARRIER_SPEED` in the
//! environment and `--carrier-speed` on the command line.

use crate::services::payments::ProviderFaults;
use crate::types::{Certificate, Email, Network, Secret, Service, Throttling, throttling::parse_bool};
use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

/// What can be set: name, default, meaning.
#[rustfmt::skip]
pub const SETTINGS: &[(&str, &str, &str)] = &[
    ("listen",            "127.0.0.1:8080", "address and port of the door; port 0 takes a free one"),
    ("data_dir",          "./data",         "where everything is kept"),
    ("instances",         "2 of each",      "instances of services: orders=4,products=2"),
    ("demo",              "true",           "whether a shop without products gets the demo catalogue"),
    ("carrier_speed",     "3600",           "how many times faster than real time the carrier moves parcels"),
    ("provider_faults",   "",               "what goes wrong at the payment provider's sandbox: delay=300,fail=30,lose=10,twice=20 (ms, percent)"),
    ("throttling",        "true",           "whether clients that call too often are told to wait, and how often that is: browse.rate=100,browse.burst=1000"),
    ("tls",               "",               "self-signed: speak TLS with a certificate that is made at each start"),
    ("tls_cert",          "",               "speak TLS with this certificate: a PEM file, the chain after it (with tls_key); read again on SIGHUP"),
    ("tls_key",           "",               "its private key: a PEM file"),
    ("cors_origins",      "",               "sites whose pages may use the API, such as https://app.example, with commas between"),
    ("allowed_hosts",     "",               "names beside localhost and IP addresses that the shop is called by"),
    ("trusted_proxies",   "",               "networks whose X-Forwarded-For or Forwarded is believed: 10.0.0.0/8,::1"),
    ("workers",           "one a core",     "threads that serve HTTP; the services live on them, too"),
    ("log_format",        "text",           "log lines for people (text), or one JSON object each (json)"),
    ("trace_memory",      "16",             "MiB in which the spans of the last minutes are kept; 0 for none"),
    ("reset_controls",    "false",          "whether what operators changed while the shop ran is forgotten at the start"),
    ("operator_email",    "",               "the operator's account made on the first run (with operator_password; environment only)"),
    ("operator_password", "",               "its password (environment only)"),
];

/// Set where the program looks for [`Settings`] itself.
const CONFIG: &str = "GALLERIA_CONFIG";
const FILE: &str = "galleria.toml";

/// What the shop runs with.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    pub instances: Instances,
    pub demo: bool,
    pub carrier_speed: f64,
    pub provider_faults: ProviderFaults,
    pub throttling: Throttling,
    pub certificate: Option<Certificate>,
    pub cors_origins: Vec<String>,
    pub allowed_hosts: Vec<String>,
    pub trusted_proxies: Vec<Network>,
    pub workers: usize,
    pub log_format: LogFormat,
    /// MiB.
    pub trace_memory: usize,
    pub reset_controls: bool,
}

/// The account of the first operator, from the environment.
#[derive(Debug, Clone)]
pub struct FirstOperator {
    pub email: Email,
    pub password: Secret,
}

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

    /// `orders=4,products=2`
    fn set(&mut self, text: &str) -> Result<(), String> {
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, count) = part.split_once('=').ok_or_else(|| format!("`{part}` is not of the form service=n"))?;
            let service = Service::from_str(name.trim()).map_err(|error| error.to_string())?;
            let count = count.trim().parse().ok().filter(|count| (1..=MOST_INSTANCES).contains(count));
            self.0[service as usize] =
                count.ok_or_else(|| format!("`{part}`: a service has 1 to {MOST_INSTANCES} instances"))?;
        }
        Ok(())
    }
}

/// A setting that cannot be, and where it was found. Exit code 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct BadSetting {
    place: String,
    reason: String,
}

/// The settings as one source gives them: by name, as text.
#[derive(Debug, Default, Clone)]
pub struct Given(BTreeMap<&'static str, (String, String)>);

impl Given {
    /// `place` is what an error will name: the flag, the variable, the file.
    pub fn set(&mut self, name: &str, value: String, place: impl fmt::Display) -> Result<(), BadSetting> {
        match SETTINGS.iter().find(|(known, ..)| *known == name) {
            Some((name, ..)) => {
                self.0.insert(name, (value, place.to_string()));
                Ok(())
            }
            None => Err(BadSetting { place: place.to_string(), reason: format!("there is no setting `{name}`") }),
        }
    }

    /// What `GALLERIA_…` variables say.
    pub fn of_environment(variables: impl Iterator<Item = (String, String)>) -> Result<Self, BadSetting> {
        let mut given = Self::default();
        for (variable, value) in
            variables.filter(|(variable, _)| variable.starts_with("GALLERIA_") && variable != CONFIG)
        {
            let name = variable["GALLERIA_".len()..].to_ascii_lowercase();
            given.set(&name, value, &variable)?;
        }
        Ok(given)
    }

    /// What the file says: `path`, or `galleria.toml` where there is one.
    pub fn of_file(path: Option<&Path>) -> Result<Self, BadSetting> {
        let named = path.map(Path::to_owned).or_else(|| std::env::var_os(CONFIG).map(PathBuf::from));
        let path = named.clone().unwrap_or_else(|| FILE.into());
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::of_toml(&text, &path.display().to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => Ok(Self::default()),
            Err(error) => {
                Err(BadSetting { place: path.display().to_string(), reason: format!("cannot be read: {error}") })
            }
        }
    }

    fn of_toml(text: &str, place: &str) -> Result<Self, BadSetting> {
        let bad = |reason: String| BadSetting { place: place.to_owned(), reason };
        let table = text.parse::<toml::Table>().map_err(|error| bad(error.to_string().trim().replace('\n', " ")))?;
        let mut given = Self::default();
        for (name, value) in table {
            if name.starts_with("operator_") {
                return Err(bad(format!(
                    "`{name}` is taken from the environment only: a password does not belong in a file"
                )));
            }
            let value = match value {
                toml::Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
                toml::Value::Table(table) => pairs("", &table).join(","),
                value => plain(&value),
            };
            given.set(&name, value, place)?;
        }
        Ok(given)
    }
}

/// What is in tables within is named as in TOML: `browse.rate=100`.
fn pairs(within: &str, table: &toml::Table) -> Vec<String> {
    let pair = |(key, value): (&String, &toml::Value)| match value {
        toml::Value::Table(inner) => pairs(&format!("{within}{key}."), inner),
        value => vec![format!("{within}{key}={}", plain(value))],
    };
    table.iter().flat_map(pair).collect()
}

fn plain(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Settings {
    /// The defaults, overruled by each of the sources in turn.
    pub fn from_sources(sources: &[Given]) -> Result<(Self, Option<FirstOperator>), BadSetting> {
        let mut settings = Self::default();
        let (mut self_signed, mut tls_files) = (false, (None, None));
        let mut operator: (Option<Email>, Option<Secret>) = (None, None);
        for (name, (value, place)) in sources.iter().flat_map(|given| &given.0) {
            let bad = |reason: String| BadSetting { place: place.clone(), reason: format!("`{name}`: {reason}") };
            let text = value.trim();
            match *name {
                "listen" => {
                    settings.listen = text
                        .parse()
                        .map_err(|_| bad(format!("`{text}` is not an address and a port such as 127.0.0.1:8080")))?
                }
                "data_dir" if text.is_empty() => return Err(bad("must name a folder".into())),
                "data_dir" => settings.data_dir = text.into(),
                "instances" => settings.instances.set(text).map_err(bad)?,
                "demo" => settings.demo = parse_bool(text).map_err(bad)?,
                "carrier_speed" => settings.carrier_speed = parse_speed(text).map_err(bad)?,
                "provider_faults" => settings.provider_faults = text.parse().map_err(bad)?,
                "throttling" => settings.throttling.set(text).map_err(bad)?,
                "tls" => self_signed = parse_tls(text).map_err(bad)?,
                "tls_cert" => tls_files.0 = (!text.is_empty()).then(|| text.into()),
                "tls_key" => tls_files.1 = (!text.is_empty()).then(|| text.into()),
                "cors_origins" => settings.cors_origins = parse_origins(text).map_err(bad)?,
                "allowed_hosts" => {
                    let names = text.split(',').map(|host| host.trim().to_ascii_lowercase());
                    settings.allowed_hosts = names.filter(|host| !host.is_empty()).collect();
                }
                "trusted_proxies" => {
                    let networks = text.split(',').map(str::trim).filter(|network| !network.is_empty());
                    settings.trusted_proxies = networks.map(str::parse).collect::<Result<_, _>>().map_err(bad)?;
                }
                "workers" => settings.workers = parse_workers(text).map_err(bad)?,
                "log_format" => settings.log_format = text.parse().map_err(bad)?,
                "trace_memory" => settings.trace_memory = parse_memory(text).map_err(bad)?,
                "reset_controls" => settings.reset_controls = parse_bool(text).map_err(bad)?,
                "operator_email" => {
                    operator.0 =
                        Some(text.parse().map_err(|error: crate::types::email::BadEmail| bad(error.to_string()))?)
                }
                "operator_password" => operator.1 = Some(Secret::new(value.clone())),
                _ => return Err(bad("there is no such setting".into())),
            }
        }
        settings.certificate = certificate(self_signed, tls_files)?;
        let operator = match operator {
            (Some(email), Some(password)) => Some(FirstOperator { email, password }),
            (None, None) => None,
            _ => {
                let reason = "set both GALLERIA_OPERATOR_EMAIL and GALLERIA_OPERATOR_PASSWORD, or neither".to_owned();
                return Err(BadSetting { place: "environment".into(), reason });
            }
        };
        Ok((settings, operator))
    }
}

impl Settings {
    /// The names of what the other has differently.
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let Self { listen, data_dir, instances, demo, carrier_speed, provider_faults, throttling, .. } = self;
        let Self {
            certificate,
            cors_origins,
            allowed_hosts,
            trusted_proxies,
            workers,
            log_format,
            trace_memory,
            reset_controls: _,
            ..
        } = self;
        let differs = [
            ("listen", *listen != other.listen),
            ("data_dir", *data_dir != other.data_dir),
            ("instances", *instances != other.instances),
            ("demo", *demo != other.demo),
            ("carrier_speed", *carrier_speed != other.carrier_speed),
            ("provider_faults", *provider_faults != other.provider_faults),
            ("throttling", *throttling != other.throttling),
            ("tls", *certificate != other.certificate),
            ("cors_origins", *cors_origins != other.cors_origins),
            ("allowed_hosts", *allowed_hosts != other.allowed_hosts),
            ("trusted_proxies", *trusted_proxies != other.trusted_proxies),
            ("workers", *workers != other.workers),
            ("log_format", *log_format != other.log_format),
            ("trace_memory", *trace_memory != other.trace_memory),
        ];
        differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data_dir: "./data".into(),
            instances: Instances::default(),
            demo: true,
            carrier_speed: 3600.0,
            provider_faults: ProviderFaults::default(),
            throttling: Throttling::default(),
            certificate: None,
            cors_origins: Vec::new(),
            allowed_hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            workers: std::thread::available_parallelism().map_or(2, Into::into),
            log_format: LogFormat::Text,
            trace_memory: 16,
            reset_controls: false,
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people, in colours on a terminal.
    Text,
    /// An object a line, for programs.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(format!("`{other}` is neither text nor json")),
        }
    }
}

const MOST_TRACE_MEMORY: usize = 4096;

fn parse_memory(text: &str) -> Result<usize, String> {
    let memory = text.parse().ok().filter(|memory| *memory <= MOST_TRACE_MEMORY);
    memory.ok_or_else(|| format!("`{text}` is no number of MiB from 0 to {MOST_TRACE_MEMORY}"))
}

fn certificate(
    self_signed: bool,
    files: (Option<PathBuf>, Option<PathBuf>),
) -> Result<Option<Certificate>, BadSetting> {
    match (self_signed, files) {
        (false, (None, None)) => Ok(None),
        (true, (None, None)) => Ok(Some(Certificate::SelfSigned)),
        (false, (Some(chain), Some(key))) => Ok(Some(Certificate::Files { chain, key })),
        (is_self_signed, _) => {
            let reason = match is_self_signed {
                true => "`self-signed` makes a certificate of its own; leave out tls_cert and tls_key",
                false => "tls_cert and tls_key go together: set both, or neither",
            };
            Err(BadSetting { place: "tls".into(), reason: reason.into() })
        }
    }
}

fn parse_tls(text: &str) -> Result<bool, String> {
    match text {
        "self-signed" => Ok(true),
        "" | "off" => Ok(false),
        _ => Err(format!(
            "`{text}` is neither self-signed nor off; a certificate of your own goes into tls_cert and tls_key"
        )),
    }
}

/// Origins as browsers send them: a scheme and a host, perhaps a port, nothing after it.
fn parse_origins(text: &str) -> Result<Vec<String>, String> {
    let origin = |text: &str| {
        let (scheme, host) = text.split_once("://").unwrap_or_default();
        let is_host = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]_".contains(&b));
        let is_good = matches!(scheme, "http" | "https") && is_host && !text.bytes().any(|b| b.is_ascii_uppercase());
        is_good.then(|| text.to_owned()).ok_or_else(|| format!("`{text}` is not an origin such as https://app.example"))
    };
    text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(origin).collect()
}

fn parse_speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed: &f64| speed.is_finite() && *speed > 0.0 && *speed <= 1e9);
    speed.ok_or_else(|| format!("`{text}` is not a number above 0 and up to 1e9"))
}

fn parse_workers(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|workers| (1..=256).contains(workers))
        .ok_or_else(|| format!("`{text}` is not a number from 1 to 256"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Class;

    fn environment(pairs: &[(&str, &str)]) -> Result<Given, BadSetting> {
        Given::of_environment(pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())))
    }

    #[test]
    fn a_flag_overrules_the_environment_which_overrules_the_file() {
        let file = Given::of_toml(
            "listen = \"127.0.0.1:1\"\ncarrier_speed = 5\ninstances = { orders = 4 }\ndemo = false",
            "f",
        )
        .unwrap();
        let environment =
            environment(&[("GALLERIA_LISTEN", "127.0.0.1:2"), ("GALLERIA_INSTANCES", "carts=3"), ("PATH", "/")])
                .unwrap();
        let mut flags = Given::default();
        flags.set("listen", "127.0.0.1:3".into(), "--listen").unwrap();
        let (settings, _) = Settings::from_sources(&[file, environment, flags]).unwrap();
        assert_eq!(settings.listen.port(), 3);
        assert_eq!((settings.carrier_speed, settings.demo), (5.0, false));
        let of = |service| settings.instances.of(service);
        assert_eq!((of(Service::Orders), of(Service::Carts), of(Service::Users)), (4, 3, 2));
    }

    #[test]
    fn an_unknown_key_is_named_together_with_its_place() {
        assert_eq!(
            environment(&[("GALLERIA_LISTNE", "x")]).unwrap_err().to_string(),
            "GALLERIA_LISTNE: there is no setting `listne`"
        );
        assert_eq!(
            Given::of_toml("listne = 1", "shop.toml").unwrap_err().to_string(),
            "shop.toml: there is no setting `listne`"
        );
    }

    #[test]
    fn what_cannot_be_is_refused_with_words() {
        for (name, value) in [
            ("listen", "nowhere"),
            ("data_dir", " "),
            ("instances", "orders"),
            ("instances", "orders=0"),
            ("instances", "orders=33"),
            ("instances", "ordres=2"),
            ("demo", "maybe"),
            ("carrier_speed", "0"),
            ("carrier_speed", "NaN"),
            ("provider_faults", "fail=101"),
            ("trusted_proxies", "10.0.0.0/33"),
            ("trusted_proxies", "::1,proxy.example"),
            ("throttling", "browse.rate=0"),
            ("workers", "0"),
            ("tls", "yes"),
            ("tls_cert", "cert.pem"),
            ("cors_origins", "*"),
            ("cors_origins", "https://app.example/"),
            ("cors_origins", "app.example"),
            ("operator_email", "x"),
            ("operator_email", "a@b.de"),
        ] {
            let mut given = Given::default();
            given.set(name, value.into(), "--flag").unwrap();
            assert!(Settings::from_sources(&[given]).is_err(), "{name} = {value}");
        }
    }

    #[test]
    fn rates_are_tables_in_the_file_and_pairs_elsewhere() {
        let text =
            "[throttling]\non = true\n[throttling.browse]\nrate = 0.5\nburst = 20\n[throttling.sign-in]\nburst = 3";
        let file = Given::of_toml(text, "f").unwrap();
        let environment = environment(&[("GALLERIA_THROTTLING", "browse.burst=30")]).unwrap();
        let (settings, _) = Settings::from_sources(&[file, environment]).unwrap();
        let rate = |class| settings.throttling.rate(class).map(|rate| (rate.per_second(), rate.burst().get()));
        assert_eq!((rate(Class::Browse), rate(Class::SignIn)), (Some((0.5, 30)), Some((5.0, 3))));
        for wrong in ["[throttling.browse]\nspeed = 1", "[throttling.browse]\nrate = \"1,write.rate=1\"\nburst = 0"] {
            let given = Given::of_toml(wrong, "shop.toml").unwrap();
            let refused = Settings::from_sources(&[given]).unwrap_err().to_string();
            assert!(refused.starts_with("shop.toml: `throttling`: `browse."), "{refused}");
        }
    }

    #[test]
    fn a_password_does_not_belong_in_a_file() {
        assert!(Given::of_toml("operator_password = \"x\"", "f").unwrap_err().to_string().contains("environment only"));
    }
}
