//! The address of the client, behind the proxies that the operator trusts.
//!
//! Every client can send `X-Forwarded-For`, so only what trusted proxies have written counts. Each
//! proxy appends the address of its own client at the right-hand end. The list is therefore read
//! from right to left, up to the first address that is not a trusted proxy: that is the client.
//! Anything further left was written by the client, and is ignored.
//!
//! `Forwarded` (RFC 7239) holds the same list in another syntax. A proxy that writes one of the two
//! fields passes on the other as its client sent it. If the two fields disagree, both are ignored.

use crate::types::Network;
use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, X_FORWARDED_FOR};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The address of the client whose request arrived on a connection from `peer`. It is `peer` itself
/// if `peer` is not in `trusted`, if neither field is there, or if the two fields disagree.
pub fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return peer;
    }
    let client_in = |name: HeaderName, hops: fn(&str) -> Vec<Option<IpAddr>>| {
        let mut lines = headers.get_all(&name).peekable();
        lines.peek()?;
        // A line that is no text counts as one hop without an address.
        let hops = lines.flat_map(|line| line.to_str().map_or_else(|_| vec![None], hops)).collect::<Vec<_>>();
        Some(first_untrusted(peer, &hops, trusted))
    };
    match (client_in(X_FORWARDED_FOR, forwarded_for), client_in(FORWARDED, forwarded)) {
        (Some(one), Some(other)) if one != other => peer,
        (Some(client), _) | (None, Some(client)) => client,
        (None, None) => peer,
    }
}

/// The network that limits count a client by: an IPv4 address, or the /64 of an IPv6 address. An
/// IPv6 client usually has a /64 to itself (RFC 6177), and could use each of its 2⁶⁴ addresses.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
        v4 => v4,
    }
}

fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(address))
}

/// The first address that is not trusted, from `peer` on and then from right to left. A hop without
/// an address (`unknown`, `_hidden`: RFC 7239 §6.2, §6.3) ends the search at the hop before it.
fn first_untrusted(peer: IpAddr, hops: &[Option<IpAddr>], trusted: &[Network]) -> IpAddr {
    let mut client = peer;
    for hop in hops.iter().rev() {
        match hop {
            Some(address) if is_trusted(client, trusted) => client = *address,
            _ => break,
        }
    }
    client
}

/// The hops of `203.0.113.9, 10.0.0.7`: from the client to the last proxy but one.
fn forwarded_for(line: &str) -> Vec<Option<IpAddr>> {
    line.split(',').map(|hop| node(hop.trim())).collect()
}

/// The hops of `for="[2001:db8::1]:4711";proto=https, for=10.0.0.7` (RFC 7239 §4).
fn forwarded(line: &str) -> Vec<Option<IpAddr>> {
    let hop = |element: &str| {
        let pair = split_unquoted(element, ';').into_iter().find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            name.trim().eq_ignore_ascii_case("for").then(|| value.trim())
        })?;
        node(pair.strip_prefix('"').map_or(pair, |rest| rest.strip_suffix('"').unwrap_or("")))
    };
    split_unquoted(line, ',').into_iter().map(hop).collect()
}

/// Splits at a character, but not inside quotes: otherwise a client could write a value that a
/// proxy quotes, and that would read as further hops.
fn split_unquoted(text: &str, at: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(|c: char| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return c == at && !quoted,
        }
        false
    })
    .collect()
}

