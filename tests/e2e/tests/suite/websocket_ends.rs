//! How tunnels end that do not end by themselves, and what does not end them.

use std::sync::Arc;
use std::time::Duration;

use forebay_e2e::websocket::{CLOSE, GOING_AWAY, TEXT, WebSocket, agreement, echoing, frame, read};
use forebay_e2e::{Backend, Config, Forebay, Gate, Generations, Watched};

#[test]
fn one_that_is_silent_for_too_long_is_told_to_go() {
    let backend = echoing();
    let forebay = Config::to(&backend)
        .group("timeout: { tunnel: 400ms, idle: 100ms }")
        .start();
    let mut client = WebSocket::open(forebay.address());
    // Each is a sign of life; silence between bodies is something else.
    for _ in 0..4 {
        assert!(client.0.is_silent_for(Duration::from_millis(150)));
        client.exchange("still here");
    }
    client.hears_going_away();
    assert!(client.0.rest().unwrap().is_empty());
    let log = forebay.access_log(1);
    assert_eq!(log[0]["status"], 101);
    assert_eq!(log[0]["failure"], "connection_idle_timeout");
}

/// Half a second for those that have begun.
const SHORT: &str = "workers: 1\nshutdown_timeout: 100ms\ndrain_timeout: 400ms";

/// Opcodes and what was in their frames.
type Heard = Watched<Vec<(u8, Vec<u8>)>>;

/// A backend that remembers what it hears.
fn listening() -> (Backend, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    let kept = Arc::clone(&heard);
    let backend = Backend::scripted(move |conn| {
        let Some(request) = conn.request_head() else {
            return;
        };
        conn.send(agreement(&request)).unwrap();
        while let Ok((opcode, payload)) = read(conn) {
            let _ = conn.send(frame(opcode, &payload, false));
            kept.update(|heard| heard.push((opcode, payload)));
        }
    });
    (backend, heard)
}

fn going_away() -> Vec<(u8, Vec<u8>)> {
    vec![(TEXT, b"one".to_vec()), (CLOSE, GOING_AWAY.to_vec())]
}

#[track_caller]
fn assert_drained(forebay: &Forebay) {
    let log = forebay.access_log(1);
    assert_eq!(log[0]["status"], 101);
    assert_eq!(log[0]["failure"], "drain_timeout");
}

#[test]
fn both_ends_are_told_when_the_process_ends() {
    let (backend, heard) = listening();
    let mut forebay = Config::to(&backend).top(SHORT).start();
    let mut client = WebSocket::open(forebay.address());
    client.exchange("one");
    forebay.terminate();
    client.hears_going_away();
    assert!(client.0.rest().unwrap().is_empty());
    heard.wait("both have heard", |heard| {
        (*heard == going_away()).then_some(())
    });
    assert_eq!(forebay.wait_exit(), Some(0));
    assert_drained(&forebay);
}

#[test]
fn they_are_told_when_their_listener_is_removed() {
    let (backend, heard) = listening();
    let config = Config::to(&backend).top(SHORT);
    let forebay = config.start();
    let mut client = WebSocket::open(forebay.address());
    client.exchange("one");
    let moved = config.yaml().replace("127.0.0.1:0", "127.0.0.2:0");
    forebay.reload(&moved);
    client.hears_going_away();
    heard.wait("both have heard", |heard| {
        (*heard == going_away()).then_some(())
    });
    assert_drained(&forebay);
}

#[test]
fn they_go_on_while_another_process_takes_over_and_are_told_at_the_end() {
    let (backend, heard) = listening();
    let config = Config::to(&backend).top("workers: 1\ndrain_timeout: 3s");
    let mut generations = Generations::start(&config.yaml());
    let address = generations.first().address();
    let mut client = WebSocket::open(address);
    client.exchange("one");
    assert_eq!(generations.upgrade().code, Some(0));
    client.exchange("two");
    WebSocket::open(address).exchange("with the successor");
    client.hears_going_away();
    heard.wait("the backend has heard", |heard| {
        heard.contains(&(CLOSE, GOING_AWAY.to_vec())).then_some(())
    });
}

/// In the middle of a message nobody would understand another one.
#[test]
fn one_in_the_middle_of_a_frame_is_just_closed() {
    let gate = Gate::default();
    let hold = gate.clone();
    let backend = Backend::scripted(move |conn| {
        let Some(request) = conn.request_head() else {
            return;
        };
        let whole = frame(TEXT, b"never ends", false);
        let half = whole.get(..5).unwrap();
        conn.send([agreement(&request).as_bytes(), half].concat())
            .unwrap();
        hold.pass();
        conn.until_gone();
    });
    let mut forebay = Config::to(&backend).top(SHORT).start();
    let mut client = WebSocket::open(forebay.address());
    assert_eq!(client.0.exactly(5).unwrap().len(), 5);
    gate.wait_for(1);
    forebay.terminate();
    assert!(client.0.until_gone().is_empty());
    gate.open();
    assert_eq!(forebay.wait_exit(), Some(0));
    assert_drained(&forebay);
}

#[test]
fn a_client_that_takes_nothing_is_given_up() {
    let backend = Backend::scripted(|conn| {
        let Some(request) = conn.request_head() else {
            return;
        };
        conn.send(agreement(&request)).unwrap();
        let much = frame(TEXT, &vec![b'x'; 1 << 20], false);
        while conn.send(&much).is_ok() {}
    });
    let forebay = Config::to(&backend).server("write_timeout: 300ms").start();
    let client = WebSocket::open(forebay.address());
    let log = forebay.access_log(1);
    assert_eq!(log[0]["failure"], "client_write_timeout");
    assert_eq!(log[0]["status"], 101);
    drop(client);
}

#[test]
fn whoever_breaks_off_takes_the_other_end_along() {
    let (backend, _) = listening();
    let forebay = Config::to(&backend).start();
    let mut client = WebSocket::open(forebay.address());
    client.exchange("one");
    client.0.reset();
    let log = forebay.access_log(1);
    assert_eq!(log[0]["failure"], "client_disconnected");
    backend.wait_open(0);

    let mut client = WebSocket::open(forebay.address());
    client.exchange("one");
    backend.drop_connections();
    client.0.until_gone();
    drop(client);
    forebay.wait_metric("forebay_tunnels", &[], 0.0);
}

/// Each says so many messages between reloads, and hears them in order.
#[test]
fn none_is_cut_and_nothing_gets_out_of_order_through_reloads() {
    const SOCKETS: usize = 200;
    const RELOADS: usize = 10;
    let backend = echoing();
    let limits = "connection_pool: { max_connections_per_host: 1000 }";
    let config = Config::to(&backend).group(limits);
    let forebay = config.start();
    let mut sockets: Vec<_> = (0..SOCKETS)
        .map(|_| WebSocket::open(forebay.address()))
        .collect();
    for round in 0..RELOADS {
        let texts = [0, 1].map(|n| format!("{round}.{n}"));
        for socket in &mut sockets {
            texts.iter().for_each(|text| socket.say(text));
        }
        forebay.reload(&config.yaml().replace("id: all", &format!("id: all{round}")));
        for socket in &mut sockets {
            texts.iter().for_each(|text| socket.hear(text));
        }
    }
    forebay.wait_metric("forebay_tunnels", &[], SOCKETS as f64);
    assert_eq!(backend.accepted(), SOCKETS);
}
