//! Attacks on the gateway by single connections: idle connections, endless heads, and bytes that
//! two servers would parse differently (request smuggling). The gateway closes the connection or
//! refuses the request, and other clients are served.

use crate::harness::{PATIENCE, Shop, eventually, within};
use std::{
    process::Command,
    time::{Duration, Instant},
};

/// Follows a request that must be refused. A server that parses a request out of these bytes was
/// smuggled one.
const SMUGGLED: &str = "GET /api/v1/smuggled HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// The statuses of the answers on one connection, until the gateway closes it.
fn answers(shop: &Shop, bytes: &str) -> Vec<u16> {
    let text = shop.raw_connection().say(bytes).listen().text;
    text.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].parse().expect("a status")).collect()
}

#[test]
fn an_ambiguous_request_head_is_refused() {
    let shop = Shop::open();
    let post = "POST /api/v1/sessions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    #[rustfmt::skip]
    let shapes = [
        ("a length and chunks",             "content-length: 5\r\ntransfer-encoding: chunked\r\n"),
        ("chunks and a length",             "transfer-encoding: chunked\r\ncontent-length: 5\r\n"),
        ("two lengths",                     "content-length: 5\r\ncontent-length: 6\r\n"),
        ("the same length twice",           "content-length: 5\r\ncontent-length: 5\r\n"),
        ("a list of lengths",               "content-length: 5, 5\r\n"),
        ("a length with a sign",            "content-length: +5\r\n"),
        ("a negative length",               "content-length: -5\r\n"),
        ("a hexadecimal length",            "content-length: 0x5\r\n"),
        ("no length",                       "content-length: \r\n"),
        ("a length beyond all lengths",     "content-length: 99999999999999999999999\r\n"),
        ("a coding that is not known",      "transfer-encoding: xchunked\r\n"),
        ("two codings",                     "transfer-encoding: identity, chunked\r\n"),
        ("chunks that are not last",        "transfer-encoding: chunked, identity\r\n"),
        ("no coding",                       "transfer-encoding: identity\r\n"),
        ("chunks, and more chunks",         "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n"),
        ("chunks, and no coding",           "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n"),
        ("quoted chunks",                   "transfer-encoding: \"chunked\"\r\n"),
        ("chunks after a vertical tab",     "transfer-encoding: \x0bchunked\r\n"),
        ("a space before the colon",        "transfer-encoding : chunked\r\n"),
        ("a tab before the colon",          "content-length\t: 5\r\n"),
        ("a folded line",                   "transfer-encoding:\r\n chunked\r\n"),
        ("a folded line after a value",     "x: y\r\n\tcontent-length: 5\r\n"),
        ("a carriage return in a value",    "x: y\rcontent-length: 5\r\n"),
        ("a zero in a value",               "x: y\0\r\ncontent-length: 5\r\n"),
        ("a zero in a name",                "content-length\0: 5\r\n"),
        ("a line without a colon",          "content-length\r\n"),
        ("a header without a name",         ": 5\r\n"),
        ("two hosts",                       "host: other.example\r\n"),
    ];
    for (what, header) in shapes {
        let seen = answers(&shop, &format!("{post}{header}\r\n0\r\n\r\n{SMUGGLED}"));
        assert!(seen == [400] || seen.is_empty(), "{what}: {seen:?}");
    }
    #[rustfmt::skip]
    let lines = [
        ("a space before the first header", format!("GET / HTTP/1.1\r\n host: localhost\r\n\r\n{SMUGGLED}")),
        ("chunks in HTTP/1.0",              format!("POST /api/v1/sessions HTTP/1.0\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}")),
        ("two spaces in the request line",  format!("GET / / HTTP/1.1\r\nhost: localhost\r\n\r\n{SMUGGLED}")),
        ("a carriage return in it",         format!("GET /\r HTTP/1.1\r\nhost: localhost\r\n\r\n{SMUGGLED}")),
        ("another protocol",                format!("GET / HTTP/1.1x\r\nhost: localhost\r\n\r\n{SMUGGLED}")),
        ("no host",                         format!("GET / HTTP/1.1\r\n\r\n{SMUGGLED}")),
    ];
    for (what, bytes) in lines {
        let seen = answers(&shop, &bytes);
        assert!(seen == [400] || seen.is_empty(), "{what}: {seen:?}");
    }
    assert!(!shop.log().contains("smuggled"), "{}", shop.log());
    shop.anonymous().get("/api/v1/products").ok();
}

#[test]
fn ambiguous_chunks_are_refused() {
    let shop = Shop::open();
    let head = "POST /api/v1/sessions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    #[rustfmt::skip]
    let shapes = [
        ("a line feed ends an extension",   "2;x\n{}\r\n0\r\n\r\n"),
        ("a return within an extension",    "2;x\ry\r\n{}\r\n0\r\n\r\n"),
        ("a zero within an extension",      "2;x\0\r\n{}\r\n0\r\n\r\n"),
        ("a line feed ends a size",         "2\n{}\r\n0\r\n\r\n"),
        ("a sign before a size",            "+2\r\n{}\r\n0\r\n\r\n"),
        ("a negative size",                 "-2\r\n{}\r\n0\r\n\r\n"),
        ("a size that says it is hex",      "0x2\r\n{}\r\n0\r\n\r\n"),
        ("a size with a gap",               "0 2\r\n{}\r\n0\r\n\r\n"),
        ("a size with a comma",             "2,2\r\n{}\r\n0\r\n\r\n"),
        ("a size beyond all sizes",         "10000000000000002\r\n{}\r\n0\r\n\r\n"),
        ("no size",                         "\r\n{}\r\n0\r\n\r\n"),
        ("more than its size",              "2\r\n{}xx\r\n0\r\n\r\n"),
        ("a line feed ends the data",       "2\r\n{}\n0\r\n\r\n"),
        ("a size that is no number",        "zz\r\n{}\r\n0\r\n\r\n"),
    ];
    for (what, body) in shapes {
        let seen = answers(&shop, &format!("{head}{body}{SMUGGLED}"));
        assert!(seen == [400] || seen.is_empty(), "{what}: {seen:?}");
    }
    assert!(!shop.log().contains("smuggled"), "{}", shop.log());
    shop.anonymous().get("/api/v1/products").ok();
}

