//! TLS (RFC 8446, RFC 5246): 1.3 and 1.2, HTTP/2 by ALPN, and a certificate that can be changed
//! while the shop runs.

use crate::types::Timestamp;
use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use sha2::{Digest, Sha256};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where the certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateSource {
    /// The certificate is made at each start: for trying out TLS without a certificate authority.
    SelfSigned,
    /// PEM files (RFC 7468): the chain, with the server's certificate first, and the private key.
    /// They can be read again while the shop runs.
    Files { chain: PathBuf, key: PathBuf },
}

/// The certificate that clients get. It can be replaced while the shop runs.
pub struct Certificates {
    from: CertificateSource,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<CertifiedKey>,
}

/// Why a certificate cannot be used, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadCertificate(String);

/// How long a self-signed certificate is valid. Browsers accept at most 398 days of an authority's
/// certificate (CA/Browser Forum).
const SELF_SIGNED_DAYS: i64 = 397;

impl Certificates {
    /// Reads or makes the certificate. `names` are the host names of the shop beside localhost, for
    /// a self-signed certificate. `Err` says in one line what is wrong with the files.
    pub fn load(from: CertificateSource, names: &[String], now: Timestamp) -> Result<Self, BadCertificate> {
        let provider = Arc::new(ring::default_provider());
        let key = match &from {
            CertificateSource::SelfSigned => self_signed(names, now, &provider)?,
            CertificateSource::Files { chain, key } => read(chain, key, &provider)?,
        };
        Ok(Self { from, provider, current: ArcSwap::from_pointee(key) })
    }

    /// Reads the files again. Later handshakes use the new certificate. If the files are not valid,
    /// the old certificate stays in use.
    pub fn reload(&self) -> Result<(), BadCertificate> {
        if let CertificateSource::Files { chain, key } = &self.from {
            self.current.store(Arc::new(read(chain, key, &self.provider)?));
        }
        Ok(())
    }

    /// Whether the certificate comes from files, and not from this program. Only then is HSTS sent.
    pub fn is_lasting(&self) -> bool {
        self.from != CertificateSource::SelfSigned
    }

    /// The SHA-256 of the certificate, in the form that browsers show.
    pub fn fingerprint(&self) -> String {
        let current = self.current.load();
        let hex = |byte: u8| format!("{byte:02X}");
        current
            .cert
            .first()
            .map(|own| Sha256::digest(own).into_iter().map(hex).collect::<Vec<_>>().join(":"))
            .unwrap_or_default()
    }

    /// The configuration of rustls: TLS 1.3 and 1.2, with this certificate.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, BadCertificate> {
        let versions = ServerConfig::builder_with_provider(self.provider.clone()).with_safe_default_protocol_versions();
        let versions = versions.map_err(|error| BadCertificate(error.to_string()))?;
        Ok(versions.with_no_client_auth().with_cert_resolver(self.clone()))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("from", &self.from).finish_non_exhaustive()
    }
}

fn read(chain: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, BadCertificate> {
    let unreadable =
        |path: &Path, error: &dyn fmt::Display| BadCertificate(format!("{} cannot be used: {error}", path.display()));
    let certificates = CertificateDer::pem_file_iter(chain).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = certificates.map_err(|error| unreadable(chain, &error))?;
    if certificates.is_empty() {
        return Err(unreadable(chain, &"there is no certificate in it"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
    CertifiedKey::from_der(certificates, private, provider).map_err(|error| {
        BadCertificate(format!("{} and {} do not go together: {error}", chain.display(), key.display()))
    })
}

fn self_signed(names: &[String], now: Timestamp, provider: &CryptoProvider) -> Result<CertifiedKey, BadCertificate> {
    let failed = |error: &dyn fmt::Display| BadCertificate(format!("no certificate could be made: {error}"));
    let own = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut wanted = rcgen::CertificateParams::new(own.into_iter().chain(names.iter().cloned()).collect::<Vec<_>>())
        .map_err(|error| failed(&error))?;
    wanted.distinguished_name.push(rcgen::DnType::CommonName, "Galleria");
    let day = |at: Timestamp| {
        let date = at.to_zoned(jiff::tz::TimeZone::UTC).date();
        rcgen::date_time_ymd(date.year().into(), date.month() as u8, date.day() as u8)
    };
    let hours = |days: i64| jiff::SignedDuration::from_hours(days * 24);
    // Valid since yesterday, because clocks differ.
    wanted.not_before = day(now.checked_sub(hours(1)).unwrap_or(now));
    wanted.not_after = day(now.checked_add(hours(SELF_SIGNED_DAYS)).unwrap_or(now));
    let pair = rcgen::KeyPair::generate().map_err(|error| failed(&error))?;
    let certificate = wanted.self_signed(&pair).map_err(|error| failed(&error))?;
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.serialize_der()));
    CertifiedKey::from_der(vec![certificate.der().clone()], private, provider).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn now() -> Timestamp {
        "2026-11-23T10:00:00Z".parse().unwrap()
    }

    /// A chain and its key, in PEM.
    fn pair() -> (String, String) {
        let pair = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&pair).unwrap();
        let pem = |label: &str, der: &[u8]| {
            use base64::{Engine, engine::general_purpose::STANDARD};
            format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
        };
        (pem("CERTIFICATE", certificate.der()), pem("PRIVATE KEY", &pair.serialize_der()))
    }

    #[test]
    fn each_self_signed_certificate_is_a_new_one() {
        let make = || Certificates::load(CertificateSource::SelfSigned, &["shop.example".into()], now()).unwrap();
        let (one, two) = (make(), make());
        assert_ne!(one.fingerprint(), two.fingerprint());
        assert_eq!(one.fingerprint().len(), 32 * 3 - 1);
        assert!(!one.is_lasting());
        let same = one.fingerprint();
        one.reload().unwrap();
        assert_eq!(one.fingerprint(), same, "a self-signed certificate is not made again");
    }

    #[test]
    fn files_are_read_again_and_invalid_files_change_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (chain, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let write = |(certificate, private): &(String, String)| {
            fs::write(&chain, certificate).unwrap();
            fs::write(&key, private).unwrap();
        };
        let (first, second) = (pair(), pair());
        write(&first);
        let from = CertificateSource::Files { chain: chain.clone(), key: key.clone() };
        let certificates = Certificates::load(from, &[], now()).unwrap();
        assert!(certificates.is_lasting());
        let before = certificates.fingerprint();
        for (bad, message) in [
            ((second.0.clone(), first.1.clone()), "do not go together"),
            (("no PEM".to_owned(), second.1.clone()), "no certificate"),
            ((second.0.clone(), String::new()), "cannot be used"),
            ((second.1.clone(), second.0.clone()), "no certificate"),
        ] {
            write(&bad);
            let refused = certificates.reload().unwrap_err().to_string();
            assert!(refused.contains(message), "{refused}");
            assert_eq!(certificates.fingerprint(), before);
        }
        fs::remove_file(&chain).unwrap();
        assert!(certificates.reload().unwrap_err().to_string().contains("cert.pem"));
        write(&second);
        certificates.reload().unwrap();
        assert_ne!(certificates.fingerprint(), before);
    }
}
