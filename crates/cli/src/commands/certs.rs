//! `forebay certs`: certificates for development.
#![expect(clippy::print_stderr, reason = "the program owns the terminal")]

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use super::print;
use crate::REFUSED;
use crate::arguments::{CertsCommand, CertsOptions, DevOptions};

const DAY: Duration = Duration::from_hours(24);
/// What browsers take at most for a server.
const SERVER_LASTS: Duration = DAY.saturating_mul(397);
const AUTHORITY_LASTS: Duration = DAY.saturating_mul(3650);

pub(crate) fn certs(options: &CertsOptions) -> ExitCode {
    let CertsCommand::Dev(options) = &options.command;
    match dev(options) {
        Ok(said) => print(&said),
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(REFUSED)
        }
    }
}

/// A file to be written, and whether it is for nobody else.
type Written = (&'static str, String, bool);

fn dev(options: &DevOptions) -> Result<String, String> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let names: Vec<String> = names.into_iter().chain(options.names.clone()).collect();
    let files = make(&names).map_err(|error| format!("certificates cannot be made: {error}"))?;
    let folder = &options.out;
    let made = DirBuilder::new().recursive(true).mode(0o755).create(folder);
    made.map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let there = files.iter().map(|(name, ..)| folder.join(name));
    if let Some(there) = there.into_iter().find(|file| file.exists())
        && !options.force
    {
        return Err(format!(
            "{} is there already; nothing was written (--force writes over it)",
            there.display()
        ));
    }
    for (name, text, is_private) in &files {
        let file = folder.join(name);
        write(&file, text, *is_private)
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    let shown = folder.display();
    Ok(format!(
        "{shown}/ca.crt      the authority, for clients to trust\n\
         {shown}/ca.key      its key: keep it to yourself\n\
         {shown}/server.crt  for {}\n\
         {shown}/server.key  its key\n",
        names.join(", ")
    ))
}

#[expect(clippy::disallowed_methods, reason = "certificates begin today")]
fn make(names: &[String]) -> Result<[Written; 4], rcgen::Error> {
    let today = SystemTime::now();
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority.distinguished_name = named("Forebay development authority");
    authority.not_before = (today - DAY).into();
    authority.not_after = (today + AUTHORITY_LASTS).into();
    let authority_key = KeyPair::generate()?;
    let authority_pem = authority.self_signed(&authority_key)?.pem();
    let authority_key_pem = authority_key.serialize_pem();
    let issuer = Issuer::new(authority, authority_key);

    let mut server = CertificateParams::new(names)?;
    server.distinguished_name = named("Forebay development server");
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    server.not_before = (today - DAY).into();
    server.not_after = (today - DAY + SERVER_LASTS).into();
    let server_key = KeyPair::generate()?;
    let server_pem = server.signed_by(&server_key, &issuer)?.pem();
    Ok([
        ("ca.crt", authority_pem.clone(), false),
        ("ca.key", authority_key_pem, true),
        ("server.crt", server_pem + &authority_pem, false),
        ("server.key", server_key.serialize_pem(), true),
    ])
}

fn named(name: &str) -> rcgen::DistinguishedName {
    let mut names = rcgen::DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// Written anew, for an older file may be open to others.
fn write(file: &Path, text: &str, is_private: bool) -> io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mode = if is_private { 0o600 } else { 0o644 };
    let mut options = OpenOptions::new();
    let mut file: File = options.write(true).create_new(true).mode(mode).open(file)?;
    file.write_all(text.as_bytes())
}
