//! The files that TLS is made of: what is said of those that are not as they
//! should be.

use std::process::Command;
use std::sync::Arc;

use forebay_e2e::rustls::version;
use forebay_e2e::{
    Authority, Backend, Client, Config, Finished, Forebay, Issued, Process, Scratch, forebay, rcgen,
};

/// Runs commands of openssl in a folder.
fn openssl(folder: &Scratch, script: &str) {
    let mut command = Command::new("sh");
    command.args(["-ec", script]).current_dir(folder.as_path());
    let said = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{script}: {stderr}");
}

/// `a.crt` and `a.key` of an authority in `ca.crt` and `ca.key`.
const PAIR: &str = "
new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
openssl req -x509 $new -keyout ca.key -out ca.crt -subj /CN=Authority -days 90
openssl req $new -keyout a.key -out a.csr -subj /CN=a.test
echo subjectAltName=DNS:a.test > extensions
openssl x509 -req -in a.csr -CA ca.crt -CAkey ca.key -set_serial 0x1001 -days 90 -extfile extensions -out leaf.crt
cat leaf.crt ca.crt > a.crt
chmod o= a.key
";

/// A configuration with these entries of a listener beside its address.
fn config(folder: &Scratch, entries: &str) -> String {
    let (backend, at) = ("http://127.0.0.1:9", "127.0.0.1:0");
    let yaml = format!(
        "server: {{ address: \"{at}\", {entries} }}\n\
         routes: [ {{ id: all, backend_group: app }} ]\n\
         backend_groups: [ {{ id: app, backends: [ {{ url: \"{backend}\" }} ] }} ]\n"
    );
    folder.write("forebay.yaml", &yaml)
}

/// What `check` says of a listener with these entries beside its address.
fn check(folder: &Scratch, entries: &str) -> Finished {
    forebay(&["check", "-c", &config(folder, entries)])
}

fn assert_said(said: &Finished, code: i32, expected: &str) {
    assert_eq!(said.code, Some(code), "{}", said.stderr);
    assert!(
        said.stderr.contains(expected),
        "{expected}: {}",
        said.stderr
    );
}

fn said_line(forebay: &Forebay, expected: &str) {
    forebay.stderr_line(expected, |line| line.contains(expected).then_some(()));
}

/// Entries of a listener with the pair, its OCSP response beside it.
const STAPLED: &str =
    "tls: { certificates: [ { cert_file: a.crt, key_file: a.key, ocsp_file: a.ocsp } ] }";

#[test]
fn an_answer_about_revocation_is_looked_at_and_stapled_while_it_is_current() {
    let folder = Scratch::new();
    openssl(&folder, PAIR);
    openssl(
        &folder,
        "for serial in 1001 1002; do
             printf \"V\\t991231235959Z\\t\\t$serial\\tunknown\\t/CN=a.test\\n\" > index
             openssl ocsp -index index -CA ca.crt -rsigner ca.crt -rkey ca.key -issuer ca.crt \
                 -serial 0x$serial -respout $serial.ocsp -ndays 7
         done
         cp 1001.ocsp a.ocsp",
    );
    let response = std::fs::read(folder.path("a.ocsp")).unwrap();
    assert_eq!(check(&folder, STAPLED).code, Some(0));
    let backend = Backend::saying("hello");
    let [chain, key, ocsp] = ["a.crt", "a.key", "a.ocsp"].map(|name| folder.path(name));
    let tls = format!(
        "tls: {{ certificates: [ {{ cert_file: {chain:?}, key_file: {key:?}, ocsp_file: {ocsp:?} }} ] }}"
    );
    let forebay = Config::to(&backend).server(&tls).start();
    let asked = || {
        let asks = "openssl s_client -status -servername a.test -connect";
        let script = format!("{asks} {} < /dev/null", forebay.address());
        Process::start("sh", &["-c", &script]).finish().stdout
    };
    let said = asked();
    assert!(said.contains("OCSP Response Status: successful"), "{said}");
    // One that another follows is left out from then on.
    let mut expired = response.clone();
    let times: Vec<_> = response.windows(4).enumerate().collect();
    for (at, _) in times.into_iter().filter(|(_, four)| *four == b"\x18\x0f20") {
        expired[at + 2..at + 4].copy_from_slice(b"19");
    }
    std::fs::write(&ocsp, &expired).unwrap();
    let labels = [("result", "taken")];
    forebay.wait_metric("forebay_certificate_renewals_total", &labels, 1.0);
    let said = asked();
    assert!(said.contains("OCSP response: no response sent"), "{said}");
    said_line(&forebay, "the OCSP response has expired");
    said_line(
        &forebay,
        "what the authority says of revocation has expired",
    );
    let metrics = forebay.metrics();
    let until = metrics.sum("forebay_revocation_expiry_timestamp_seconds", &[]);
    assert!(until < 0.0, "{until:?}");
    let said = check(&folder, STAPLED);
    assert_said(&said, 0, "the OCSP response has expired, on 19");
    for (file, expected) in [
        (
            "1002.ocsp",
            "the OCSP response is not about this certificate",
        ),
        (
            "a.crt",
            "what is in the file is no OCSP response in DER form",
        ),
    ] {
        std::fs::copy(folder.path(file), &ocsp).unwrap();
        assert_said(&check(&folder, STAPLED), 1, expected);
    }
}

