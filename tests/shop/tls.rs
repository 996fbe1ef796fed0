//! TLS of the gateway: the versions, HTTP/1.1 and HTTP/2, and the certificate.

use crate::harness::{Shop, eventually, within};
use http::Request;
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
    version::{TLS12, TLS13},
};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    sync::Arc,
    time::Duration,
};

const NAME: &str = "localhost";

/// Writes a new certificate and its key beside the data folder. Gives the certificate.
fn write_certificate(home: &Path) -> CertificateDer<'static> {
    let pair = rcgen::KeyPair::generate().expect("a key");
    let wanted = rcgen::CertificateParams::new(vec![NAME.to_owned()]).expect("a name");
    let certificate = wanted.self_signed(&pair).expect("a certificate");
    fs::write(home.join("key.pem"), pem("PRIVATE KEY", &pair.serialize_der())).expect("room for it");
    fs::write(home.join("cert.pem"), pem("CERTIFICATE", certificate.der())).expect("room for it");
    CertificateDer::from_pem_file(home.join("cert.pem")).expect("what was just written")
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn shop_with_certificate() -> (Shop, CertificateDer<'static>) {
    let mut shop = Shop::options().flag("--tls-cert", "cert.pem").flag("--tls-key", "key.pem").closed();
    let certificate = write_certificate(shop.home());
    shop.start();
    (shop, certificate)
}

/// A client configuration that trusts only this certificate.
fn trusting(
    certificate: &CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).expect("versions");
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

type TlsConnection = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

/// A connection after the handshake.
fn connect(shop: &Shop, config: Arc<ClientConfig>) -> Result<TlsConnection, std::io::Error> {
    let name = ServerName::try_from(NAME).expect("a name");
    let mut connection = rustls::ClientConnection::new(config, name).expect("a client");
    let mut stream = TcpStream::connect(shop.address())?;
    connection.complete_io(&mut stream)?;
    Ok(rustls::StreamOwned::new(connection, stream))
}

fn get(shop: &Shop, config: Arc<ClientConfig>, path: &str) -> Result<String, std::io::Error> {
    ask(shop, config, &format!("GET {path}"), "", "")
}

fn ask(
    shop: &Shop,
    config: Arc<ClientConfig>,
    what: &str,
    headers: &str,
    body: &str,
) -> Result<String, std::io::Error> {
    let mut line = connect(shop, config)?;
    write!(line, "{what} HTTP/1.1\r\nhost: {NAME}\r\nconnection: close\r\n{headers}")?;
    if !body.is_empty() {
        write!(line, "content-type: application/json\r\ncontent-length: {}\r\n", body.len())?;
    }
    write!(line, "\r\n{body}")?;
    let mut answer = Vec::new();
    // A peer that closes without `close_notify` has sent all that its head announced.
    let _ = line.read_to_end(&mut answer);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Sends a request on a connection that stays open. Gives the answer.
fn answer_on(line: &mut TlsConnection, request: &str) -> String {
    line.write_all(request.as_bytes()).expect("an open line");
    let mut answer = String::new();
    let mut lines = BufReader::new(line);
    while !answer.ends_with("\r\n\r\n") {
        assert!(lines.read_line(&mut answer).expect("an answer") > 0, "hung up after {answer:?}");
    }
    let length = answer.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.expect("a length")];
    lines.read_exact(&mut body).expect("a body");
    answer
}

#[test]
fn the_gateway_speaks_tls_1_3_and_1_2_and_sends_hsts() {
    let (shop, certificate) = shop_with_certificate();
    for version in [&TLS13, &TLS12] {
        let answer =
            get(&shop, trusting(&certificate, &[version], &["http/1.1"]), "/api/v1/categories").expect("a handshake");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains("\r\nstrict-transport-security: max-age=31536000\r\n"), "{answer}");
    }
    let stranger = rcgen::generate_simple_self_signed(vec![NAME.to_owned()]).expect("a certificate");
    let fooled = get(&shop, trusting(stranger.cert.der(), &[&TLS13], &[]), "/livez");
    assert!(fooled.is_err(), "another certificate is another shop");
}

