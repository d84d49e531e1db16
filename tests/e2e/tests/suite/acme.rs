//! Certificates from an authority: pebble, which looks at names as a public one
//! does.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forebay_e2e::rustls::ClientConfig;
use forebay_e2e::{
    Authority, Backend, Client, Config, DeadAddress, Forebay, Looks, Pebble, Scratch, Wire,
    forebay, get, until,
};
use serde_json::{Value, json};

/// A Forebay that is about to have its certificate from an authority.
struct Site {
    forebay: Forebay,
    backend: Backend,
    storage: Scratch,
    /// What it shows before.
    _authority: Authority,
}

impl Site {
    /// It serves already, so that an authority can be told where to look.
    fn new() -> Self {
        let (backend, authority) = (Backend::saying("served"), Authority::new());
        let issued = authority.issue(&["before.test"]);
        let tls = format!("tls: {{ certificates: [ {{ {} }} ] }}", issued.entries());
        let forebay = config(&backend, &tls).start();
        Self {
            forebay,
            backend,
            storage: Scratch::new(),
            _authority: authority,
        }
    }

    fn looks(&self) -> Looks {
        Looks {
            tls: self.forebay.address_of(0).port(),
            http: self.forebay.address_of(1).port(),
        }
    }

    /// The configuration with an authority; `more` goes under `acme`.
    fn config(&self, authority: &str, more: &str) -> String {
        let storage = self.storage.as_path().display();
        let tls = "tls: { certificates: [ { acme: [ a.test, B.test ] } ] }";
        let acme = format!(
            "acme: {{ storage: \"{storage}\", agree_to_terms: true, email: ops@a.test, {authority}, {more} }}"
        );
        config(&self.backend, tls).top(&acme).yaml()
    }

    /// From now on its certificate is that authority's.
    fn ask(&self, pebble: &Pebble, more: &str) {
        self.forebay.reload(&self.config(&pebble.entries(), more));
    }
}

/// A listener with TLS, and one without that sends everybody to it.
fn config(backend: &Backend, tls: &str) -> Config {
    Config::to(backend)
        .server(tls)
        .top("listeners: [ { id: plain, address: \"127.0.0.1:0\", redirect_to_https: true } ]")
        .top("admin: { address: \"127.0.0.1:0\" }")
}

fn shake_hands(
    forebay: &Forebay,
    client: &Arc<ClientConfig>,
    name: &str,
) -> std::io::Result<Client> {
    Client::secure(forebay.address_of(0), client, name)
}

/// Waits until it shows a certificate that this client believes.
fn wait_certificate(forebay: &Forebay, client: &Arc<ClientConfig>) {
    until("a certificate of the authority is shown", || {
        shake_hands(forebay, client, "a.test").ok()
    });
}

fn serial_shown(client: &Client) -> Vec<u8> {
    client.session(|session| session.peer_certificates().unwrap()[0].to_vec())
}

/// What the admin API says of the certificate.
fn told(forebay: &Forebay) -> Value {
    let mut admin = Client::connect(forebay.admin_address());
    let status = admin.ask("GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let status: Value = serde_json::from_str(status.text()).unwrap();
    status["certificates"][0].clone()
}

fn orders(forebay: &Forebay, result: &str, count: f64) {
    forebay.wait_metric("forebay_acme_orders_total", &[("result", result)], count);
}

#[test]
fn a_certificate_is_had_by_http_and_kept_for_the_next_start() {
    let site = Site::new();
    let mut pebble = Pebble::start(site.looks());
    let client = Arc::new(pebble.client());
    let mut watching = watch_events(&site.forebay);
    site.ask(&pebble, "challenge: http-01");
    wait_certificate(&site.forebay, &client);
    wait_event(
        &mut watching,
        r#""outcome":"issued","names":["a.test","b.test"]"#,
    );
    for name in ["a.test", "b.test"] {
        let mut client = shake_hands(&site.forebay, &client, name).unwrap();
        assert_eq!(client.get("/").text(), "served");
    }
    orders(&site.forebay, "issued", 1.0);
    let told = told(&site.forebay);
    assert_eq!(told["names"], json!(["a.test", "b.test"]));
    assert_eq!(told["state"], "valid");
    assert!(told["expires"].as_str() > told["next"].as_str(), "{told}");
    // What is not under way is a request like others.
    let plain = site.forebay.address_of(1);
    let other = get(plain, "/.well-known/acme-challenge/other");
    assert_eq!(other.status, 308);
    assert_private(&site.storage);

    // Without the authority: nobody is asked.
    pebble.stop();
    let entries = pebble.entries();
    let again = Forebay::start(&site.config(&entries, ""));
    let mut shown = shake_hands(&again, &client, "a.test").unwrap();
    assert_eq!(shown.get("/").text(), "served");
    until("it is known to be good", || {
        (self::told(&again)["state"] == "valid").then_some(())
    });
    orders(&again, "issued", 0.0);
    orders(&again, "failed", 0.0);
}

/// A stream of events, from now on.
fn watch_events(forebay: &Forebay) -> Wire {
    let mut watching = Client::connect(forebay.admin_address()).into_wire();
    watching
        .send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    wait_event(&mut watching, ": connected");
    watching
}

fn wait_event(watching: &mut Wire, what: &str) {
    let mut seen = String::new();
    until(what, || {
        let bytes = watching.some(1024).unwrap_or_default();
        seen.push_str(&String::from_utf8_lossy(&bytes));
        seen.contains(what).then_some(())
    });
}

/// Files are for their owner alone.
fn assert_private(storage: &Scratch) {
    let mut folders = vec![storage.as_path().to_owned()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let mode = path.metadata().unwrap().permissions().mode() & 0o777;
            if path.is_dir() {
                assert_eq!(mode, 0o700, "{}", path.display());
                folders.push(path);
            } else {
                assert_eq!(mode, 0o600, "{}", path.display());
                files += 1;
            }
        }
    }
    // The account, the lock, the certificate.
    assert_eq!(files, 3);
}

