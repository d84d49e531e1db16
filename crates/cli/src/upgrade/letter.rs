//! What the old process sends to the new one: eight bytes of length, JSON, and
//! then the descriptors, some with each further byte.
//!
//! The two may be of different versions: fields that are not known are skipped,
//! and those that are missing have defaults.

use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use forebay::{Handover, Sockets};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

/// Of this form; a new one would get another number.
const VERSION: u32 = 1;
/// The most that may be known.
const MAX_STATE: usize = 64 << 20;
/// The most of everything else: a hundred bytes for each of half a million.
const MAX_LETTER: usize = MAX_STATE + (64 << 20);
/// Descriptors with one byte; the kernel takes 253.
const BATCH: usize = 64;

#[derive(Serialize, Deserialize)]
struct Letter {
    version: u32,
    sockets: Vec<Row>,
    /// A [`Handover`]; kept apart, so that a bad one does no harm.
    #[serde(default)]
    state: serde_json::Value,
}

#[derive(Serialize, Deserialize)]
struct Row {
    kind: Box<str>,
    name: Box<str>,
    address: SocketAddr,
    count: usize,
}

/// Sends all of it, or says why that cannot be.
pub(super) fn send(
    stream: &UnixStream,
    sockets: &[Sockets],
    handover: &Handover,
) -> Result<(), String> {
    let row = |sockets: &Sockets| Row {
        kind: sockets.kind.clone(),
        name: sockets.name.clone(),
        address: sockets.address,
        count: sockets.sockets.len(),
    };
    let letter = Letter {
        version: VERSION,
        sockets: sockets.iter().map(row).collect(),
        state: bounded(handover),
    };
    let text = serde_json::to_vec(&letter).map_err(|error| error.to_string())?;
    let descriptors: Vec<BorrowedFd<'_>> = sockets
        .iter()
        .flat_map(|sockets| sockets.sockets.iter().map(AsFd::as_fd))
        .collect();
    let mut writer = stream;
    writer
        .write_all(&(text.len() as u64).to_be_bytes())
        .and_then(|()| writer.write_all(&text))
        .and_then(|()| {
            descriptors
                .chunks(BATCH)
                .try_for_each(|batch| hand(stream, batch))
        })
        .map_err(|error| format!("it does not take the sockets: {error}"))
}

fn bounded(handover: &Handover) -> serde_json::Value {
    let state = serde_json::to_value(handover).unwrap_or_default();
    let length = serde_json::to_vec(&state).map_or(0, |text| text.len());
    match length <= MAX_STATE {
        true => state,
        false => {
            tracing::warn!(
                length,
                "upgrade: what is known is too much to be handed over"
            );
            serde_json::Value::Null
        }
    }
}

