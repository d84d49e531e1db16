//! Pebble, a small ACME authority: for tests of those who ask one.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;

use rustix::process::Signal;
use rustls::ClientConfig;
use rustls::client::Resumption;
use serde_json::{Value, json};

use crate::authority::Authority;
use crate::client::Client;
use crate::name_server::NameServer;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::until;

/// It looks at `a.test` and `b.test`, which lead to this machine. Dropping it
/// ends it.
pub struct Pebble {
    address: SocketAddr,
    management: SocketAddr,
    process: Process,
    /// By which it is believed itself.
    authority: Authority,
    _names: NameServer,
    _scratch: Scratch,
}

/// The ports at which it looks.
#[derive(Clone, Copy)]
pub struct Looks {
    pub http: u16,
    pub tls: u16,
}

impl Pebble {
    #[track_caller]
    pub fn start(looks: Looks) -> Self {
        Self::with(looks, &json!({}))
    }

    /// With more in its configuration.
    #[track_caller]
    pub fn with(looks: Looks, more: &Value) -> Self {
        let authority = Authority::new();
        let own = authority.issue(&["127.0.0.1"]);
        let names = NameServer::start();
        for name in ["a.test", "b.test"] {
            names.addresses(name, &[[127, 0, 0, 1]]);
        }
        for _ in 0..10 {
            let [address, management] = free();
            let mut settings = json!({
                "listenAddress": address.to_string(),
                "managementListenAddress": management.to_string(),
                "certificate": own.cert_file,
                "privateKey": own.key_file,
                "httpPort": looks.http,
                "tlsPort": looks.tls,
            });
            for (key, value) in more.as_object().unwrap() {
                settings[key] = value.clone();
            }
            let scratch = Scratch::new();
            let file = scratch.write("pebble.json", &json!({"pebble": settings}).to_string());
            let mut process = run(&file, &names);
            let listens = until("pebble listens or has ended", || {
                let all = [address, management];
                let connected = all.iter().all(|a| TcpStream::connect(a).is_ok());
                (connected || !process.is_running()).then_some(connected)
            });
            // Somebody else may have taken a port, and answer there.
            if listens && process.is_running() {
                return Self {
                    address,
                    management,
                    process,
                    authority,
                    _names: names,
                    _scratch: scratch,
                };
            }
        }
        panic!("pebble found no ports");
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// As entries of `acme`.
    pub fn entries(&self) -> String {
        let file = self.authority.file();
        format!(
            "directory: \"https://{}/dir\", ca_file: {file:?}",
            self.address
        )
    }

    /// Nobody can ask it any more.
    #[track_caller]
    pub fn stop(&mut self) {
        self.process.signal(Signal::KILL);
        self.process.wait_exit();
    }

    /// A client that believes the certificates that it gives, and shakes hands in
    /// full.
    #[track_caller]
    pub fn client(&self) -> ClientConfig {
        let own = Arc::new(self.authority.client());
        let mut client = Client::secure(self.management, &own, "127.0.0.1").unwrap();
        let root = client.get("/roots/0");
        assert_eq!(root.status, 200);
        let mut client = crate::authority::client_believing(root.text());
        // Who takes up a session is shown nothing.
        client.resumption = Resumption::disabled();
        client
    }
}

fn run(file: &str, names: &NameServer) -> Process {
    let names = names.address().to_string();
    let mut command = Command::new("pebble");
    command.args(["-config", file, "-dnsserver", &names]);
    command.env("PEBBLE_VA_NOSLEEP", "1");
    command.env("PEBBLE_WFE_NONCEREJECT", "0");
    // Every order is looked at.
    command.env("PEBBLE_AUTHZREUSE", "0");
    Process::spawn(&mut command)
}

fn free() -> [SocketAddr; 2] {
    let taken = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    taken.map(|socket| socket.local_addr().unwrap())
}
