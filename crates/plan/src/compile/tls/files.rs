//! The files that TLS of a listener is made of.

use std::io::ErrorKind;
use std::time::{SystemTime, UNIX_EPOCH};

use ::tls::{Certificate, ClientAuthorities, DistinguishedName, Doubt, ServerAuthorities, Viewers};
use config::{ClientCertificates, Problem, Problems, Spanned};

use crate::compile::Open;
use crate::compile::backend_tls::System;
use crate::{CertificateFiles, Heritage};

/// A file, and what is wrong with it.
type FileFault<'p> = (&'p Spanned<String>, String);

/// The files of one certificate.
#[derive(Clone)]
pub(in crate::compile) struct Pair {
    pub(in crate::compile) chain: Spanned<String>,
    pub(in crate::compile) key: Spanned<String>,
    pub(in crate::compile) ocsp: Option<Spanned<String>>,
    /// By Forebay itself.
    pub(in crate::compile) is_renewed: bool,
}

/// Reads files, and keeps their names.
pub(in crate::compile) struct Files<'a, 'o> {
    open: &'a Open<'o>,
    system: &'a System,
    heritage: &'a Heritage,
    /// Who is shown the certificates.
    viewers: Viewers,
    pub(in crate::compile) problems: &'a mut Problems,
    pub(in crate::compile) named: Vec<Box<str>>,
    /// Until when each is current.
    pub(super) revocation_lists: Vec<(Box<str>, i64)>,
}

impl<'a, 'o> Files<'a, 'o> {
    pub(in crate::compile) fn new(
        (open, system, heritage): (&'a Open<'o>, &'a System, &'a Heritage),
        viewers: Viewers,
        problems: &'a mut Problems,
    ) -> Self {
        Self {
            open,
            system,
            heritage,
            viewers,
            problems,
            named: Vec::new(),
            revocation_lists: Vec::new(),
        }
    }

    pub(in crate::compile) fn read(&mut self, file: &Spanned<String>) -> Option<Vec<u8>> {
        if !file.is_written() {
            return None;
        }
        let read = self.open(file);
        read.map_err(|why| {
            self.refuse(file, why);
        })
        .ok()
    }

    fn open(&mut self, file: &Spanned<String>) -> Result<Vec<u8>, String> {
        let name = (*file.value).into();
        if !self.named.contains(&name) {
            self.named.push(name);
        }
        (self.open)(file).map_err(|error| format!("the file cannot be read: {error}"))
    }

    pub(in crate::compile) fn refuse(
        &mut self,
        file: &Spanned<String>,
        why: impl std::fmt::Display,
    ) -> &mut Problem {
        let message = format!("`{}`: {why}", file.value);
        self.problems.error(file.span, message)
    }

    fn is_missing(&self, file: &str) -> bool {
        matches!((self.open)(file), Err(error) if error.kind() == ErrorKind::NotFound)
    }

    /// What is in the files; or, where that cannot be used, what is shown from
    /// them already: a renewal that went wrong takes nothing from anybody.
    pub(in crate::compile) fn certificate(
        &mut self,
        pair: Pair,
    ) -> Option<(Certificate, CertificateFiles)> {
        if !pair.chain.is_written() || !pair.key.is_written() {
            return None;
        }
        let ocsp = pair.ocsp.as_ref().map(|file| &*file.value);
        let (chain, key) = (&*pair.chain.value, &*pair.key.value);
        let before = self.heritage.certificate(chain, key, ocsp);
        let read = self.read_certificate(&pair).and_then(|read| {
            let now = today();
            let is_good = |one: &Certificate| now <= one.not_after();
            match before.as_ref().is_some_and(is_good) && !is_good(&read) {
                false => Ok(read),
                true => {
                    let since = ::tls::date(read.not_after());
                    let why = format!("the certificate has expired, on {since}");
                    Err(vec![(&pair.chain, why)])
                }
            }
        });
        let (certificate, refused) = match read {
            Ok(certificate) => (certificate, None),
            Err(faults) => match before {
                None => {
                    for (file, why) in faults {
                        let is_missing = self.is_missing(file);
                        let problem = self.refuse(file, why);
                        if is_missing {
                            problem.help("for development, `forebay certs dev` makes certs/server.crt and certs/server.key");
                        }
                    }
                    return None;
                }
                Some(before) => (before, Some(self.keep_to_before(&faults))),
            },
        };
        for doubt in certificate.doubts(today()) {
            self.warn(&pair, &doubt);
        }
        let files = CertificateFiles {
            chain: chain.into(),
            ocsp: ocsp.map(Into::into),
            not_after: certificate.not_after(),
            certificate: certificate.clone(),
            refused,
            key: pair.key,
        };
        Some((certificate, files))
    }

    /// Says what may be held against a certificate, once however many show it.
    fn warn(&mut self, pair: &Pair, doubt: &Doubt) {
        let is_beside_the_point = match doubt {
            Doubt::ExpiresSoon(_) => pair.is_renewed,
            // Whoever is shown it has that one.
            Doubt::IncompleteChain(issuer) => self.system_believes(issuer),
            doubt => !doubt.concerns(self.viewers),
        };
        if is_beside_the_point {
            return;
        }
        let file = pair.ocsp.as_ref().filter(|_| doubt.is_of_staple());
        let file = file.unwrap_or(&pair.chain);
        let message = format!("`{}`: {}", file.value, doubt.say(self.viewers));
        if self.problems.iter().any(|told| told.message == message) {
            return;
        }
        let problem = self.problems.warning(file.span, message);
        if let Some(help) = doubt.help(self.viewers) {
            problem.help(help);
        }
    }

