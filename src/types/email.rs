//! An e-mail address, by which an account is found.

use super::parsed::parsed_string;
use std::str::FromStr;
use utoipa::ToSchema;

/// `local@domain.tld`: at most 254 characters, 64 of them before the `@` (RFC 5321 §4.5.3.1). It is
/// kept in lower case, so that one mailbox is one account.
///
/// The local part is a dot-atom of RFC 5322 §3.2.3. Quoted local parts, address literals and
/// non-ASCII addresses are refused. Spaces around the address are removed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(format = "email", max_length = 254, example = "ada@example.com")]
pub struct Email(String);

/// The text is not an e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address such as name@example.com, at most 254 characters")]
pub struct BadEmail;

impl Email {
    /// The address, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Email {
    type Err = BadEmail;
    fn from_str(text: &str) -> Result<Self, BadEmail> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or(BadEmail)?;
        // No quoted local parts: practically no mailbox has one, and they confuse every reader.
        let atom = |a: &str| {
            !a.is_empty() && a.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&b))
        };
        let label = |l: &str| {
            (1..=63).contains(&l.len())
                && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !l.starts_with('-')
                && !l.ends_with('-')
        };
        let good = text.len() <= 254
            && local.len() <= 64
            && local.split('.').all(atom)
            && domain.contains('.')
            && domain.split('.').all(label);
        if good { Ok(Self(text.to_ascii_lowercase())) } else { Err(BadEmail) }
    }
}

parsed_string! { Email: as_str; }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_spelling() {
        assert_eq!(" Ada.Lovelace@Example.COM ".parse::<Email>().unwrap().as_str(), "ada.lovelace@example.com");
    }

    #[test]
    fn a_text_that_is_not_an_address_is_refused() {
        for bad in
            ["", "a", "a@b", "@b.c", "a@", "a@b..c", "a b@c.de", "a@-b.de", "a..b@c.de", "a@b.de\n.x", "a\0@b.de"]
        {
            assert!(bad.parse::<Email>().is_err(), "{bad:?}");
        }
        assert!(format!("{}@b.de", "a".repeat(65)).parse::<Email>().is_err());
    }
}
