//! An authority of the test's own, and what it signs.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, SignatureAlgorithm,
    date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::scratch::Scratch;

pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    scratch: Scratch,
}

/// A certificate with its key, in files.
#[derive(Clone)]
pub struct Issued {
    pub chain: String,
    pub key: String,
    pub cert_file: String,
    pub key_file: String,
    pub serial: u64,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let name = &mut params.distinguished_name;
        name.push(DnType::CommonName, "Authority of the tests");
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
            scratch: Scratch::new(),
        }
    }

    /// A certificate for these hosts, in files that begin with the first.
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.issue_with(names, |_| &rcgen::PKCS_ECDSA_P256_SHA256)
    }

    /// The same, changed, and with a key of the kind that is said.
    pub fn issue_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams) -> &'static SignatureAlgorithm,
    ) -> Issued {
        let serial = u64::from(rand_like());
        let owned: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(owned).unwrap();
        params.serial_number = Some(SerialNumber::from(serial));
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, names[0]);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2100, 1, 1);
        let algorithm = change(&mut params);
        let key = KeyPair::generate_for(algorithm).unwrap();
        let chain = params.signed_by(&key, &self.issuer).unwrap().pem() + &self.pem;
        let key = key.serialize_pem();
        let stem = format!("{}-{serial}", names[0].replace('*', "any"));
        let cert_file = self.scratch.write(&format!("{stem}.crt"), &chain);
        let key_file = self.scratch.write(&format!("{stem}.key"), &key);
        make_private(&key_file);
        Issued {
            chain,
            key,
            cert_file,
            key_file,
            serial,
        }
    }

    /// Its own certificate, in a file.
    pub fn file(&self) -> String {
        self.scratch.write("authority.crt", &self.pem)
    }

    /// A list of these, which are not to be believed any more, in a file.
    pub fn revoke(&self, revoked: &[&Issued]) -> String {
        self.revoke_until(2100, revoked)
    }

    /// The same, to be followed by another one in that year.
    pub fn revoke_until(&self, year: i32, revoked: &[&Issued]) -> String {
        let one = |issued: &&Issued| RevokedCertParams {
            serial_number: SerialNumber::from(issued.serial),
            revocation_time: date_time_ymd(2021, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2021, 1, 1),
            next_update: date_time_ymd(year, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(one).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.issuer).unwrap().pem().unwrap();
        self.scratch.write("revoked.crl", &list)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.scratch.path(name)
    }

    /// A client that believes this authority, and shows nothing.
    pub fn client(&self) -> ClientConfig {
        self.client_of(rustls::ALL_VERSIONS, None)
    }

    /// One of these versions, which shows a certificate.
    pub fn client_of(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
        shown: Option<&Issued>,
    ) -> ClientConfig {
        let roots = believed(&self.pem);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        match shown {
            Some(issued) => {
                let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
                builder
                    .with_client_auth_cert(certificates(&issued.chain), key)
                    .unwrap()
            }
            None => builder.with_no_client_auth(),
        }
    }
}

impl Issued {
    /// As the entries of a listener.
    pub fn entries(&self) -> String {
        let (cert, key) = (&self.cert_file, &self.key_file);
        format!("cert_file: {cert:?}, key_file: {key:?}")
    }
}

fn believed(pem: &str) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem) {
        roots.add(certificate).unwrap();
    }
    roots
}

/// A client that believes this authority, and shows nothing.
pub(crate) fn client_believing(pem: &str) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(believed(pem))
        .with_no_client_auth()
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .unwrap()
}

fn make_private(file: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Serial numbers that differ within one run.
fn rand_like() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(1000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
