//! Where a request comes from: the address of its sender, behind whatever proxies the operator trusts.
//!
//! Anybody can write `X-Forwarded-For`. It is believed as far as a trusted proxy wrote it: each proxy puts the address that it was
//! spoken to from at the right-hand end, so the way back is read from there, and ends at the first address that is no trusted
//! proxy's. What stands to the left of that is hearsay. `Forwarded` (RFC 7239) says the same in other words. A proxy that writes
//! one of the two lets through what its client has put into the other: so if they disagree, neither is believed.

use crate::types::Network;
use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, X_FORWARDED_FOR};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The address that the request was sent from, for a connection from `peer`.
pub fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return peer;
    }
    let told = |name: HeaderName, hops: fn(&str) -> Vec<Option<IpAddr>>| {
        let mut lines = headers.get_all(&name).peekable();
        lines.peek()?;
        // A line that is no text hides who wrote it, like a hop that is no address.
        let hops = lines.flat_map(|line| line.to_str().map_or_else(|_| vec![None], hops)).collect::<Vec<_>>();
        Some(first_stranger(peer, &hops, trusted))
    };
    match (told(X_FORWARDED_FOR, forwarded_for), told(FORWARDED, forwarded)) {
        (Some(one), Some(other)) if one != other => peer,
        (Some(client), _) | (None, Some(client)) => client,
        (None, None) => peer,
    }
}

/// The client as far as it can be told from others: an IPv6 client has a /64 to itself, and could come from 2⁶⁴ addresses.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
        v4 => v4,
    }
}

fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(address))
}

/// The way back from `peer`, to the first that is not trusted. A hop that is not told (`unknown`, `_hidden`) ends it early.
fn first_stranger(peer: IpAddr, hops: &[Option<IpAddr>], trusted: &[Network]) -> IpAddr {
    let mut client = peer;
    for hop in hops.iter().rev() {
        match hop {
            Some(address) if is_trusted(client, trusted) => client = *address,
            _ => break,
        }
    }
    client
}

/// `203.0.113.9, 10.0.0.7`: from the client to the last proxy but one.
fn forwarded_for(line: &str) -> Vec<Option<IpAddr>> {
    line.split(',').map(|hop| node(hop.trim())).collect()
}

/// `for="[2001:db8::1]:4711";proto=https, for=10.0.0.7`
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

/// A comma within quotes parts nothing: else a client could write hops that a proxy has quoted.
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

/// An address, perhaps with a port.
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

    /// Behind two trusted proxies' networks.
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
    fn a_stranger_is_not_believed_whoever_he_says_he_is() {
        for line in ["10.0.0.9", "192.0.2.1", "127.0.0.1, 10.0.0.1"] {
            let forwarded = format!("for={line}");
            let lines = [("x-forwarded-for", line), ("forwarded", &forwarded)];
            assert_eq!(client("203.0.113.9", &lines), "203.0.113.9");
            assert_eq!(client("203.0.113.9", &lines[..1]), "203.0.113.9");
        }
    }

    #[test]
    fn of_the_addresses_that_trusted_proxies_tell_the_rightmost_stranger_is_the_client() {
        assert_eq!(by("203.0.113.9"), "203.0.113.9");
        assert_eq!(by("198.51.100.1, 203.0.113.9"), "203.0.113.9", "what he says of himself");
        assert_eq!(by("198.51.100.1, 203.0.113.9, 10.0.0.7"), "203.0.113.9", "by way of another proxy");
        assert_eq!(by("10.9.9.9, 203.0.113.9"), "203.0.113.9", "he says that he is one of the house");
        assert_eq!(by("10.0.0.9, 10.0.0.7"), "10.0.0.9", "one of the house");
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
    fn where_a_hop_is_not_told_the_way_ends_at_who_did_not_tell_it() {
        for hidden in ["unknown", "_hidden", "", "203.0.113.9.1", "203.0.113.9 198.51.100.1"] {
            assert_eq!(by(&format!("203.0.113.9, {hidden}")), PROXY, "{hidden}");
            assert_eq!(by(&format!("203.0.113.9, {hidden}, 10.0.0.7")), "10.0.0.7", "{hidden}");
        }
        assert_eq!(by("203.0.113.9, \u{e9}"), PROXY);
    }

    #[test]
    fn forwarded_says_the_same_in_its_own_words() {
        let by = |line: &str| client(PROXY, &[("forwarded", line)]);
        assert_eq!(by("for=203.0.113.9"), "203.0.113.9");
        assert_eq!(by("for=198.51.100.1, For=\"203.0.113.9:80\";proto=https;by=10.0.0.1"), "203.0.113.9");
        assert_eq!(by("proto=https;for=\"[2001:db8::1]:4711\", for=10.0.0.7"), "2001:db8::1");
        assert_eq!(by("for=203.0.113.9, proto=https"), PROXY, "a hop that is not told");
        assert_eq!(by("for=203.0.113.9;host=\"a, for=198.51.100.1\""), "203.0.113.9", "a quoted comma parts nothing");
        assert_eq!(by("for=203.0.113.9;host=\"a\\\", for=198.51.100.1\""), "203.0.113.9", "nor after a quoted quote");
        assert_eq!(by("for=\"203.0.113.9"), PROXY, "half a quotation");
    }

    #[test]
    fn two_fields_that_disagree_are_both_not_believed() {
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
        /// Whatever a client writes, the proxy's own word about him stands.
        #[test]
        fn nobody_talks_himself_into_another_address(lies in "[ -~]{0,60}") {
            prop_assert_eq!(by(&format!("{lies}, 203.0.113.9")), "203.0.113.9");
            let own_line = [("x-forwarded-for", lies.trim()), ("x-forwarded-for", "203.0.113.9")];
            prop_assert_eq!(client(PROXY, &own_line), "203.0.113.9");
            let forwarded = [("forwarded", lies.trim()), ("forwarded", "for=203.0.113.9")];
            prop_assert_eq!(client(PROXY, &forwarded), "203.0.113.9");
            // An open quotation of his swallows what the proxy adds: then nobody is told, and he stands for the proxy.
            let swallowed = client(PROXY, &[("forwarded", format!("{lies}, for=203.0.113.9").trim())]);
            prop_assert!(["203.0.113.9", PROXY].contains(&&*swallowed), "{}", swallowed);
        }
    }
}