#[test]
fn a_renewal_that_has_expired_already_is_refused_while_the_one_before_is_good() {
    let (backend, authority, folder) = (Backend::saying("hello"), Authority::new(), Scratch::new());
    let put = |issued: &Issued| {
        std::fs::write(folder.path("live.key"), &issued.key).unwrap();
        std::fs::write(folder.path("live.crt"), &issued.chain).unwrap();
    };
    put(&authority.issue(&["a.test"]));
    let [chain, key] = ["live.crt", "live.key"].map(|name| folder.path(name));
    let entries = format!("cert_file: {chain:?}, key_file: {key:?}");
    let forebay = Config::to(&backend).server(&entries).start();
    put(&authority.issue_with(&["a.test"], |params| {
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        &rcgen::PKCS_ECDSA_P256_SHA256
    }));
    let refused = [("result", "refused")];
    forebay.wait_metric("forebay_certificate_renewals_total", &refused, 1.0);
    said_line(
        &forebay,
        "the certificate has expired, on 2021-01-01 00:00 UTC",
    );
    // Clients believe nothing that has expired.
    let client = Arc::new(authority.client());
    let mut client = Client::secure(forebay.address(), &client, "a.test").unwrap();
    assert_eq!(client.get("/").text(), "hello");
}

#[test]
fn a_revocation_list_whose_time_is_over_is_told() {
    let (backend, authority) = (Backend::saying("hello"), Authority::new());
    let issued = authority.issue(&["a.test"]);
    let (ca, crl) = (authority.file(), authority.revoke_until(2100, &[]));
    let entries = format!(
        "{}, tls: {{ client_certificates: require, client_ca_file: {ca:?}, client_crl_files: [ {crl:?} ] }}",
        issued.entries()
    );
    let forebay = Config::to(&backend).server(&entries).start();
    let until = "forebay_revocation_expiry_timestamp_seconds";
    forebay.wait_metric(until, &[("file", &crl)], 4_102_444_800.0);
    assert!(
        !forebay.stderr().contains("expired"),
        "{}",
        forebay.stderr()
    );
    authority.revoke_until(2022, &[]);
    forebay.wait_metric(until, &[("file", &crl)], 1_640_995_200.0);
    let expected = "what the authority says of revocation has expired, since 2022-01-01 00:00 UTC";
    said_line(&forebay, expected);
    let expected = "the revocation list has expired, on 2022-01-01 00:00 UTC";
    said_line(&forebay, expected);
    assert_said(&check(&Scratch::new(), &entries), 0, expected);
}

#[test]
fn a_certificate_that_ends_within_a_month_is_told_by_check() {
    let folder = Scratch::new();
    let entries = "cert_file: a.crt, key_file: a.key";
    let soon = "`a.crt`: the certificate expires soon, on 20";
    openssl(&folder, PAIR);
    let said = check(&folder, entries);
    assert!(!said.stderr.contains(soon), "{}", said.stderr);
    openssl(&folder, &PAIR.replace("-days 90", "-days 29"));
    assert_said(&check(&folder, entries), 0, soon);
}