    fn system_believes(&self, issuer: &DistinguishedName) -> bool {
        let authorities = self.system.get_or_init(ServerAuthorities::of_the_system);
        authorities
            .as_ref()
            .is_ok_and(|authorities| authorities.include(issuer))
    }

    /// A certificate with its key that an authority has given, if it has. One that
    /// cannot be used is as good as none: another is asked for.
    pub(super) fn kept(
        &mut self,
        file: Spanned<String>,
    ) -> Option<(Certificate, CertificateFiles)> {
        let pair = Pair {
            chain: file.clone(),
            key: file,
            ocsp: None,
            is_renewed: true,
        };
        let (chain, key) = (&pair.chain, &pair.key);
        if self.heritage.certificate(chain, key, None).is_none()
            && let Err(faults) = self.read_certificate(&pair)
        {
            // Before the first there is no file.
            let is_there = !self.is_missing(chain);
            for (file, why) in faults.iter().take(usize::from(is_there)) {
                let message = format!("`{}`: {why}", file.value);
                let problem = self.problems.warning(file.span, message);
                problem.help("it is as good as none: another is asked for");
            }
            return None;
        }
        self.certificate(pair)
    }

    /// Says what is wrong with files of which the certificate from before stays.
    fn keep_to_before(&mut self, faults: &[FileFault<'_>]) -> String {
        let texts = faults.iter().map(|(file, why)| {
            let text = format!("`{}`: {why}", file.value);
            let message = format!("{text}; the certificate from before stays");
            self.problems.warning(file.span, message);
            text
        });
        texts.collect::<Vec<_>>().join("; ")
    }

    fn read_certificate<'p>(&mut self, pair: &'p Pair) -> Result<Certificate, Vec<FileFault<'p>>> {
        let mut faults = Vec::new();
        let mut bytes_of = |file: &'p Spanned<String>| {
            let bytes = self.open(file);
            bytes.map_err(|why| faults.push((file, why))).ok()
        };
        let (chain, key) = (bytes_of(&pair.chain), bytes_of(&pair.key));
        let ocsp = pair.ocsp.as_ref().map(bytes_of);
        let (Some(chain), Some(key)) = (chain, key) else {
            return Err(faults);
        };
        let certificate = Certificate::read(&chain, &key).map_err(|fault| {
            let file = match fault.is_of_key() {
                true => &pair.key,
                false => &pair.chain,
            };
            vec![(file, fault.to_string())]
        })?;
        match (ocsp, &pair.ocsp) {
            (Some(Some(ocsp)), Some(file)) => certificate
                .with_ocsp(ocsp)
                .map_err(|fault| vec![(file, fault.to_string())]),
            (Some(None), _) => Err(faults),
            _ => Ok(certificate),
        }
    }

    /// Whose clients are believed; None where that is wrong.
    pub(super) fn clients(&mut self, settings: &config::Tls) -> Option<Option<ClientAuthorities>> {
        let is_required = match *settings.client_certificates {
            ClientCertificates::Off => {
                let files = settings.client_ca_file.iter();
                let files = files
                    .chain(&settings.client_crl_files)
                    .map(|file| file.span);
                let told = &settings.forward_client_certificate;
                for span in files.chain(told.value.then_some(told.span)) {
                    self.problems
                        .warning(span, "clients are not asked for certificates")
                        .help("add `client_certificates: require` or `request`");
                }
                return Some(None);
            }
            ClientCertificates::Request => false,
            ClientCertificates::Require => true,
        };
        let Some(bundle) = &settings.client_ca_file else {
            self.problems
                .error(
                    settings.client_certificates.span,
                    "nobody says whose clients are believed",
                )
                .help("add `client_ca_file`");
            return None;
        };
        let bytes = self.read(bundle)?;
        let clients = ClientAuthorities::read(&bytes, is_required);
        let mut clients = clients
            .map_err(|why| {
                self.refuse(bundle, why);
            })
            .ok()?;
        for file in &settings.client_crl_files {
            let bytes = self.read(file)?;
            let revoked = clients.revoke(&bytes);
            let end = revoked
                .map_err(|why| {
                    self.refuse(file, why);
                })
                .ok()?;
            let Some(end) = end else { continue };
            self.revocation_lists.push(((*file.value).into(), end));
            if end < today() {
                let since = ::tls::date(end);
                let message = format!(
                    "`{}`: the revocation list has expired, on {since}",
                    file.value
                );
                self.problems
                    .warning(file.span, message)
                    .help("certificates that were revoked since are believed; put a newer one in its place");
            }
        }
        Some(Some(clients))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "whether a certificate is valid depends on today"
)]
fn today() -> i64 {
    let today = SystemTime::now().duration_since(UNIX_EPOCH);
    today.map_or(0, |time| time.as_secs() as i64)
}
