//! A small name server, which answers from a table that its test changes.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::watched::Watched;

/// Answers A and SRV over UDP, valid for a second. A name that is not in the
/// table does not exist. Dropping it closes its port.
pub struct NameServer {
    address: SocketAddr,
    table: Arc<Watched<Table>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Table {
    names: HashMap<String, Name>,
    is_failing: bool,
    is_stopping: bool,
    /// Questions answered so far.
    answered: usize,
}

/// What one name has.
#[derive(Clone, Default)]
struct Name {
    addresses: Vec<Ipv4Addr>,
    /// Priority, weight, port and target.
    services: Vec<(u16, u16, u16, String)>,
}

impl NameServer {
    pub fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let table = Arc::new(Watched::<Table>::default());
        let kept = Arc::clone(&table);
        let thread = std::thread::spawn(move || serve(&socket, &kept));
        Self {
            address,
            table,
            thread: Some(thread),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on a name has these addresses.
    pub fn addresses(&self, name: &str, addresses: &[[u8; 4]]) {
        let addresses = addresses.iter().map(|&a| a.into()).collect();
        self.table.update(|table| {
            table.names.entry(name.to_owned()).or_default().addresses = addresses;
        });
    }

    /// From now on a name has these services: priority, weight, port, target.
    pub fn services(&self, name: &str, services: &[(u16, u16, u16, &str)]) {
        let own = |&(priority, weight, port, target): &(u16, u16, u16, &str)| {
            (priority, weight, port, target.to_owned())
        };
        let services = services.iter().map(own).collect();
        self.table.update(|table| {
            table.names.entry(name.to_owned()).or_default().services = services;
        });
    }

    /// There is no such name any more.
    pub fn forget(&self, name: &str) {
        self.table.update(|table| {
            table.names.remove(name);
        });
    }

    /// Whether every answer is SERVFAIL from now on.
    pub fn fail(&self, is_failing: bool) {
        self.table.update(|table| table.is_failing = is_failing);
    }

    /// Waits until it has answered so many more questions.
    #[track_caller]
    pub fn wait_for(&self, more: usize) {
        let before = self.table.read(|table| table.answered);
        self.table.wait("questions", |table| {
            (table.answered >= before + more).then_some(())
        });
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.table.update(|table| table.is_stopping = true);
        // Wakes it.
        let _ = UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .send_to(&[0], self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(socket: &UdpSocket, table: &Watched<Table>) {
    let mut buffer = [0; 1500];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        if table.read(|table| table.is_stopping) {
            return;
        }
        if let Some(answer) = answer(&buffer[..length], table) {
            let _ = socket.send_to(&answer, from);
            table.update(|table| table.answered += 1);
        }
    }
}

const A: u16 = 1;
const SRV: u16 = 33;

/// RFC 1035 section 4.1.
fn answer(question: &[u8], table: &Watched<Table>) -> Option<Vec<u8>> {
    let (name, rest) = name_of(question.get(12..)?)?;
    let kind = u16::from_be_bytes(rest.get(..2)?.try_into().ok()?);
    let asked = question.get(12..question.len() - rest.len() + 4)?;
    let (known, is_failing) = table.read(|t| (t.names.get(&name).cloned(), t.is_failing));
    let code: u16 = match &known {
        _ if is_failing => 2,
        None => 3,
        Some(_) => 0,
    };
    let known = known.filter(|_| !is_failing).unwrap_or_default();
    let records: Vec<Vec<u8>> = match kind {
        A => known
            .addresses
            .iter()
            .map(|a| a.octets().to_vec())
            .collect(),
        SRV => known.services.iter().map(service).collect(),
        _ => Vec::new(),
    };
    let mut answer = question.get(..2)?.to_vec();
    // An answer, with authority, to a question that wished for recursion, which is there.
    for number in [0x8580 | code, 1, records.len() as u16, 0, 0] {
        answer.extend(number.to_be_bytes());
    }
    answer.extend(asked);
    for record in records {
        answer.extend([0xc0, 12]);
        for number in [kind, 1, 0, 1, record.len() as u16] {
            answer.extend(number.to_be_bytes());
        }
        answer.extend(record);
    }
    Some(answer)
}

/// A name in lower case, and what follows it.
fn name_of(mut bytes: &[u8]) -> Option<(String, &[u8])> {
    let mut labels = Vec::new();
    loop {
        let (&length, rest) = bytes.split_first()?;
        if length == 0 {
            return Some((labels.join("."), rest));
        }
        let (label, rest) = rest.split_at_checked(usize::from(length))?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        bytes = rest;
    }
}

/// RFC 2782.
fn service((priority, weight, port, target): &(u16, u16, u16, String)) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [priority, weight, port] {
        bytes.extend(number.to_be_bytes());
    }
    for label in target.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
