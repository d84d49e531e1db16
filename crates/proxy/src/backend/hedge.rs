//! Hedging: a second backend is asked as well, because the first takes longer
//! than is usual.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use message::{Failure, Fields, Kind, RequestHead, ResponseHead, Side, Sink};
use plan::{Group, Times};
use telemetry::Retried;
use tokio::time::Instant;
use upstream::{Backend, Checkout, InFlight};
use wire::h1::{Encoder, Framing, HeadError, Outgoing};

use crate::backend::ask::{MAX_INTERIM, begin_response};
use crate::backend::attempt::{Attempt, Upload};
use crate::backend::backend_conn::{BackendConn, Conn};
use crate::backend::connect::connect;
use crate::backend::h2_backend::{self, speaks_h2};
use crate::health;
use crate::worker::Worker;

/// Everything that asking a second backend takes, got ready beforehand.
pub(crate) struct Hedge<'a> {
    pub(crate) worker: &'a Worker,
    pub(crate) group: &'a Group,
    pub(crate) times: &'a Times,
    /// The first backend, and the second with its place in the group.
    pub(crate) first: &'a Arc<Backend>,
    pub(crate) second: &'a Arc<Backend>,
    pub(crate) index: usize,
    /// None while it is not known yet what is usual.
    pub(crate) delay: Option<Duration>,
    /// The request's head.
    pub(crate) head: RequestHead,
    /// What a connection to a backend begins with; empty for nothing.
    pub(crate) introduction: Vec<u8>,
}

/// How a race ended.
pub(crate) enum Won<'a> {
    /// The first backend's outcome counts.
    First(Result<Attempt<'a>, Failure>),
    Second(Box<Answer<'a>>),
}

/// What the second backend has answered.
pub(crate) struct Answer<'a> {
    pub(crate) attempt: Attempt<'a>,
    pub(crate) head: ResponseHead,
    pub(crate) reused: bool,
}

impl<'a> Hedge<'a> {
    /// Lets the first backend's attempt run, and after the delay the second's
    /// beside it. Whoever answers first wins, and the other is cut off; an answer
    /// of the second that is a failure does not count. Returns also whether the
    /// second was asked.
    ///
    /// If the first attempt fails it says so in `lost` and goes on to watch the
    /// client: when that leaves, the race is over.
    pub(crate) async fn race(
        self,
        first: impl Future<Output = Result<Attempt<'a>, Failure>>,
        lost: &Cell<Option<Failure>>,
    ) -> (Won<'a>, bool) {
        let began = self.worker.clock.now();
        let mut first = pin!(first);
        let mut outcome = pin!(poll_fn(|cx| match first.as_mut().poll(cx) {
            Poll::Pending => lost
                .take()
                .map_or(Poll::Pending, |lost| Poll::Ready(Err(lost))),
            ready => ready,
        }));
        let early = match self.delay {
            None => Some(outcome.as_mut().await),
            Some(delay) => tokio::time::timeout(delay, outcome.as_mut()).await.ok(),
        };
        if let Some(outcome) = early {
            self.first_answered(&outcome, began);
            return (Won::First(outcome), false);
        }
        if !self.is_affordable() {
            let outcome = outcome.await;
            self.first_answered(&outcome, began);
            return (Won::First(outcome), false);
        }
        let second_began = self.worker.clock.now();
        let mut second = pin!(self.ask());
        let mut second_ended = false;
        let mut failure = None;
        let won = poll_fn(|cx| {
            if let Poll::Ready(outcome) = outcome.as_mut().poll(cx) {
                match outcome {
                    Err(lost) if !second_ended && lost.kind.side() != Side::Client => {
                        failure = Some(lost);
                    }
                    outcome => return Poll::Ready(Won::First(outcome)),
                }
            }
            if !second_ended && let Poll::Ready(outcome) = second.as_mut().poll(cx) {
                match outcome {
                    Ok(answer) if answer.head.status < 500 => {
                        return Poll::Ready(Won::Second(Box::new(answer)));
                    }
                    outcome => {
                        self.second_failed(&outcome);
                        second_ended = true;
                    }
                }
            }
            match failure.take_if(|_| second_ended) {
                Some(lost) => Poll::Ready(Won::First(Err(lost))),
                None => Poll::Pending,
            }
        })
        .await;
        match &won {
            Won::First(outcome) => self.first_answered(outcome, began),
            Won::Second(_) => {
                let now = self.worker.clock.now();
                self.second.answered_after(now - second_began);
                self.first.answered_after(now - began);
            }
        }
        (won, true)
    }