#[test]
fn a_refused_renewal_is_in_the_status_for_as_long_as_it_is_so() {
    let (backend, authority, folder) = (Backend::saying("hello"), Authority::new(), Scratch::new());
    let issued = authority.issue(&["a.test"]);
    let key = folder.write("live.key", &issued.key);
    let ca = folder.write("ca.crt", &issued.chain);
    let forebay = Config::to(&backend)
        .group(&format!(
            "tls: {{ cert_file: {:?}, key_file: {key:?}, ca_file: {ca:?} }}",
            issued.cert_file
        ))
        .top("admin: { address: \"127.0.0.1:0\" }")
        .start();
    let status = || {
        let admin = format!("http://{}", forebay.admin_address());
        forebay_e2e::forebay(&["ctl", "--admin", &admin, "status"]).stdout
    };
    let refused = |count| forebay.wait_metric("forebay_certificate_files_refused", &[], count);
    refused(0.0);
    assert!(!status().contains("refused"), "{}", status());
    for (file, good, expected) in [
        (&key, &issued.key, "there is no private key in the file"),
        (&ca, &issued.chain, "there is no certificate in it"),
    ] {
        std::fs::write(file, "nonsense").unwrap();
        refused(1.0);
        let shown = status();
        let expected = format!("refused, what was before goes on: `{file}`: {expected}");
        assert!(shown.contains(&expected), "{shown}");
        std::fs::write(file, good).unwrap();
        refused(0.0);
    }
}

#[test]
fn versions_need_no_quotes() {
    let (backend, authority, folder) = (Backend::saying("hello"), Authority::new(), Scratch::new());
    let issued = authority.issue(&["a.test"]);
    let yaml = Config::to(&backend)
        .server(&issued.entries())
        .server("tls: { min_version: 1.3, max_version: 1.3 }");
    let forebay = yaml.start();
    for (version, is_spoken) in [(&version::TLS12, false), (&version::TLS13, true)] {
        let client = Arc::new(authority.client_of(&[version], None));
        let shaken = Client::secure(forebay.address(), &client, "a.test");
        assert_eq!(shaken.is_ok(), is_spoken);
    }
    let (cert, key, at) = (&issued.cert_file, &issued.key_file, "127.0.0.1:0");
    let rest = "\"routes\": [{\"id\": \"all\", \"respond\": {\"status\": 204}}]";
    let json = |version: &str| {
        format!(
            "{{\"server\": {{\"address\": {at:?}, \"cert_file\": {cert:?}, \"key_file\": {key:?}, \
             \"tls\": {{\"min_version\": {version}}}}}, {rest}}}"
        )
    };
    let toml = format!(
        "[server]\naddress = {at:?}\ncert_file = {cert:?}\nkey_file = {key:?}\ntls.min_version = 1.2\n[[routes]]\nid = \"all\"\nrespond = {{ status = 204 }}\n"
    );
    for (name, text, code) in [
        ("a.json", json("1.2"), 0),
        ("a.toml", toml, 0),
        ("b.json", json("1.1"), 1),
    ] {
        let file = folder.write(name, &text);
        let said = forebay_e2e::forebay(&["check", "-c", &file]);
        assert_eq!(said.code, Some(code), "{name}: {}", said.stderr);
    }
}

#[test]
fn names_that_nobody_can_have_are_refused() {
    let folder = Scratch::new();
    let out = folder.path("certs");
    let out = out.to_str().unwrap();
    let made = |name: &str| forebay(&["certs", "dev", "--out", out, "--name", name]);
    let refused = made("not a name!!");
    let expected = "it takes a host such as `app.test` or `*.app.test`, or an address";
    assert_said(&refused, 2, expected);
    assert!(!folder.path("certs").exists());
    assert_eq!(made("app.test").code, Some(0));
    let tls = "tls: { certificates: [ { acme: [ localhost ] } ] }";
    let said = check(&folder, tls);
    assert_said(&said, 1, "no authority can look at `localhost`");
}

#[test]
fn who_has_no_certificate_yet_is_told_how_to_make_one() {
    let folder = Scratch::new();
    let entries = "cert_file: certs/server.crt, key_file: certs/server.key";
    let said = check(&folder, entries);
    assert_said(
        &said,
        1,
        "for development, `forebay certs dev` makes certs/server.crt",
    );
    let out = folder.path("certs");
    let made = forebay(&["certs", "dev", "--out", out.to_str().unwrap()]);
    assert_eq!(made.code, Some(0));
    assert_eq!(check(&folder, entries).code, Some(0));
}

