//! What a backend does with one connection.

use std::rc::Rc;

use fastrand::Rng;
use tokio::time::{Duration, sleep, timeout};

use super::answer::Answer;
use super::fault::{self, Fault};
use super::{Heard, HeardRequest};
use crate::line::End;
use crate::message::Framing;
use crate::pipe::Pipe;
use crate::world::World;

pub(super) struct Backend {
    pub(super) world: Rc<World>,
    pub(super) pipe: Rc<Pipe>,
    pub(super) heard: Rc<Heard>,
    pub(super) random: Rng,
}

/// Whether another request may follow.
#[derive(PartialEq, Eq)]
pub(super) enum After {
    Next,
    Over,
}

pub(crate) async fn live(world: Rc<World>, pipe: Rc<Pipe>, heard: Rc<Heard>, mut random: Rng) {
    let reads = read(Rc::clone(&pipe), Rc::clone(&heard), random.fork());
    world.spawn(reads);
    let mut backend = Backend {
        world,
        pipe,
        heard,
        random,
    };
    let mut number = 0;
    while let Some(request) = backend.request(number).await {
        number += 1;
        if backend.serve(&request, number).await == After::Over {
            break;
        }
    }
    let how = match backend.world.settings.is_calm || backend.random.u8(..3) > 0 {
        true => End::Fin,
        false => End::Reset,
    };
    backend.heard.has_stopped.set(true);
    backend.close(how);
}

/// Reads whatever comes, at some pace.
async fn read(pipe: Rc<Pipe>, heard: Rc<Heard>, mut random: Rng) {
    let most = *random.choice(&[100, 3000, 100_000]).unwrap_or(&100);
    let is_slow = random.u8(..4) == 0;
    while !heard.has_stopped.get() {
        let most = most.max(heard.line.read.get() as usize / 50);
        let end = !matches!(pipe.read(most).await, Ok(n) if n > 0);
        heard.reads_no_more.set(end);
        heard.changed.notify_one();
        if end {
            break;
        }
        if is_slow {
            pause(&mut random, 10).await;
        }
    }
}

pub(super) async fn pause(random: &mut Rng, most: u64) {
    let millis = random.u64(..=most);
    sleep(Duration::from_millis(millis)).await;
}

impl Backend {
    /// The head of the next request, as soon as it has been read.
    async fn request(&mut self, number: usize) -> Option<Rc<HeardRequest>> {
        let is_impatient = !self.world.settings.is_calm && number > 0 && self.random.u8(..5) == 0;
        let patience = match is_impatient {
            true => Duration::from_millis(self.random.u64(..2000)),
            false => Duration::from_secs(3600),
        };
        loop {
            if let Some(request) = self.heard.head(number) {
                return Some(request);
            }
            if self.heard.reads_no_more.get() {
                return None;
            }
            let waiting = timeout(patience, self.heard.changed.notified());
            if waiting.await.is_err() {
                if self.heard.begun.get() > number {
                    continue;
                }
                self.say("has had enough of waiting");
                if let Some(last) = self.last(number)
                    && self.random.bool()
                {
                    let unasked = fault::excess(&mut self.random, &last.case);
                    self.pipe.offer(&unasked);
                    pause(&mut self.random, 100).await;
                }
                return None;
            }
        }
    }

    fn last(&self, number: usize) -> Option<Rc<HeardRequest>> {
        let requests = self.heard.requests.borrow();
        requests.get(number.checked_sub(1)?).cloned()
    }

    /// `number` counts from 1.
    async fn serve(&mut self, request: &HeardRequest, number: usize) -> After {
        let is_calm = self.world.settings.is_calm;
        let has_fault = self.random.u8(..100) < self.world.faults;
        let fault = has_fault.then(|| Fault::draw(&mut self.random));
        if let Some(fault) = fault {
            self.say(&format!("is going to do it wrong: {fault:?}"));
            request.attempt.lied.set(fault.is_lie());
        }
        if request.case.request.expects && self.random.u8(..5) > 0 {
            let sent = self.interim(request, "100 Continue").await;
            if sent == After::Over {
                return sent;
            }
        }
        match self.random.u8(..10) {
            0 if !is_calm => self.heard.has_stopped.set(true),
            1 | 2 => {}
            _ => self.all_read(request).await,
        }
        if self.random.bool() {
            pause(&mut self.random, 30).await;
        }
        let answer = Answer::draw(&mut self.random, &request.case, fault);
        let answer = Rc::new(answer);
        self.world.add_answer(&answer);
        *request.attempt.answer.borrow_mut() = Some(Rc::clone(&answer));
        let hints = match fault {
            Some(Fault::Chatter) => 40,
            _ if self.random.u8(..8) == 0 => self.random.usize(1..3),
            _ => 0,
        };
        for _ in 0..hints {
            if self.interim(request, "103 Early Hints").await == After::Over {
                return After::Over;
            }
        }
        let length = answer.bytes.len();
        let until_end = answer.closes && answer.framing == Framing::UntilEnd;
        match fault {
            Some(Fault::Hangup) => return After::Over,
            Some(Fault::Silence) => return self.wait_for_end().await,
            Some(Fault::Garbage) => return self.garbage().await,
            Some(Fault::Switch) => {
                self.interim(request, "101 Switching Protocols").await;
                if self.random.bool() {
                    self.send(&answer, length).await;
                }
                return self.wait_for_end().await;
            }
            Some(Fault::Stall) => {
                let at = self.random.usize(..length);
                self.send(&answer, at).await;
                return self.wait_for_end().await;
            }
            Some(Fault::Cut) => {
                let at = self.random.usize(..length);
                self.send(&answer, at).await;
                if until_end && at >= answer.head {
                    // With an orderly end it would be complete.
                    self.close(End::Reset);
                }
                return After::Over;
            }
            _ => {}
        }
        if self.send(&answer, length).await == After::Over {
            return After::Over;
        }
        if answer.breaks {
            return match self.random.u8(..4) {
                0 => self.wait_for_end().await,
                _ => After::Over,
            };
        }
        self.finish(&answer, fault, request, number).await
    }

    /// The answer is out. What now?
    async fn finish(
        &mut self,
        answer: &Answer,
        fault: Option<Fault>,
        request: &HeardRequest,
        number: usize,
    ) -> After {
        let until_end = answer.framing == Framing::UntilEnd;
        if until_end {
            let is_orderly = self.world.settings.is_calm || self.random.bool();
            if is_orderly {
                self.pipe.shut_down();
                answer.has_ended.set(true);
                return self.wait_for_end().await;
            }
            answer.has_ended.set(self.close(End::Fin));
            return After::Over;
        }
        if fault == Some(Fault::TooLong) && self.heard.begun.get() == number {
            let excess = fault::excess(&mut self.random, &request.case);
            self.pipe.offer(&excess);
            self.say("has said too much");
        }
        match answer.closes {
            true if self.world.settings.is_calm || self.random.bool() => {
                self.pipe.shut_down();
                self.wait_for_end().await
            }
            true => After::Over,
            false if !self.world.settings.is_calm && self.random.u8(..12) == 0 => {
                if self.random.bool() {
                    pause(&mut self.random, 50).await;
                }
                self.say("closes without a word");
                After::Over
            }
            false => After::Next,
        }
    }
}
