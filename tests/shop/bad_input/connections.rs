//! Requests that no regular client sends: too large, too slow, or not HTTP.

use crate::harness::{PATIENCE, RawConnection, Shop, within};
use std::time::Duration;

const HEAD: &str = "POST /api/v1/users";
const JSON: &str = "content-type: application/json\r\n";

#[test]
fn a_body_that_is_too_large_is_not_read() {
    let shop = Shop::open();
    let text = format!("{{\"email\": \"{}\"}}", "x".repeat(1_000_000));
    let announced = format!("{JSON}content-length: {}\r\n", text.len());
    let answer = shop.raw_connection().head(HEAD, &announced).listen();
    assert_eq!(answer.status, Some(413), "it is refused for what it announces: {answer:?}");
    assert!(answer.text.contains("body_too_large") && answer.text.contains("application/problem+json"), "{answer:?}");
    // A chunked body announces no length, and is refused for its actual length.
    let mut chunked = shop.raw_connection();
    chunked.head(HEAD, &format!("{JSON}transfer-encoding: chunked\r\n"));
    for _ in 0..20 {
        chunked.say(format!("1000\r\n{}\r\n", "x".repeat(0x1000)));
    }
    assert_eq!(chunked.listen().status, Some(413));
    let most = format!("{{\"x\": \"{}\"}}", "x".repeat(64 * 1024 - 9));
    assert_eq!(most.len(), 64 * 1024);
    let fits =
        shop.raw_connection().head(HEAD, &format!("{JSON}content-length: {}\r\n", most.len())).say(&most).listen();
    assert_eq!(fits.status, Some(422), "{fits:?}");
    let one_more =
        shop.raw_connection().head(HEAD, &format!("{JSON}content-length: {}\r\n", most.len() + 1)).say(&most).listen();
    assert_eq!(one_more.status, Some(413));
    shop.anonymous().send("GET", "/api/v1/products", &[], None).ok();
}

/// A stalled client occupies a place that another client could use.
#[test]
fn a_slow_request_is_ended_by_a_timeout() {
    let shop = Shop::open();
    let stall = |mut connection: RawConnection, sent: &str| {
        connection.say(sent);
        connection.listen()
    };
    let trickle = || {
        let mut connection = shop.raw_connection();
        connection.head(HEAD, &format!("{JSON}content-length: 1000\r\n"));
        within(PATIENCE, "it is cut off in the middle of its body", || {
            std::thread::sleep(Duration::from_millis(480));
            connection.say("x").is_answered().then_some(())
        });
        connection.listen()
    };
    let head = format!("{HEAD} HTTP/1.1\r\nhost: {}\r\n", shop.address());
    let body = format!("{head}{JSON}content-length: 100\r\n\r\n{{\"email\"");
    std::thread::scope(|scope| {
        let silent = scope.spawn(|| stall(shop.raw_connection(), ""));
        let slow_head = scope.spawn(|| stall(shop.raw_connection(), &head));
        let slow_body = scope.spawn(|| stall(shop.raw_connection(), &body));
        let slow_drops = scope.spawn(trickle);
        for (what, cut_off) in [("nothing", silent), ("half a head", slow_head)] {
            let cut_off = cut_off.join().unwrap();
            assert_eq!(cut_off.status, Some(408), "{what}: {cut_off:?}");
        }
        let cut_off = slow_body.join().unwrap();
        assert_eq!(cut_off.status, Some(408), "half a body: {cut_off:?}");
        assert!(cut_off.text.contains("body_too_slow"), "{cut_off:?}");
        let cut_off = slow_drops.join().unwrap();
        assert_eq!(cut_off.status, Some(408), "drops: {cut_off:?}");
    });
    shop.anonymous().get("/api/v1/products").ok();
}

#[test]
fn bytes_that_are_not_http_are_refused_and_do_no_harm() {
    let shop = Shop::open();
    let host = shop.address();
    let headers: String = (0..200).map(|n| format!("x-{n}: y\r\n")).collect();
    #[rustfmt::skip]
    let requests: Vec<(&str, Vec<u8>)> = vec![
        ("TLS",                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        ("noise",              (0..=255).chain(0..=255).collect()),
        ("no version",         b"GET /\r\n\r\n".to_vec()),
        ("no host",            b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n".to_vec()),
        ("another version",    format!("GET / HTTP/9.9\r\nhost: {host}\r\n\r\n").into()),
        ("two lengths",        format!("POST /api/v1/users HTTP/1.1\r\nhost: {host}\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{{}}").into()),
        ("a negative length",  format!("POST /api/v1/users HTTP/1.1\r\nhost: {host}\r\ncontent-length: -2\r\n\r\n{{}}").into()),
        ("length and chunks",  format!("POST /api/v1/users HTTP/1.1\r\nhost: {host}\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n").into()),
        ("bad chunks",         format!("POST /api/v1/users HTTP/1.1\r\nhost: {host}\r\n{JSON}transfer-encoding: chunked\r\n\r\nzz\r\n").into()),
        ("unknown coding",     format!("POST /api/v1/users HTTP/1.1\r\nhost: {host}\r\n{JSON}transfer-encoding: rot13\r\n\r\n{{}}").into()),
        ("a zero in a header", format!("GET / HTTP/1.1\r\nhost: {host}\r\nx: a\0b\r\n\r\n").into()),
        ("no colon",           format!("GET / HTTP/1.1\r\nhost: {host}\r\nnonsense\r\n\r\n").into()),
        ("many headers",       format!("GET / HTTP/1.1\r\nhost: {host}\r\n{headers}\r\n").into()),
        ("a long header",      format!("GET / HTTP/1.1\r\nhost: {host}\r\nx: {}\r\n\r\n", "y".repeat(200_000)).into()),
        ("an odd method",      format!("G<T / HTTP/1.1\r\nhost: {host}\r\n\r\n").into()),
    ];
    for (what, bytes) in requests {
        let answer = shop.raw_connection().say(bytes).listen();
        assert!(answer.status.is_none_or(|status| (400..500).contains(&status)), "{what}: {answer:?}");
    }
    let latin = format!(
        "GET /api/v1/users/me HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nauthorization: Bearer \u{e9}\r\n\r\n"
    );
    assert_eq!(shop.raw_connection().say(latin).listen().status, Some(401));
    let cookies = format!(
        "GET /api/v1/cart HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncookie: =; ;;cart=%%%; __Host-access=\"\r\n\r\n"
    );
    assert_eq!(shop.raw_connection().say(cookies).listen().status, Some(200));
    shop.anonymous().get("/readyz").ok();
}