#[test]
fn a_certificate_is_had_by_tls() {
    let site = Site::new();
    let pebble = Pebble::start(site.looks());
    let client = Arc::new(pebble.client());
    site.ask(&pebble, "challenge: tls-alpn-01, key: ecdsa-p384");
    wait_certificate(&site.forebay, &client);
    // The protocol of the checks is spoken with nobody else.
    let mut checking = ClientConfig::clone(&client);
    checking.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let refused = shake_hands(&site.forebay, &Arc::new(checking), "a.test");
    assert!(refused.is_err());
    let mut shown = shake_hands(&site.forebay, &client, "b.test").unwrap();
    assert_eq!(shown.get("/").text(), "served");
}

#[test]
fn a_renewal_fails_no_handshake() {
    let site = Site::new();
    let pebble = Pebble::with(site.looks(), &json!({"certificateValidityPeriod": 27}));
    let client = Arc::new(pebble.client());
    site.ask(&pebble, "");
    wait_certificate(&site.forebay, &client);
    let first = serial_shown(&shake_hands(&site.forebay, &client, "a.test").unwrap());
    let begun = Instant::now();
    loop {
        let mut shown = shake_hands(&site.forebay, &client, "a.test").unwrap();
        assert_eq!(shown.get("/").text(), "served");
        if serial_shown(&shown) != first {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(40),
            "it is not renewed"
        );
    }
    // With a third of the time left, and not before.
    assert!(begun.elapsed() > Duration::from_secs(11));
    assert_eq!(
        site.forebay
            .metrics()
            .sum("forebay_acme_orders_total", &[("result", "failed")]),
        0.0
    );
}