fn hand(stream: &UnixStream, batch: &[BorrowedFd<'_>]) -> std::io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(batch));
    sendmsg(
        stream,
        &[IoSlice::new(b"f")],
        &mut control,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

/// What was in the letter.
pub(super) struct Received {
    pub(super) sockets: Vec<Sockets>,
    pub(super) handover: Handover,
    /// What was known cannot be understood, for this reason.
    pub(super) trouble: Option<String>,
}

pub(super) fn receive(mut stream: &UnixStream) -> Result<Received, String> {
    let fault = |error: std::io::Error| error.to_string();
    let mut length = [0; 8];
    stream.read_exact(&mut length).map_err(fault)?;
    let length = usize::try_from(u64::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_LETTER {
        return Err(format!("{length} bytes are too many"));
    }
    let mut text = Vec::new();
    stream
        .take(length as u64)
        .read_to_end(&mut text)
        .map_err(fault)?;
    let (rows, handover) = understand(&text)?;
    let mut given = Vec::new();
    let wanted = rows
        .iter()
        .map(|row| row.count)
        .fold(0, usize::saturating_add);
    while given.len() < wanted {
        take(stream, &mut given).map_err(fault)?;
    }
    let mut given = given.into_iter().map(TcpListener::from);
    let sockets = rows.into_iter().map(|row| Sockets {
        kind: row.kind,
        name: row.name,
        address: row.address,
        sockets: given.by_ref().take(row.count).collect(),
    });
    let sockets = sockets.collect();
    let (handover, trouble) = match handover {
        Ok(handover) => (handover, None),
        Err(why) => (Handover::default(), Some(why)),
    };
    Ok(Received {
        sockets,
        handover,
        trouble,
    })
}

fn understand(text: &[u8]) -> Result<(Vec<Row>, Result<Handover, String>), String> {
    let letter: Letter = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if letter.version != VERSION {
        return Err(format!("its form {} is not known here", letter.version));
    }
    let handover = match letter.state {
        serde_json::Value::Null => Ok(Handover::default()),
        state => serde_json::from_value(state).map_err(|error| error.to_string()),
    };
    Ok((letter.sockets, handover))
}

fn take(stream: &UnixStream, given: &mut Vec<OwnedFd>) -> std::io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let into = &mut [IoSliceMut::new(&mut byte)];
    let received = recvmsg(stream, into, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let before = given.len();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            given.extend(descriptors);
        }
    }
    match received.bytes > 0 && given.len() > before {
        true => Ok(()),
        false => Err(std::io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").unwrap()
    }

    #[test]
    fn all_sockets_arrive_in_their_order() {
        let (old, new) = UnixStream::pair().unwrap();
        let all: Vec<Sockets> = [1, 0, 150]
            .iter()
            .enumerate()
            .map(|(n, &count)| Sockets {
                kind: "listener".into(),
                name: format!("l{n}").into(),
                address: "127.0.0.1:0".parse().unwrap(),
                sockets: (0..count).map(|_| socket()).collect(),
            })
            .collect();
        send(&old, &all, &Handover::default()).unwrap();
        let received = receive(&new).unwrap();
        assert_eq!(received.trouble, None);
        let shape = |all: &[Sockets]| {
            let bound = |s: &TcpListener| s.local_addr().unwrap();
            all.iter()
                .map(|s| (s.name.clone(), s.sockets.iter().map(bound).collect()))
                .collect::<Vec<(Box<str>, Vec<SocketAddr>)>>()
        };
        assert_eq!(shape(&received.sockets), shape(&all));
    }

    #[test]
    fn a_letter_of_another_version_is_understood_or_refused() {
        for (text, expected) in [
            (r#"{"version":1,"sockets":[]}"#, Ok(None)),
            (
                r#"{"version":1,"sockets":[],"state":{"new":1},"x":2}"#,
                Ok(None),
            ),
            (r#"{"version":1,"sockets":[],"state":[[]]}"#, Ok(Some(()))),
            (r#"{"version":2,"sockets":[]}"#, Err(())),
            (r#"{"version":1,"sockets":[{"kind":"a"}]}"#, Err(())),
            ("{", Err(())),
            ("", Err(())),
        ] {
            let (mut old, new) = UnixStream::pair().unwrap();
            old.write_all(&(text.len() as u64).to_be_bytes()).unwrap();
            old.write_all(text.as_bytes()).unwrap();
            drop(old);
            let trouble = receive(&new).map(|received| received.trouble.map(drop));
            assert_eq!(trouble.map_err(drop), expected, "{text}");
        }
    }

    #[test]
    fn an_end_too_early_and_absurd_lengths_are_refused() {
        for bytes in [
            &b""[..],
            &[0; 4],
            &[0xff; 8],
            &[0, 0, 0, 0, 0, 0, 0, 9, b'{'],
        ] {
            let (mut old, new) = UnixStream::pair().unwrap();
            old.write_all(bytes).unwrap();
            drop(old);
            assert!(receive(&new).is_err(), "{bytes:?}");
        }
        // Fewer descriptors than were announced.
        let (mut old, new) = UnixStream::pair().unwrap();
        let text =
            r#"{"version":1,"sockets":[{"kind":"a","name":"","address":"1.2.3.4:5","count":1}]}"#;
        old.write_all(&(text.len() as u64).to_be_bytes()).unwrap();
        old.write_all(text.as_bytes()).unwrap();
        old.write_all(b"f").unwrap();
        assert!(receive(&new).is_err());
    }
}
