//! Settings: defaults < `galleria.toml` < environment < flags.
//!
//! The table in `settings!` is the only list. Each row makes a field of [`Settings`], its default,
//! its flag, its environment variable, its key in the file, its line in `--help` and `galleria
//! config`, and its row in the README. A setting has one name, spelled `carrier_speed` in the file,
//! `GALLERIA_CARRIER_SPEED` in the environment and `--carrier-speed` on the command line.
//!
//! ## Decisions
//!
//! - **One table of our own instead of a settings crate.** A reader finds name, type, default and
//!   meaning of a setting in one line. A new setting is one line. The cost is a macro of forty
//!   lines.
//! - **A later source replaces an earlier one setting by setting.** `instances` and `throttling`
//!   are lists of pairs: a later source replaces only the pairs that it names.

mod parse;
mod sources;
mod table;

pub use parse::{Instances, LogFormat};
pub use sources::{BadSetting, Source};
pub use table::{Form, SETTINGS, Setting, Settings};

use crate::{
    gateway::CertificateSource,
    types::{Email, Secret},
};

/// The account of the first operator.
#[derive(Debug, Clone)]
pub struct FirstOperator {
    pub email: Email,
    pub password: Secret,
}

impl Settings {
    /// The defaults, replaced by each of the sources in turn. `Err` names the source and the
    /// reason. Also an error: one of two settings that go together (`tls_cert` and `tls_key`;
    /// `operator_email` and `operator_password`), and both kinds of certificate.
    pub fn from_sources(sources: &[Source]) -> Result<(Self, Option<FirstOperator>), BadSetting> {
        let mut settings = Self::default();
        for (name, text, place) in sources.iter().flat_map(Source::values) {
            let is_secret = name == "operator_password";
            let set = settings.set(name, if is_secret { text } else { text.trim() });
            set.map_err(|reason| BadSetting::new(place, format!("`{name}`: {reason}")))?;
        }
        settings.checked_certificate().map_err(|reason| BadSetting::new("tls", reason))?;
        let operator = match (&settings.operator_email, &settings.operator_password) {
            (Some(email), Some(password)) => Some(FirstOperator { email: email.clone(), password: password.clone() }),
            (None, None) => None,
            _ => {
                let reason = "set both GALLERIA_OPERATOR_EMAIL and GALLERIA_OPERATOR_PASSWORD, or neither";
                return Err(BadSetting::new("environment", reason));
            }
        };
        Ok((settings, operator))
    }

    /// The certificate for TLS; `None` for plain HTTP.
    pub fn certificate(&self) -> Option<CertificateSource> {
        self.checked_certificate().unwrap_or_default()
    }

    fn checked_certificate(&self) -> Result<Option<CertificateSource>, &'static str> {
        match (self.tls, &self.tls_cert, &self.tls_key) {
            (false, None, None) => Ok(None),
            (true, None, None) => Ok(Some(CertificateSource::SelfSigned)),
            (false, Some(chain), Some(key)) => {
                Ok(Some(CertificateSource::Files { chain: chain.clone(), key: key.clone() }))
            }
            (true, ..) => Err("`self-signed` makes its own certificate; leave out tls_cert and tls_key"),
            (false, ..) => Err("tls_cert and tls_key go together: set both, or neither"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{gateway::Class, types::Service};
    use std::fmt::Write;

    fn environment(pairs: &[(&str, &str)]) -> Result<Source, BadSetting> {
        Source::environment(pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())))
    }

    #[test]
    fn a_flag_overrules_the_environment_which_overrules_the_file() {
        let file =
            Source::toml("listen = \"127.0.0.1:1\"\ncarrier_speed = 5\ninstances = { orders = 4 }\ndemo = false", "f")
                .unwrap();
        let environment =
            environment(&[("GALLERIA_LISTEN", "127.0.0.1:2"), ("GALLERIA_INSTANCES", "carts=3"), ("PATH", "/")])
                .unwrap();
        let mut flags = Source::default();
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
            Source::toml("listne = 1", "shop.toml").unwrap_err().to_string(),
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
            let mut given = Source::default();
            given.set(name, value.into(), "--flag").unwrap();
            assert!(Settings::from_sources(&[given]).is_err(), "{name} = {value}");
        }
    }

    #[test]
    fn rates_are_tables_in_the_file_and_pairs_elsewhere() {
        let text =
            "[throttling]\non = true\n[throttling.browse]\nrate = 0.5\nburst = 20\n[throttling.sign-in]\nburst = 3";
        let file = Source::toml(text, "f").unwrap();
        let environment = environment(&[("GALLERIA_THROTTLING", "browse.burst=30")]).unwrap();
        let (settings, _) = Settings::from_sources(&[file, environment]).unwrap();
        let rate = |class| settings.throttling.rate(class).map(|rate| (rate.per_second(), rate.burst().get()));
        assert_eq!((rate(Class::Browse), rate(Class::SignIn)), (Some((0.5, 30)), Some((5.0, 3))));
        for wrong in ["[throttling.browse]\nspeed = 1", "[throttling.browse]\nrate = \"1,write.rate=1\"\nburst = 0"] {
            let given = Source::toml(wrong, "shop.toml").unwrap();
            let refused = Settings::from_sources(&[given]).unwrap_err().to_string();
            assert!(refused.starts_with("shop.toml: `throttling`: `browse."), "{refused}");
        }
    }

    #[test]
    fn a_password_does_not_belong_in_a_file() {
        assert!(Source::toml("operator_password = \"x\"", "f").unwrap_err().to_string().contains("environment only"));
    }

    #[test]
    fn only_what_differs_is_named() {
        let mut other = Settings::default();
        assert_eq!(other.differences(&Settings::default()), [""; 0]);
        other.set("workers", "7").unwrap();
        other.set("instances", "orders=9").unwrap();
        assert_eq!(other.differences(&Settings::default()), ["instances", "workers"]);
    }

    /// The README's table is made from the settings' table: this test prints it where they differ.
    #[test]
    fn the_readme_has_the_row_of_each_setting() {
        let readme = include_str!("../../README.md");
        let mut rows = String::from("| setting | default | meaning |\n|---|---|---|\n");
        for setting in SETTINGS.iter().filter(|setting| setting.form != Form::Environment) {
            let default = if setting.default.is_empty() { String::new() } else { format!("`{}`", setting.default) };
            let value = setting.value.replace('|', "\\|");
            let _ = writeln!(
                rows,
                "| `{}` | {default} | {} |",
                format!("{} {value}", setting.flag()).trim(),
                setting.meaning
            );
        }
        assert!(readme.contains(&rows), "README.md should say:\n{rows}");
    }
}
