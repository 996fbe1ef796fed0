//! The table of the settings, and the struct that is made from it.

use super::parse::*;
use crate::{
    gateway::Throttling,
    services::payments::ProviderFaults,
    types::{Email, Network, Secret},
};
use std::{net::SocketAddr, path::PathBuf};

/// One row of the table: everything about a setting except its type.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its key in the file, such as `carrier_speed`.
    pub name: &'static str,
    pub form: Form,
    /// As one writes it in the file; empty for none.
    pub default: &'static str,
    /// What follows the flag in `--help`, such as `ADDRESS`.
    pub value: &'static str,
    pub meaning: &'static str,
}

/// How a setting is spelled on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `--name VALUE`, once.
    Value,
    /// `--name VALUE`, any number of times: the values are joined by commas.
    List,
    /// `--name` or `--no-name`.
    Switch,
    /// No flag and no key in the file: the environment variable only.
    Environment,
}

impl Setting {
    /// Such as `--carrier-speed`.
    pub fn flag(&self) -> String {
        format!("--{}", self.name.replace('_', "-"))
    }
}

/// Makes [`Settings`] and [`SETTINGS`] from the table. A parser is `fn(&str, Option<&T>) ->
/// Result<T, String>`: it takes the text and the value of the sources before, if any. A list of
/// pairs keeps what the text does not name.
macro_rules! settings {
    ($($name:ident: $type:ty, $parse:ident, $form:ident, $default:literal, $value:literal, $meaning:literal;)*) => {
        /// What the shop runs with: a field for each row of the table.
        #[derive(Debug, Clone)]
        pub struct Settings { $(#[doc = $meaning] pub $name: $type,)* }

        /// The table.
        pub const SETTINGS: &[Setting] = &[$(Setting {
            name: stringify!($name), form: Form::$form, default: $default, value: $value, meaning: $meaning,
        },)*];

        impl Default for Settings {
            fn default() -> Self {
                Self { $($name: $parse($default, None).expect("each default in the table is a good value"),)* }
            }
        }

        impl Settings {
            /// Sets one setting from its text. `Err` says what is wrong with the text.
            pub(super) fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
                match name {
                    $(stringify!($name) => self.$name = $parse(text, Some(&self.$name))?,)*
                    _ => return Err("there is no such setting".into()),
                }
                Ok(())
            }

            /// The names of the settings that `other` has with another value. Secrets are not
            /// compared.
            pub fn differences(&self, other: &Self) -> Vec<&'static str> {
                let differs = [$((stringify!($name), format!("{:?}", self.$name) != format!("{:?}", other.$name)),)*];
                differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
            }
        }
    };
}

#[rustfmt::skip]
settings! {
//  name               type                 parser        form         default           value
//  meaning
    listen:            SocketAddr,          address,      Value,       "127.0.0.1:8080", "ADDRESS",           "address and port; port 0 takes a free port";
    data_dir:          PathBuf,             folder,       Value,       "./data",         "FOLDER",            "folder of all data";
    instances:         Instances,           instances,    List,        "",               "SERVICE=N",         "instances of a service, such as orders=4 (2 of each)";
    demo:              bool,                boolean,      Switch,      "true",           "",                  "fill a shop without products with the demo catalogue";
    carrier_speed:     f64,                 speed,        Value,       "3600",           "N",                 "carrier's speed, compared with real time";
    provider_faults:   ProviderFaults,      faults,       Value,       "",               "FAULT=N",           "faults of the payment provider: delay=300 (ms), fail=30,lose=10,twice=20 (percent)";
    throttling:        Throttling,          throttling,   Value,       "true",           "BOOL|CLASS.RATE=N", "rate limits: true, false, or browse.rate=100,browse.burst=1000";
    tls:               bool,                tls,          Value,       "off",            "self-signed",       "self-signed: TLS with a certificate that is made at each start";
    tls_cert:          Option<PathBuf>,     file,         Value,       "",               "FILE",              "TLS with this certificate chain (PEM, with tls_key)";
    tls_key:           Option<PathBuf>,     file,         Value,       "",               "FILE",              "private key of the certificate (PEM)";
    cors_origins:      Vec<String>,         origins,      Value,       "",               "ORIGINS",           "sites whose pages may use the API: https://app.example,…";
    allowed_hosts:     Vec<String>,         hosts,        Value,       "",               "NAMES",             "accepted Host names beside localhost and IP addresses";
    trusted_proxies:   Vec<Network>,        networks,     Value,       "",               "NETWORKS",          "proxies whose X-Forwarded-For and Forwarded count: 10.0.0.0/8,::1";
    workers:           usize,               workers,      Value,       "",               "N",                 "threads that serve HTTP and run the services (one a core)";
    log_format:        LogFormat,           log_format,   Value,       "text",           "FORMAT",            "log lines: text, or json";
    trace_memory:      usize,               memory,       Value,       "16",             "MIB",               "MiB for the spans of the last minutes; 0 for none";
    reset_controls:    bool,                boolean,      Switch,      "false",          "",                  "forget at the start what operators changed while the shop ran";
    operator_email:    Option<Email>,       email,        Environment, "",               "",                  "account of the first operator, with operator_password";
    operator_password: Option<Secret>,      password,     Environment, "",               "",                  "password of that account";
}
