//! Backends that do as told and remember what they were asked.

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use socket2::SockRef;

use crate::gate::Gate;
use crate::message::{Head, Request};
use crate::reply::{After, Reply};
use crate::watched::Watched;
use crate::wire::Wire;

type Script = dyn Fn(&mut Conn) + Send + Sync;

/// A server on a port of its own, with a thread for each connection. A script
/// that panics fails the test.
pub struct Backend {
    address: SocketAddr,
    seen: Arc<Watched<Seen>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    requests: Vec<Request>,
    accepted: usize,
    open: HashMap<usize, TcpStream>,
    most_open: usize,
    is_stopping: bool,
    /// A script has panicked before the end.
    has_failed: bool,
}

/// One connection, seen from the backend.
pub struct Conn {
    pub number: usize,
    wire: Option<Wire>,
    seen: Arc<Watched<Seen>>,
}

impl Backend {
    /// Runs the script for each connection, which ends with it.
    pub fn scripted(script: impl Fn(&mut Conn) + Send + Sync + 'static) -> Self {
        Self::scripted_at("127.0.0.1:0".parse().unwrap(), script)
    }

    /// The same at an address that was free before.
    pub fn scripted_at(
        address: SocketAddr,
        script: impl Fn(&mut Conn) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Watched::<Seen>::default());
        let kept = Arc::clone(&seen);
        let script: Arc<Script> = Arc::new(script);
        let thread = std::thread::spawn(move || accept(&listener, &kept, &script));
        Self {
            address,
            seen,
            thread: Some(thread),
        }
    }

    /// Reads whole requests and answers each.
    pub fn answering(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::scripted(move |conn| conn.serve(&answer))
    }

    /// Answers everything with this text.
    pub fn saying(text: &'static str) -> Self {
        Self::answering(move |_| Reply::ok(text))
    }

    /// Answers everything with this text; requests for `target` wait at the gate.
    pub fn holding(target: &'static str, text: &'static str) -> (Self, Gate) {
        let gate = Gate::default();
        let held = gate.clone();
        let backend = Self::answering(move |request| {
            if request.target() == target {
                held.pass();
            }
            Reply::ok(text)
        });
        (backend, gate)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.seen.read(|seen| seen.requests.clone())
    }

    /// The only request so far; none or several fail the test.
    #[track_caller]
    pub fn request(&self) -> Request {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:#?}");
        requests.remove(0)
    }

    /// Waits until so many requests have come.
    #[track_caller]
    pub fn wait_requests(&self, count: usize) -> Vec<Request> {
        self.seen.wait("too few requests at a backend", |seen| {
            (seen.requests.len() >= count).then(|| seen.requests.clone())
        })
    }

    /// Connections ever accepted.
    pub fn accepted(&self) -> usize {
        self.seen.read(|seen| seen.accepted)
    }

    /// The most that were ever open at a time.
    pub fn most_open(&self) -> usize {
        self.seen.read(|seen| seen.most_open)
    }

    /// Waits until exactly so many connections are open.
    #[track_caller]
    pub fn wait_open(&self, count: usize) {
        self.seen.wait("connections at a backend", |seen| {
            (seen.open.len() == count).then_some(())
        });
    }

    /// Closes every connection, as a backend that restarts does.
    pub fn drop_connections(&self) {
        self.seen.update(|seen| {
            for stream in seen.open.values() {
                // One that has gone already is gone.
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
        self.wait_open(0);
    }

    /// Ends; the address is free again.
    pub fn stop(mut self) -> SocketAddr {
        self.end();
        self.address
    }

    fn end(&mut self) {
        self.seen.update(|seen| {
            seen.is_stopping = true;
            for stream in seen.open.values() {
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
        if let Some(thread) = self.thread.take() {
            // Wakes it where it accepts.
            let _ = TcpStream::connect(self.address);
            let _ = thread.join();
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let has_failed = self.seen.read(|seen| seen.has_failed);
        self.end();
        assert!(
            !has_failed || std::thread::panicking(),
            "a backend's script has panicked, see above"
        );
    }
}

fn accept(listener: &TcpListener, seen: &Arc<Watched<Seen>>, script: &Arc<Script>) {
    for stream in listener.incoming().flatten() {
        let Some(number) = seen.update(|seen| seen.enter(&stream)) else {
            return;
        };
        let mut conn = Conn {
            number,
            wire: Some(Wire::new(stream)),
            seen: Arc::clone(seen),
        };
        let script = Arc::clone(script);
        std::thread::spawn(move || {
            let result = catch_unwind(AssertUnwindSafe(|| script(&mut conn)));
            let seen = Arc::clone(&conn.seen);
            seen.update(|seen| seen.has_failed |= result.is_err() && !seen.is_stopping);
        });
    }
}

/// Whether the peer still holds the connection; its thread may not have
/// noticed yet that it does not.
fn is_open(stream: &TcpStream) -> bool {
    let look = libc::MSG_PEEK | libc::MSG_DONTWAIT;
    match SockRef::from(stream).recv_with_flags(&mut [MaybeUninit::uninit()], look) {
        Ok(count) => count > 0,
        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
    }
}

impl Seen {
    fn enter(&mut self, stream: &TcpStream) -> Option<usize> {
        if self.is_stopping {
            return None;
        }
        let number = self.accepted;
        self.accepted += 1;
        self.open.insert(number, stream.try_clone().unwrap());
        let open = self.open.values().filter(|stream| is_open(stream)).count();
        self.most_open = self.most_open.max(open);
        Some(number)
    }
}

impl Conn {
    /// The next request, whole; none when no more come.
    pub fn request(&mut self) -> Option<Request> {
        let mut request = self.read_head()?;
        let mut raw = std::mem::take(&mut request.raw);
        let body = self.body(&request.head, &mut raw).ok()?;
        (request.body, request.trailers) = (body.bytes, body.trailers);
        request.raw = raw;
        self.record(&request);
        Some(request)
    }

    /// The next request's head, recorded without its body.
    pub fn request_head(&mut self) -> Option<Request> {
        let request = self.read_head()?;
        self.record(&request);
        Some(request)
    }

    /// The body that belongs to a head.
    pub fn request_body(&mut self, head: &Head) -> std::io::Result<Vec<u8>> {
        self.body(head, &mut Vec::new()).map(|body| body.bytes)
    }

    /// Answers one request after another.
    pub fn serve(&mut self, answer: &dyn Fn(&Request) -> Reply) {
        while let Some(request) = self.request() {
            let reply = answer(&request);
            if self.send(&reply.bytes).is_err() {
                return;
            }
            match reply.after {
                After::KeepOpen => {}
                After::Close => return,
                After::Reset => return self.end_with_reset(),
            }
        }
    }

    pub fn end_with_reset(&mut self) {
        // The other handle on the socket must not keep it open.
        self.forget();
        if let Some(wire) = self.wire.take() {
            wire.reset();
        }
    }

    fn read_head(&mut self) -> Option<Request> {
        let raw = self.head().ok()??;
        Some(Request {
            connection: self.number,
            head: Head::parse(&raw),
            raw,
            ..Request::default()
        })
    }

    fn record(&self, request: &Request) {
        self.seen.update(|seen| seen.requests.push(request.clone()));
    }

    fn forget(&self) {
        self.seen.update(|seen| seen.open.remove(&self.number));
    }
}

impl Deref for Conn {
    type Target = Wire;
    fn deref(&self) -> &Wire {
        self.wire.as_ref().expect("the connection is open")
    }
}

impl DerefMut for Conn {
    fn deref_mut(&mut self) -> &mut Wire {
        self.wire.as_mut().expect("the connection is open")
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.wire = None;
        self.forget();
    }
}