#[test]
fn without_the_authority_the_old_one_stays_and_nobody_insists() {
    let site = Site::new();
    let mut pebble = Pebble::with(site.looks(), &json!({"certificateValidityPeriod": 15}));
    let client = Arc::new(pebble.client());
    site.ask(&pebble, "");
    wait_certificate(&site.forebay, &client);
    pebble.stop();
    let entries = pebble.entries();
    let begun = Instant::now();
    while told(&site.forebay)["state"] != "failed" {
        assert!(
            begun.elapsed() < Duration::from_secs(40),
            "no attempt is made"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    let failed = told(&site.forebay);
    let error = failed["error"].as_str().unwrap();
    assert!(error.contains("cannot be asked"), "{failed}");
    assert_eq!(failed["failed"], 1);
    orders(&site.forebay, "failed", 1.0);
    let admin = format!("http://{}", site.forebay.admin_address());
    let text = forebay(&["ctl", "--admin", &admin, "status"]).stdout;
    assert!(
        text.contains("a.test, b.test") && text.contains(error),
        "{text}"
    );
    // Valid or not by now, it is what there is.
    let shown = shake_hands(&site.forebay, &client, "a.test");
    let why = shown
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(why.is_empty() || why.contains("Expired"), "{why}");

    // A new process waits as well.
    let again = Forebay::start(&site.config(&entries, ""));
    until("the failure is known", || {
        (told(&again)["state"] == "failed").then_some(())
    });
    assert_eq!(told(&again)["next"], failed["next"]);
    orders(&again, "failed", 0.0);
}

#[test]
fn a_listener_whose_certificate_is_to_come_turns_handshakes_down() {
    let site = Site::new();
    let nobody = DeadAddress::new();
    let authority = format!("directory: \"https://{}/dir\"", nobody.address());
    let ca = site._authority.file();
    let forebay = Forebay::start(&site.config(&authority, &format!("ca_file: {ca:?}")));
    let client = Arc::new(site._authority.client());
    let refused = shake_hands(&forebay, &client, "a.test").err().unwrap();
    assert!(
        refused.to_string().contains("UnrecognisedName"),
        "{refused}"
    );
    let reason = [("reason", "no_certificate_yet")];
    forebay.wait_metric("forebay_tls_handshake_failures_total", &reason, 1.0);
    forebay.stderr_line("why there is none", |line| {
        line.contains("no certificate for a.test, b.test")
            .then_some(())
    });
    assert_eq!(get(forebay.address_of(1), "/x").status, 308);
}

#[test]
fn what_the_authority_finds_wrong_is_told() {
    let site = Site::new();
    let elsewhere = Backend::saying("nothing");
    let looks = Looks {
        http: elsewhere.address().port(),
        ..site.looks()
    };
    let pebble = Pebble::start(looks);
    site.ask(&pebble, "challenge: http-01");
    orders(&site.forebay, "failed", 1.0);
    let error = told(&site.forebay)["error"].to_string();
    assert!(
        error.contains("the check with http-01 has failed"),
        "{error}"
    );
    assert!(
        error.contains("a.test") && error.contains("unauthorized"),
        "{error}"
    );
    let path = elsewhere.requests()[0].target().to_owned();
    assert!(path.starts_with("/.well-known/acme-challenge/"), "{path}");
    // Whoever has mended it need not wait.
    let label = format!("{}-dir", pebble.address().to_string().replace(':', "-"));
    let failed = site
        .storage
        .path(&label)
        .join("certificates/a.test.failed.json");
    std::fs::remove_file(failed).unwrap();
    orders(&site.forebay, "failed", 2.0);
}

#[test]
fn an_account_is_bound_to_an_external_one() {
    let site = Site::new();
    let key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    let more = json!({
        "externalAccountBindingRequired": true,
        "externalAccountMACKeys": { "kid-1": key },
    });
    let pebble = Pebble::with(site.looks(), &more);
    let account = format!("external_account: {{ key_id: kid-1, hmac_key: {key} }}");
    site.ask(&pebble, &account);
    wait_certificate(&site.forebay, &Arc::new(pebble.client()));
}

#[test]
fn an_authority_that_has_lost_the_account_gets_another_one() {
    let site = Site::new();
    let first = Pebble::start(site.looks());
    site.ask(&first, "");
    wait_certificate(&site.forebay, &Arc::new(first.client()));
    // As if the other were the same, started anew.
    let other = Pebble::start(site.looks());
    let [from, to] = [&first, &other].map(|pebble| pebble.address().to_string());
    let folder = |address: &str| {
        let label = format!("{}-dir", address.replace(':', "-"));
        site.storage.path(&label)
    };
    let account = std::fs::read_to_string(folder(&from).join("account.json")).unwrap();
    std::fs::create_dir(folder(&to)).unwrap();
    let kept = folder(&to).join("account.json");
    std::fs::write(&kept, account.replace(&from, &to)).unwrap();
    site.ask(&other, "");
    wait_certificate(&site.forebay, &Arc::new(other.client()));
    let unknown = std::fs::read_to_string(folder(&to).join("account.json.unknown")).unwrap();
    assert_ne!(std::fs::read_to_string(kept).unwrap(), unknown);
}

#[test]
fn an_authority_that_asks_for_an_external_account_says_so() {
    let site = Site::new();
    let more = json!({
        "externalAccountBindingRequired": true,
        "externalAccountMACKeys": { "kid-1": "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh" },
    });
    let pebble = Pebble::with(site.looks(), &more);
    site.ask(&pebble, "");
    orders(&site.forebay, "failed", 1.0);
    let error = told(&site.forebay)["error"].to_string();
    assert!(error.contains("externalAccountRequired"), "{error}");
}
