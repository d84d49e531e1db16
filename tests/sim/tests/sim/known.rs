//! What seeds have found, each in its shortest form.

use tokio::time::{Duration, sleep};

use crate::stage::play;

const AT_ONCE: Duration = Duration::ZERO;
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn a_request_gets_its_answer() {
    play("", "", AT_ONCE, async |mut stage| {
        let mut client = stage.client();
        stage
            .run(client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        let mut backend = stage.backend().await;
        stage.run(backend.hear_until("\r\n\r\n")).await;
        stage.run(backend.say(OK)).await;
        stage.run(client.hear_until("ok")).await;
        assert_eq!(stage.settled(), [(200, 0)]);
    });
}

/// Once its body is here, nothing more is due from a client.
#[test]
fn a_backend_that_stops_reading_does_not_make_its_client_gone() {
    let server = "body_timeout: 200ms";
    let group = "timeout: { idle: 300ms, request: 5s }";
    play(server, group, AT_ONCE, async |mut stage| {
        let mut client = stage.client();
        let body = "x".repeat(1000);
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{body}");
        stage.run(client.say(&request)).await;
        let mut backend = stage.backend().await;
        stage.run(sleep(Duration::from_secs(2))).await;
        stage.run(backend.say(OK)).await;
        let answer = stage.run(client.hear_until("ok")).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    });
}

/// A body of no bytes is no body that could be late.
#[test]
fn a_request_with_an_empty_body_waits_for_its_backend() {
    let server = "body_timeout: 200ms";
    play(server, "", Duration::from_secs(2), async |mut stage| {
        let mut client = stage.client();
        stage
            .run(client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"))
            .await;
        let mut backend = stage.backend().await;
        stage.run(backend.hear_until("\r\n\r\n")).await;
        stage.run(backend.say(OK)).await;
        let answer = stage.run(client.hear_until("ok")).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    });
}

/// What lasts until the connection closes ends in a reset if it is cut short,
/// also by the end of Forebay itself.
#[test]
fn half_an_answer_is_reset_when_forebay_ends() {
    play("", "", AT_ONCE, async |mut stage| {
        let mut client = stage.client();
        stage.run(client.say("GET / HTTP/1.0\r\n\r\n")).await;
        let mut backend = stage.backend().await;
        stage.run(backend.hear_until("\r\n\r\n")).await;
        stage.run(backend.say("HTTP/1.1 200 OK\r\n\r\nhalf")).await;
        stage.run(client.hear_until("half")).await;
        stage.end_worker();
        assert!(client.was_reset());
    });
}

/// What was received of an earlier request's body is not counted again.
#[test]
fn a_refused_request_has_no_body() {
    play("", "", AT_ONCE, async |mut stage| {
        let mut client = stage.client();
        stage
            .run(client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"))
            .await;
        let mut backend = stage.backend().await;
        stage.run(backend.hear_until("body")).await;
        stage.run(backend.say(OK)).await;
        stage.run(client.hear_until("ok")).await;
        stage.run(client.say("GET / HTTP/1.1\r\n\r\n")).await;
        stage.run(client.hear_until("\r\n\r\n")).await;
        stage.run(sleep(Duration::from_secs(5))).await;
        assert_eq!(stage.settled(), [(200, 4), (400, 0)]);
    });
}

/// A client that leaves is missed, whatever its backend does or does not do.
#[test]
fn a_client_that_leaves_is_missed_while_its_backend_does_not_read() {
    play("", "", AT_ONCE, async |mut stage| {
        let mut client = stage.client();
        stage
            .run(client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        let _backend = stage.backend().await;
        stage.run(sleep(Duration::from_secs(1))).await;
        drop(client);
        stage.run(sleep(Duration::from_secs(1))).await;
        assert_eq!(stage.settled(), [(499, 0)]);
    });
}

#[test]
fn a_client_that_leaves_is_missed_while_a_second_backend_is_asked() {
    let group = "hedge: { percentile: 50, max_percent: 100 }";
    for first_fails in [false, true] {
        play("", group, AT_ONCE, async |mut stage| {
            let mut client = stage.client();
            stage
                .run(client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
                .await;
            let first = stage.backend().await;
            let _second = stage.backend().await;
            let _first = (!first_fails).then_some(first);
            stage.run(sleep(Duration::from_secs(1))).await;
            drop(client);
            stage.run(sleep(Duration::from_secs(1))).await;
            assert_eq!(stage.settled(), [(499, 0)], "{first_fails}");
        });
    }
}
