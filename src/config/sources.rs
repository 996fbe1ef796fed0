//! Where settings come from: the file, the environment, the flags.

use super::table::{Form, SETTINGS};
use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

/// Names the settings file. It is no setting itself.
const CONFIG: &str = "GALLERIA_CONFIG";
/// The settings file where none is named.
const FILE: &str = "galleria.toml";

/// A setting that cannot be, and where it was found. Exit code 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct BadSetting {
    place: String,
    reason: String,
}

impl BadSetting {
    pub(super) fn new(place: impl fmt::Display, reason: impl Into<String>) -> Self {
        Self { place: place.to_string(), reason: reason.into() }
    }
}

/// The settings of one source: by name, as text, with the place that an error names (the flag, the
/// variable, the file).
#[derive(Debug, Default, Clone)]
pub struct Source(BTreeMap<&'static str, (String, String)>);

impl Source {
    /// `place` is what an error will name. `Err` where there is no setting of that name.
    pub fn set(&mut self, name: &str, value: String, place: impl fmt::Display) -> Result<(), BadSetting> {
        let known = SETTINGS.iter().find(|setting| setting.name == name);
        let known = known.ok_or_else(|| BadSetting::new(&place, format!("there is no setting `{name}`")))?;
        self.0.insert(known.name, (value, place.to_string()));
        Ok(())
    }

    /// Name, text and place of each setting.
    pub(super) fn values(&self) -> impl Iterator<Item = (&'static str, &str, &str)> {
        self.0.iter().map(|(name, (text, place))| (*name, text.as_str(), place.as_str()))
    }

    /// The `GALLERIA_…` variables.
    pub fn environment(variables: impl Iterator<Item = (String, String)>) -> Result<Self, BadSetting> {
        let mut source = Self::default();
        for (variable, value) in variables.filter(|(variable, _)| variable != CONFIG) {
            if let Some(name) = variable.strip_prefix("GALLERIA_") {
                source.set(&name.to_ascii_lowercase(), value, &variable)?;
            }
        }
        Ok(source)
    }

    /// The settings file: `path`, else the one that `GALLERIA_CONFIG` names, else `galleria.toml`
    /// where it exists.
    pub fn file(path: Option<&Path>) -> Result<Self, BadSetting> {
        let named = path.map(Path::to_owned).or_else(|| std::env::var_os(CONFIG).map(PathBuf::from));
        let path = named.clone().unwrap_or_else(|| FILE.into());
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::toml(&text, &path.display().to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => Ok(Self::default()),
            Err(error) => Err(BadSetting::new(path.display(), format!("cannot be read: {error}"))),
        }
    }

    pub(super) fn toml(text: &str, place: &str) -> Result<Self, BadSetting> {
        let table = text.parse::<toml::Table>();
        let table = table.map_err(|error| BadSetting::new(place, error.to_string().trim().replace('\n', " ")))?;
        let mut source = Self::default();
        for (name, value) in table {
            if SETTINGS.iter().any(|setting| setting.name == name && setting.form == Form::Environment) {
                let reason = "is taken from the environment only: a password does not belong in a file";
                return Err(BadSetting::new(place, format!("`{name}` {reason}")));
            }
            let value = match value {
                toml::Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
                toml::Value::Table(table) => pairs("", &table).join(","),
                value => plain(&value),
            };
            source.set(&name, value, place)?;
        }
        Ok(source)
    }
}

/// Tables within tables become pairs with dots, as in TOML: `browse.rate=100`.
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