#[test]
fn with_tls_only_the_secure_host_cookie_of_a_guest_cart_is_accepted() {
    let mut shop = Shop::options().demo().flag("--tls-cert", "cert.pem").flag("--tls-key", "key.pem").closed();
    let certificate = write_certificate(shop.home());
    shop.start();
    let ask = |what: &str, headers: &str, body: &str| {
        let answer = ask(&shop, trusting(&certificate, &[&TLS13], &[]), what, headers, body).expect("a handshake");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        answer
    };
    let products = ask("GET /api/v1/products?in_stock=true", "", "");
    let product = products.find("prd_").map(|at| &products[at..at + 36]).expect("a product");
    let answer = ask(&format!("PUT /api/v1/cart/items/{product}"), "", r#"{"quantity":1}"#);
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
    let (value, rules) =
        cookie.strip_prefix("__Host-cart=").and_then(|rest| rest.split_once(';')).unwrap_or_else(|| panic!("{cookie}"));
    for rule in ["HttpOnly", "Secure", "SameSite=Strict", "Path=/"] {
        assert!(rules.contains(rule), "{cookie}");
    }
    let pieces = |cookie: &str| ask("GET /api/v1/cart", &format!("cookie: {cookie}\r\n"), "").contains(product);
    assert!(pieces(&format!("__Host-cart={value}")));
    // A proxy or a sibling host could have set a cookie of this name. It is not accepted, even
    // beside the right one.
    assert!(!pieces(&format!("cart={value}")));
    assert!(pieces(&format!("cart=crt_1.x; __Host-cart={value}")));
}

#[tokio::test]
async fn the_gateway_speaks_http_2_to_clients_that_offer_it() {
    let (shop, certificate) = shop_with_certificate();
    let config = trusting(&certificate, &[&TLS13], &["h2", "http/1.1"]);
    let stream = tokio::net::TcpStream::connect(shop.address()).await.expect("a connection");
    let name = ServerName::try_from(NAME).expect("a name");
    let stream = tokio_rustls::TlsConnector::from(config).connect(name, stream).await.expect("a handshake");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    let running = tokio::spawn(connection);
    // Many concurrent requests on one connection, and a request body.
    let ask = |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(format!("https://{NAME}{path}"));
        request.header("content-type", "application/json").body(()).expect("a request")
    };
    let mut answers = Vec::new();
    for path in ["/api/v1/categories", "/livez", "/", "/api/v1/nothing"] {
        let (answer, _) = sender.send_request(ask("GET", path), true).expect("room for a stream");
        answers.push((path, answer));
    }
    for (path, answer) in answers {
        let answer = answer.await.expect("an answer");
        assert_eq!(answer.status().as_u16(), if path.ends_with("nothing") { 404 } else { 200 }, "{path}");
        assert!(answer.headers().contains_key("strict-transport-security"), "{path}");
    }
    let (answer, mut body) = sender.send_request(ask("POST", "/api/v1/sessions"), false).expect("room for a stream");
    body.send_data(r#"{"email":"nobody@example.com","password":"a long walk at dawn"}"#.into(), true).expect("room");
    assert_eq!(answer.await.expect("an answer").status().as_u16(), 401);
    // In HTTP/2 `:authority` replaces Host, and a Host header beside it changes nothing.
    for (authority, status) in [(NAME, 200), ("127.0.0.1", 200), ("evil.example", 421)] {
        let request = Request::builder().uri(format!("https://{authority}/api/v1/categories")).header("host", NAME);
        let (answer, _) = sender.send_request(request.body(()).expect("a request"), true).expect("room for a stream");
        assert_eq!(answer.await.expect("an answer").status().as_u16(), status, "{authority}");
    }
    running.abort();
}

#[test]
fn the_fingerprint_of_a_generated_certificate_is_printed() {
    let shop = Shop::options().flag("--tls", "self-signed").open();
    let said =
        eventually("it says so", || shop.log().lines().find(|line| line.contains("fingerprint")).map(str::to_owned));
    assert!(said.ends_with(|c: char| c.is_ascii_hexdigit()) && said.matches(':').count() > 30, "{said}");
    // No answer has an HSTS header.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().expect("versions");
    let config = config
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AcceptAnyCertificate(provider)))
        .with_no_client_auth();
    let answer = get(&shop, Arc::new(config), "/livez").expect("a handshake");
    assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("strict-transport-security"), "{answer}");
}