#[test]
fn files_that_cannot_be_used_are_told_with_what_to_do() {
    let folder = Scratch::new();
    openssl(&folder, PAIR);
    openssl(
        &folder,
        "openssl x509 -req -in a.csr -signkey a.key -days 90 -out version1.crt
         openssl pkey -in a.key -aes256 -passout pass:word -out encrypted.key
         openssl req -x509 -newkey rsa:1024 -nodes -keyout short.key -out short.crt -subj /CN=a -days 90
         cat ca.crt leaf.crt > reversed.crt
         head -n 5 leaf.crt > cut.crt
         : > database
         printf '[ca]\ndefault_ca=one\n[one]\ndatabase=database\ndefault_md=sha256\n' > config
         openssl ca -config config -gencrl -cert ca.crt -keyfile ca.key -crldays 9 -out version1.crl
         cp a.key open.key; chmod o=r open.key; chmod o= *ed.key short.key",
    );
    let pair = |cert: &str, key: &str| format!("cert_file: {cert}, key_file: {key}");
    let with = |tls: &str| format!("cert_file: a.crt, key_file: a.key, tls: {{ {tls} }}");
    for (entries, code, expected) in [
        (pair("version1.crt", "a.key"), 1, "is of X.509 version 1"),
        (
            pair("a.crt", "encrypted.key"),
            1,
            "`encrypted.key`: the private key is encrypted",
        ),
        (
            pair("short.crt", "short.key"),
            1,
            "RSA with 1024 bits is too weak",
        ),
        (pair("reversed.crt", "a.key"), 1, "in the wrong order"),
        (
            pair("a.key", "a.crt"),
            1,
            "are `cert_file` and `key_file` swapped?",
        ),
        (
            pair("cut.crt", "a.key"),
            1,
            "there is no `-----END CERTIFICATE-----`",
        ),
        (pair("a.crt", "open.key"), 0, "chmod o= open.key"),
        (
            with(
                "client_certificates: require, client_ca_file: ca.crt, client_crl_files: [ version1.crl ]",
            ),
            1,
            "the revocation list is of version 1",
        ),
        (
            with("min_version: 1.3, cipher_suites: [ TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 ]"),
            1,
            "none of these cipher suites is of TLS 1.3",
        ),
    ] {
        assert_said(&check(&folder, &entries), code, expected);
    }
}

#[test]
fn a_renewal_names_its_files_and_says_what_is_new_in_one_line() {
    let (backend, authority, folder) = (Backend::saying("hello"), Authority::new(), Scratch::new());
    let issued = authority.issue(&["a.test"]);
    let chain = folder.write("live.crt", &issued.chain);
    let key = folder.write("live.key", &issued.key);
    let entries = format!("cert_file: {chain:?}, key_file: {key:?}");
    let forebay = Config::to(&backend).server(&entries).start();
    let old = "anybody on this machine may read the private key";
    said_line(&forebay, old);
    let next = authority.issue_with(&["a.test"], |params| {
        params.subject_alt_names.clear();
        &rcgen::PKCS_ECDSA_P256_SHA256
    });
    std::fs::write(&key, &next.key).unwrap();
    std::fs::write(&chain, &next.chain).unwrap();
    said_line(&forebay, &format!("are taken up: {chain}, {key}"));
    let new = format!("`{chain}`: the certificate names no host");
    forebay.stderr_line("one line", |line| {
        (line.contains(" WARN ") && line.contains(&new)).then_some(())
    });
    assert_eq!(forebay.stderr().matches(old).count(), 1);
}