    /// The standing of its backend is told of it; that it was cut off would not be.
    fn second_failed(&self, outcome: &Result<Answer<'_>, Failure>) {
        let now = self.worker.clock.coarse().into_std();
        match outcome {
            Ok(answer) => {
                health::server_error(self.group, self.index, None, answer.head.status, now);
            }
            Err(failure) => health::failed(self.group, self.index, None, failure, now),
        }
    }

    fn first_answered(&self, outcome: &Result<Attempt<'_>, Failure>, began: Instant) {
        if outcome.is_ok() {
            self.first.answered_after(self.worker.clock.now() - began);
        }
    }

    fn is_affordable(&self) -> bool {
        let now = self.worker.clock.now().into_std();
        let own = self.group.hedge.as_ref().map(|policy| &policy.budget);
        let may = own.is_some_and(|own| own.can_afford(now))
            && self.group.retry.budget.withdraw(now)
            && own.is_some_and(|own| own.withdraw(now));
        let mut metrics = self.worker.metrics.borrow_mut();
        match may {
            true => metrics.retried(Retried::Slow),
            false => metrics.retry_refused(),
        }
        may
    }

    async fn ask(&self) -> Result<Answer<'a>, Failure> {
        let load = InFlight::new(&**self.second);
        let (mut conn, reused) = self.connection().await?;
        conn.outbound.io().deadline.silence(self.times.idle);
        let is_secure = self.second.tls.is_some();
        conn.ask(&self.head, Framing::Empty, is_secure);
        conn.upload = Upload::none();
        let head = self.answer(&mut conn).await?;
        let attempt = Attempt {
            conn,
            load: Some(load),
        };
        Ok(Answer {
            attempt,
            head,
            reused,
        })
    }

    /// Without waiting in the queue: where there is one, no more load is wanted.
    async fn connection(&self) -> Result<(Conn, bool), Failure> {
        let worker = self.worker;
        let now = worker.clock.coarse().into_std();
        let alive = |conn: &mut Box<BackendConn>| conn.is_alive();
        match worker.pool.checkout(self.second, now, alive) {
            Err(_) => Err(Kind::QueueFull.into()),
            Ok(Checkout::Reused(conn)) => Ok((conn, true)),
            Ok(Checkout::Stream(link)) => Ok((BackendConn::on(worker, link), true)),
            Ok(Checkout::Connect(permit)) => {
                let opening = worker.pool.opening(self.second);
                let stream = connect(
                    worker,
                    self.second,
                    self.times.connect,
                    (&*self.introduction).into(),
                )
                .await?;
                if speaks_h2(self.second, &stream)? {
                    let link = h2_backend::begin(worker, stream, permit, opening)?;
                    return Ok((BackendConn::on(worker, link), false));
                }
                let now = worker.clock.now().into_std();
                let mut conn = BackendConn::new(&worker.timers, &worker.blocks, stream);
                conn.is_introduced = !self.introduction.is_empty();
                Ok((worker.pool.opened(permit, conn, now), false))
            }
        }
    }

    /// Sends what is in the buffer and waits for the head of the final response.
    async fn answer(&self, conn: &mut Conn) -> Result<ResponseHead, Failure> {
        conn.inbound.io().deadline.within(self.times.response);
        let mut encoder = Encoder::new(Framing::Empty, Side::Upstream);
        let mut head = ResponseHead::default();
        let mut sink = Outgoing {
            outbound: &mut conn.outbound,
            encoder: &mut encoder,
        };
        sink.finish(&Fields::default())?;
        for _ in 0..=MAX_INTERIM {
            head.clear();
            poll_fn(|cx| {
                let mut sink = Outgoing {
                    outbound: &mut conn.outbound,
                    encoder: &mut encoder,
                };
                if let Poll::Ready(Err(failure)) = sink.poll_flush(cx) {
                    return Poll::Ready(Err(failure));
                }
                conn.poll_head(cx, &mut head).map_err(|error| match error {
                    HeadError::Refused(failure) => failure,
                    HeadError::Stream { error, .. } => {
                        let known = h2_backend::failure(&error, conn);
                        known.unwrap_or(Kind::Terminated.into())
                    }
                })
            })
            .await?;
            if head.status == 101 {
                break;
            }
            if !head.is_interim() {
                begin_response(self.head.method, &mut head, self.times, conn)?;
                return Ok(head);
            }
        }
        Err(Kind::BadResponse.into())
    }
}