#[test]
fn the_certificate_is_replaced_at_run_time_and_an_invalid_one_changes_nothing() {
    let (shop, old) = shop_with_certificate();
    let works =
        |certificate: &CertificateDer<'static>| get(&shop, trusting(certificate, &[&TLS13], &[]), "/livez").is_ok();
    assert!(works(&old));
    let mut line = connect(&shop, trusting(&old, &[&TLS13], &["http/1.1"])).expect("a handshake");
    fs::write(shop.home().join("cert.pem"), "no certificate").expect("room for it");
    shop.signal("HUP");
    eventually("it says why", || shop.log().contains("the certificate stays as it is").then_some(()));
    assert!(works(&old));
    let new = write_certificate(shop.home());
    shop.signal("HUP");
    eventually("the new one is shown", || works(&new).then_some(()));
    assert!(!works(&old));
    // A connection from before is still served.
    write!(line, "GET /livez HTTP/1.1\r\nhost: {NAME}\r\nconnection: close\r\n\r\n").expect("an open line");
    let mut answer = Vec::new();
    let _ = line.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
}

/// The storage is reopened when a full disk has room again. That does not reload the certificate
/// files.
#[test]
fn an_invalid_certificate_changes_nothing_when_the_storage_is_reopened() {
    let most = 3 * 1024 * 1024;
    let mut shop =
        Shop::options().demo().file_size(most).flag("--tls-cert", "cert.pem").flag("--tls-key", "key.pem").closed();
    let certificate = write_certificate(shop.home());
    shop.start();
    let trusting = || trusting(&certificate, &[&TLS13], &[]);
    let products = get(&shop, trusting(), "/api/v1/products?in_stock=true").expect("a handshake");
    let product = products.find("prd_").map(|at| &products[at..at + 36]).expect("a product");
    fs::write(shop.home().join("cert.pem"), "no certificate").expect("room for it");
    let mut line = connect(&shop, trusting()).expect("a handshake");
    let put = format!(
        "PUT /api/v1/cart/items/{product} HTTP/1.1\r\nhost: {NAME}\r\ncontent-type: application/json\r\n\
         content-length: 14\r\n\r\n{{\"quantity\":1}}"
    );
    // A new guest each time.
    while answer_on(&mut line, &put).starts_with("HTTP/1.1 200 ") {}
    shop.lift_file_size();
    within(Duration::from_secs(60), "it is open again", || shop.log().contains("open again").then_some(()));
    eventually("the same certificate is shown", || get(&shop, trusting(), "/livez").ok());
    assert_eq!(shop.stop(), Some(0));
}

#[test]
fn a_client_that_does_not_speak_tls_is_disconnected_and_others_are_served() {
    let (shop, certificate) = shop_with_certificate();
    let plain = shop.raw_connection().head("GET /livez", "").listen();
    assert_eq!(plain.status, None, "{plain:#?}");
    let mut silent = shop.raw_connection();
    let answer = get(&shop, trusting(&certificate, &[&TLS13], &[]), "/livez").expect("a handshake");
    assert!(answer.starts_with("HTTP/1.1 200 "));
    let hung_up = silent.listen();
    assert_eq!((hung_up.status, &*hung_up.text), (None, ""), "it says nothing to one that says nothing");
}

#[test]
fn contradictory_settings_are_refused_before_the_start() {
    for flags in [
        &["--tls-cert", "cert.pem"][..],
        &["--tls-key", "key.pem"],
        &["--tls", "self-signed", "--tls-cert", "cert.pem", "--tls-key", "key.pem"],
        &["--tls", "1.3"],
        &["--tls-cert", "nowhere.pem", "--tls-key", "nowhere.pem"],
    ] {
        let shop = Shop::options().closed();
        let refused = shop.command(&[&["serve", "--listen", "127.0.0.1:0"], flags].concat());
        assert_eq!(refused.code, Some(2), "{flags:?}: {refused:#?}");
        assert!(refused.err.starts_with("galleria: ") && refused.err.lines().count() == 1, "{refused:#?}");
    }
}

/// Accepts any certificate.
#[derive(Debug)]
struct AcceptAnyCertificate(Arc<rustls::crypto::CryptoProvider>);

impl rustls::client::danger::ServerCertVerifier for AcceptAnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