#[test]
fn a_certificate_without_its_issuers_is_told_once_unless_everybody_has_that_one() {
    let folder = Scratch::new();
    openssl(&folder, PAIR);
    let pair = "cert_file: leaf.crt, key_file: a.key";
    let twice = format!("tls: {{ certificates: [ {{ {pair} }} ] }}, {pair}");
    let told = "`leaf.crt`: the chain is incomplete: the certificate is not followed by its \
                issuer's, CN=Authority, and clients that do not have that one will refuse it";
    let said = check(&folder, &twice);
    assert_said(&said, 0, told);
    assert_eq!(said.stderr.matches(told).count(), 1, "{}", said.stderr);
    assert_said(&said, 0, "append the issuer's certificate to the file");
    assert_said(&said, 0, "a private root that clients have installed");
    // What the system believes is what is in this file, as with OpenSSL.
    let believing = |file: &str| {
        let mut command = forebay_e2e::command();
        command.env("SSL_CERT_FILE", folder.path(file));
        command.args(["check", "-c", &config(&folder, pair)]);
        Process::spawn(&mut command).finish()
    };
    assert_said(&believing("leaf.crt"), 0, told);
    let said = believing("ca.crt");
    assert_said(&said, 0, "");
    assert!(!said.stderr.contains("incomplete"), "{}", said.stderr);
}

#[test]
fn a_certificate_for_backends_is_judged_by_what_backends_look_at() {
    let folder = Scratch::new();
    openssl(&folder, PAIR);
    let nameless = "echo keyUsage=digitalSignature > usage
         openssl x509 -req -in a.csr -CA ca.crt -CAkey ca.key -set_serial 2 -days 20 \
             -extfile usage -out plain.crt";
    openssl(&folder, nameless);
    let yaml = "server: { address: \"127.0.0.1:0\" }\n\
         routes: [ { id: all, backend_group: app } ]\n\
         backend_groups:\n  - id: app\n    backends: [ { url: \"https://127.0.0.1:9\" } ]\n    \
         tls: { ca_file: ca.crt, cert_file: plain.crt, key_file: a.key }\n";
    let said = forebay(&["check", "-c", &folder.write("forebay.yaml", yaml)]);
    assert_said(
        &said,
        0,
        "CN=Authority, and backends that do not have that one",
    );
    assert_said(&said, 0, "a private root that backends have installed");
    assert_said(&said, 0, "`plain.crt`: the certificate expires soon");
    assert!(!said.stderr.contains("names no host"), "{}", said.stderr);
}

#[test]
fn what_goes_by_certificates_is_told_where_no_client_is_asked_for_one() {
    let folder = Scratch::new();
    openssl(&folder, PAIR);
    let yaml = |asks: &str| {
        let listener = format!(
            "server: {{ address: \"127.0.0.1:0\", cert_file: a.crt, key_file: a.key, \
             tls: {{ {asks}forward_client_certificate: true }} }}\n"
        );
        listener
            + "routes:\n  - { id: a, client_certificate: { name: a }, backend_group: app }\n  \
               - { id: b, add_headers: { X-A: \"${client_certificate_subject}\" }, backend_group: app }\n\
               backend_groups: [ { id: app, backends: [ { url: \"http://127.0.0.1:9\" } ] } ]\n"
    };
    let check = |asks: &str| forebay(&["check", "-c", &folder.write("forebay.yaml", &yaml(asks))]);
    let never = "no client ever shows a certificate, for no listener asks for one";
    let said = check("");
    assert_said(&said, 0, "clients are not asked for certificates");
    assert_eq!(said.stderr.matches(never).count(), 2, "{}", said.stderr);
    let said = check("client_certificates: request, client_ca_file: ca.crt, ");
    assert_said(&said, 0, "");
    assert_eq!(said.stderr, "");
}

#[test]
fn what_opens_a_door_to_anybody_is_told() {
    let folder = Scratch::new();
    let yaml = "listeners:\n  - { id: web, address: \"127.0.0.1:0\" }\n  \
         - { id: proxy, address: \"0.0.0.0:3128\", forward: { allow: [ \"*:*\" ] } }\n\
         routes: [ { id: all, backend_group: app } ]\n\
         backend_groups: [ { id: app, backends: [ { url: \"https://127.0.0.1:9\" } ], tls: { verify: false } } ]\n";
    let said = forebay(&["check", "-c", &folder.write("forebay.yaml", yaml)]);
    let proxy = "an open proxy: everybody who can connect to 0.0.0.0:3128 reaches every host";
    assert_said(&said, 0, proxy);
    assert_said(&said, 0, "anybody on the way can be the backend");
}
