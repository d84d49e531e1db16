//! What a process begins with: sockets of the one before it, or of the service
//! manager, or none.
#![expect(clippy::print_stderr, reason = "the program owns the terminal")]

use forebay::Predecessor;

use crate::activation;
use crate::upgrade::Link;

#[derive(Default)]
pub(crate) struct Origin {
    pub(crate) predecessor: Predecessor,
    /// To the process that is to be succeeded.
    pub(crate) link: Option<Link>,
}

impl Origin {
    /// Reads it from the environment. Must come before any thread.
    pub(crate) fn find() -> Result<Self, String> {
        let Some(link) = Link::find()? else {
            let predecessor = Predecessor {
                sockets: activation::sockets()?,
                ..Predecessor::default()
            };
            return Ok(Self {
                predecessor,
                link: None,
            });
        };
        let received = link.receive()?;
        if let Some(why) = received.trouble {
            eprintln!("warning: {why}");
        }
        Ok(Self {
            predecessor: received.predecessor,
            link: received.link,
        })
    }
}