/// RFC 9112 §2.2 allows a lone line feed as the end of a line. The bytes after it are a header, and
/// are checked like any other header.
#[test]
fn a_header_after_a_lone_line_feed_is_checked_like_any_header() {
    let shop = Shop::open();
    let post = "POST /api/v1/sessions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    for hidden in
        ["content-length: 4\r\nx: y\ntransfer-encoding: chunked\r\n", "content-length: 4\nx: y\ncontent-length: 5\r\n"]
    {
        let seen = answers(&shop, &format!("{post}{hidden}\r\n0\r\n\r\n{SMUGGLED}"));
        assert!(seen == [400] || seen.is_empty(), "{hidden:?}: {seen:?}");
    }
    assert!(!shop.log().contains("smuggled"), "{}", shop.log());
}

#[test]
fn an_endless_request_head_is_cut_off() {
    let shop = Shop::open();
    let begin = format!("GET / HTTP/1.1\r\nhost: {}\r\n", shop.address());
    std::thread::scope(|scope| {
        type Piece = fn(usize) -> String;
        let bombs: [(&str, Piece, usize); 4] = [
            ("many headers", |n| format!("x-{n}: y\r\n"), 5_000_000),
            ("one header without end", |_| "y".repeat(1000), 64_000),
            ("one name without end", |_| "n".repeat(1000), 64_000),
            ("cookies", |n| format!("cookie: c{n}={}\r\n", "v".repeat(4000)), 16_000),
        ];
        for (what, bomb, pieces) in bombs {
            let (shop, begin) = (&shop, &begin);
            scope.spawn(move || {
                let mut connection = shop.raw_connection();
                connection.say(begin).say(if what.contains("one header") { "x: " } else { "" });
                // More bytes than the buffers of both ends hold. Only a gateway that reads all of
                // them lets the client send them all.
                let sent = connection.pour((0..pieces).map(bomb));
                assert!(sent.is_some(), "{what}: the shop took all {pieces} pieces");
                let answer = connection.listen();
                assert!(matches!(answer.status, Some(400 | 431) | None), "{what}: {answer:?}");
            });
        }
    });
    shop.anonymous().get("/api/v1/products").ok();
}

/// Sends single header lines for longer than a head may take. The timeout is for the whole head,
/// not for the next line.
#[test]
fn a_slowly_sent_request_head_is_cut_off() {
    let shop = Shop::open();
    let mut connection = shop.raw_connection();
    connection.say(format!("GET /livez HTTP/1.1\r\nhost: {}\r\n", shop.address()));
    let mut drops = 0;
    within(PATIENCE, "it is cut off in the middle of its head", || {
        drops += 1;
        std::thread::sleep(Duration::from_millis(480));
        connection.say(format!("x-{drops}: y\r\n")).is_answered().then_some(())
    });
    assert_eq!(connection.listen().status, Some(408));
}

/// Each connection is an open file. A shell allows a program about a thousand of them by default.
#[test]
fn ten_thousand_idle_connections_do_not_block_other_clients() {
    // Raise the limit of this process too. Where that is not permitted, use fewer connections.
    let own = format!(
        "prlimit --pid {0} --nofile=20000: ; prlimit --pid {0} --nofile --noheadings --output SOFT",
        std::process::id()
    );
    let told = Command::new("sh").args(["-c", &own]).output().expect("a shell").stdout;
    let allowed: usize = String::from_utf8_lossy(&told).trim().parse().unwrap_or(1024);
    let many = (allowed / 2).clamp(400, 10_000);
    let shop = Shop::options().open_files(1024).open();
    let before = shop.resident();
    let begun = Instant::now();
    let idle: Vec<_> = (0..many)
        .map(|n| {
            let mut connection = shop.raw_connection();
            // Half of the connections have sent a request before; these may stay idle for longer.
            if n % 2 == 0 {
                connection.say(format!("GET /livez HTTP/1.1\r\nhost: {}\r\n\r\n", shop.address()));
            }
            connection
        })
        .collect();
    // A refused connection is tried again after a second. Many of those would take minutes.
    assert!(begun.elapsed() < PATIENCE, "they are left to try again: {:?}", begun.elapsed());
    let begun = Instant::now();
    let shopper = shop.shopper();
    for _ in 0..20 {
        shopper.get("/api/v1/products").ok();
        shop.anonymous().get("/api/v1/storefront").ok();
    }
    assert!(begun.elapsed() < PATIENCE, "others wait: {:?}", begun.elapsed());
    let each = (shop.resident().saturating_sub(before)) / many;
    println!("{many} connections: {each} bytes each");
    // Two thirds of that were enough with an allocator that returns less memory after the load.
    assert!(each < 32_000, "{each} bytes for a connection that says nothing");
    drop(idle);
    eventually("it is as if they had never been", || (shop.anonymous().get("/readyz").status == 200).then_some(()));
}