/// An address with or without a port; `None` for anything else.
fn node(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;
    use proptest::prelude::*;

    const PROXY: &str = "10.0.0.1";

    /// The client of a request from `peer` with these header lines; two networks of proxies are
    /// trusted.
    fn client(peer: &str, lines: &[(&str, &str)]) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    fn by(line: &str) -> String {
        client(PROXY, &[("x-forwarded-for", line)])
    }

    #[test]
    fn the_fields_of_an_untrusted_peer_are_ignored() {
        for line in ["10.0.0.9", "192.0.2.1", "127.0.0.1, 10.0.0.1"] {
            let forwarded = format!("for={line}");
            let lines = [("x-forwarded-for", line), ("forwarded", &forwarded)];
            assert_eq!(client("203.0.113.9", &lines), "203.0.113.9");
            assert_eq!(client("203.0.113.9", &lines[..1]), "203.0.113.9");
        }
    }

    #[test]
    fn the_rightmost_untrusted_address_is_the_client() {
        assert_eq!(by("203.0.113.9"), "203.0.113.9");
        assert_eq!(by("198.51.100.1, 203.0.113.9"), "203.0.113.9", "the left address was written by the client");
        assert_eq!(by("198.51.100.1, 203.0.113.9, 10.0.0.7"), "203.0.113.9", "through a second proxy");
        assert_eq!(by("10.9.9.9, 203.0.113.9"), "203.0.113.9", "a client that writes a proxy's address");
        assert_eq!(by("10.0.0.9, 10.0.0.7"), "10.0.0.9", "a request of a proxy itself");
        assert_eq!(client(PROXY, &[]), PROXY);
        assert_eq!(client("::ffff:10.0.0.1", &[("x-forwarded-for", "::ffff:203.0.113.9")]), "203.0.113.9");
        let two = [("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", "203.0.113.9, fd00::2")];
        assert_eq!(client(PROXY, &two), "203.0.113.9", "a proxy may add a line of its own");
    }

    #[test]
    fn an_address_may_have_a_port_and_brackets() {
        assert_eq!(by("203.0.113.9:4711"), "203.0.113.9");
        assert_eq!(by("[2001:db8::1]:4711"), "2001:db8::1");
        assert_eq!(by("[2001:db8::1]"), "2001:db8::1");
        assert_eq!(by(" 2001:db8::1 "), "2001:db8::1");
    }

    #[test]
    fn a_hop_without_an_address_ends_the_search_at_the_hop_before_it() {
        for hidden in ["unknown", "_hidden", "", "203.0.113.9.1", "203.0.113.9 198.51.100.1"] {
            assert_eq!(by(&format!("203.0.113.9, {hidden}")), PROXY, "{hidden}");
            assert_eq!(by(&format!("203.0.113.9, {hidden}, 10.0.0.7")), "10.0.0.7", "{hidden}");
        }
        assert_eq!(by("203.0.113.9, \u{e9}"), PROXY);
    }

    #[test]
    fn forwarded_is_read_like_x_forwarded_for() {
        let by = |line: &str| client(PROXY, &[("forwarded", line)]);
        assert_eq!(by("for=203.0.113.9"), "203.0.113.9");
        assert_eq!(by("for=198.51.100.1, For=\"203.0.113.9:80\";proto=https;by=10.0.0.1"), "203.0.113.9");
        assert_eq!(by("proto=https;for=\"[2001:db8::1]:4711\", for=10.0.0.7"), "2001:db8::1");
        assert_eq!(by("for=203.0.113.9, proto=https"), PROXY, "a hop without `for`");
        assert_eq!(by("for=203.0.113.9;host=\"a, for=198.51.100.1\""), "203.0.113.9", "a comma inside quotes");
        assert_eq!(
            by("for=203.0.113.9;host=\"a\\\", for=198.51.100.1\""),
            "203.0.113.9",
            "an escaped quote inside quotes"
        );
        assert_eq!(by("for=\"203.0.113.9"), PROXY, "a quote that is not closed");
    }

    #[test]
    fn two_fields_that_disagree_are_both_ignored() {
        let both = |x: &str, forwarded: &str| client(PROXY, &[("x-forwarded-for", x), ("forwarded", forwarded)]);
        assert_eq!(both("203.0.113.9", "for=203.0.113.9"), "203.0.113.9");
        assert_eq!(both("203.0.113.9", "for=198.51.100.1"), PROXY);
        assert_eq!(both("198.51.100.1, 203.0.113.9", "for=198.51.100.1"), PROXY);
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }

    proptest! {
        /// Whatever a client writes, the address that the proxy appends counts.
        #[test]
        fn no_client_can_choose_its_own_address(forged in "[ -~]{0,60}") {
            prop_assert_eq!(by(&format!("{forged}, 203.0.113.9")), "203.0.113.9");
            let own_line = [("x-forwarded-for", forged.trim()), ("x-forwarded-for", "203.0.113.9")];
            prop_assert_eq!(client(PROXY, &own_line), "203.0.113.9");
            let forwarded = [("forwarded", forged.trim()), ("forwarded", "for=203.0.113.9")];
            prop_assert_eq!(client(PROXY, &forwarded), "203.0.113.9");
            // A quote that the client leaves open hides what the proxy appends: then the proxy
            // counts as the client.
            let hidden = client(PROXY, &[("forwarded", format!("{forged}, for=203.0.113.9").trim())]);
            prop_assert!(["203.0.113.9", PROXY].contains(&&*hidden), "{}", hidden);
        }
    }
}
