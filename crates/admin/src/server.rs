//! The thread that serves the admin API.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, PoisonError, RwLock, Weak};

use plan::AdminEndpoint;
use tokio::sync::watch;

use crate::shared::Shared;
use crate::{Control, clock, connections};

/// A served admin API. Dropping it ends it; requests under way get a moment to
/// finish.
pub struct Server {
    address: SocketAddr,
    /// For whoever takes over one day.
    socket: TcpListener,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
}

impl Server {
    /// Listens, unless a socket is `given` that does so already, and serves.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on, or there is no thread to be had.
    pub fn start(
        endpoint: &AdminEndpoint,
        given: Option<TcpListener>,
        control: Weak<dyn Control>,
    ) -> io::Result<Self> {
        let socket = match given {
            Some(socket) => socket,
            None => TcpListener::bind(endpoint.address)?,
        };
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let kept = socket.try_clone()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(8)
            .build()?;
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared {
            control,
            tokens: RwLock::new(endpoint.tokens.clone().into()),
            started: clock::wall(),
            is_loopback: address.ip().is_loopback(),
            stop: stopped,
        });
        let serving = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("forebay-admin".to_owned())
            .spawn(move || {
                runtime.block_on(connections::serve(socket, serving));
                // A question that is still being answered must not hold up the end.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            address,
            socket: kept,
            shared,
            stop,
        })
    }

    /// A descriptor of its socket.
    ///
    /// # Errors
    ///
    /// When there is no room for one.
    pub fn socket(&self) -> io::Result<TcpListener> {
        self.socket.try_clone()
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets in whom another plan lets in, at the same address.
    pub fn adopt(&self, endpoint: &AdminEndpoint) {
        let mut tokens = self
            .shared
            .tokens
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *tokens = endpoint.tokens.clone().into();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Where the thread has ended already, there is nobody to tell.
        let _ = self.stop.send(true);
    }
}
