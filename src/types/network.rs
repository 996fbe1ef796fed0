//! A network of IP addresses in CIDR notation (RFC 4632 §3.1, RFC 4291 §2.3): `10.0.0.0/8`,
//! `2001:db8::/32`, or one address alone.

use std::{fmt, net::IpAddr, str::FromStr};

/// All addresses that begin with the same bits. An address alone is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether the address is in this network. An IPv4-mapped IPv6 address (`::ffff:10.0.0.1`, RFC
    /// 4291 §2.5.5.2) counts as the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => have_same_prefix(own.to_bits(), other.to_bits(), 32, self.prefix),
            (IpAddr::V6(own), IpAddr::V6(other)) => have_same_prefix(own.to_bits(), other.to_bits(), 128, self.prefix),
            _ => false,
        }
    }
}

fn have_same_prefix(a: impl Into<u128>, b: impl Into<u128>, bits: u8, prefix: u8) -> bool {
    // A prefix of 0 bits would shift by the whole width, which overflows. Any two addresses match
    // then.
    (a.into() ^ b.into()).checked_shr((bits - prefix).into()).unwrap_or(0) == 0
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is neither an IP address nor a network such as 10.0.0.0/8");
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address = address.parse::<IpAddr>().map_err(|_| wrong())?;
        // `::ffff:10.0.0.0/104` has a simpler spelling in IPv4.
        if address != address.to_canonical() {
            return Err(format!("`{text}` is an IPv4 address: write it as {}", address.to_canonical()));
        }
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(digits) => digits.parse().ok().filter(|prefix| *prefix <= bits).ok_or_else(wrong)?,
        };
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_contains_the_addresses_that_begin_with_its_bits() {
        let holds = |net: &str, address: &str| network(net).contains(address.parse().unwrap());
        assert!(holds("10.0.0.0/8", "10.255.1.2") && !holds("10.0.0.0/8", "11.0.0.0"));
        assert!(holds("10.0.0.0/8", "::ffff:10.1.1.1"));
        assert!(holds("0.0.0.0/0", "203.0.113.9") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("::/0", "2001:db8::1"));
        assert!(holds("2001:db8::/33", "2001:db8:7fff::1") && !holds("2001:db8::/33", "2001:db8:8000::1"));
        assert!(holds("127.0.0.1", "127.0.0.1") && !holds("127.0.0.1", "127.0.0.2"));
    }

    #[test]
    fn a_text_that_is_not_a_network_is_refused() {
        for wrong in ["", "proxy", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0/8", "10.0.0.0/-1", "::ffff:10.0.0.1"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
        assert_eq!(network("10.0.0.1").to_string(), "10.0.0.1/32");
    }
}
