//! What a client does with one connection.

use std::rc::Rc;

use fastrand::Rng;
use tokio::time::{Duration, sleep, timeout};

use super::Client;
use super::habits::{Habits, Leaves, Leaving, Moment};
use crate::case::Case;
use crate::line::End;
use crate::message::Framing;
use crate::pipe::Pipe;
use crate::request::Request;
use crate::world::World;

/// No client of a healthy Forebay waits as long.
const FOR_EVER: Duration = Duration::from_secs(900);

pub(crate) async fn live(world: Rc<World>, pipe: Rc<Pipe>, client: Rc<Client>, mut random: Rng) {
    let habits = Rc::new(Habits::draw(&mut random, world.settings.is_calm));
    let reads = read(
        Rc::clone(&world),
        Rc::clone(&pipe),
        Rc::clone(&client),
        Rc::clone(&habits),
        random.fork(),
    );
    world.spawn(reads);
    if let Some(Leaves {
        after: Moment::Time(time),
        how,
    }) = habits.leaves
    {
        let (world, pipe, client) = (Rc::clone(&world), Rc::clone(&pipe), Rc::clone(&client));
        world.clone().spawn(async move {
            sleep(time).await;
            leave(&world, &pipe, &client, how);
        });
    }
    let mut sending = Sending {
        world: Rc::clone(&world),
        pipe: Rc::clone(&pipe),
        client: Rc::clone(&client),
        habits: Rc::clone(&habits),
        random,
        sent: 0,
    };
    let all = async {
        sending.send_all().await;
        client
            .until(|| client.reads_no_more.get() || !habits.lingers && client.has_all())
            .await;
    };
    if timeout(FOR_EVER, all).await.is_err() {
        world.wrong(format!("{} waits for ever", client.line.name));
    }
    pipe.close(End::Fin);
}

fn leave(world: &Rc<World>, pipe: &Pipe, client: &Rc<Client>, how: Leaving) {
    world.note(|| format!("{} leaves ({how:?})", client.line.name));
    match how {
        Leaving::Closes => drop(pipe.close(End::Fin)),
        Leaving::Resets => drop(pipe.close(End::Reset)),
        Leaving::HalfCloses => pipe.shut_down(),
    }
    expect_to_be_missed(world, client);
}

/// Forebay notices within moments that a client has left: as long as it does not
/// wait for its body, and has nothing of a next request to keep it from looking.
fn expect_to_be_missed(world: &Rc<World>, client: &Rc<Client>) {
    const MOMENT: Duration = Duration::from_millis(200);
    let open: Vec<_> = client.open.borrow().iter().cloned().collect();
    let [case] = &*open else {
        return;
    };
    if !case.is_sent() || case.request.framing != Framing::Empty {
        return;
    }
    let (world, client, case) = (Rc::clone(world), Rc::clone(client), Rc::clone(case));
    world.clone().spawn(async move {
        sleep(MOMENT).await;
        let is_read = client.line.read.get() == client.line.sent.get();
        if case.settled.get().is_none() && is_read && !client.line.is_dropped() {
            let name = &client.line.name;
            world.wrong(format!("{name} has left and is not missed"));
        }
    });
}

async fn read(
    world: Rc<World>,
    pipe: Rc<Pipe>,
    client: Rc<Client>,
    habits: Rc<Habits>,
    mut random: Rng,
) {
    let portion = *random.choice(&[50, 3000, 100_000]).unwrap_or(&50);
    let is_slow = random.u8(..4) == 0;
    let mut halts = habits.halts_reading;
    loop {
        let read = client.line.read.get();
        let mut most = portion.max(read as usize / 50);
        if let Some(at) = halts {
            most = most.min(at.saturating_sub(read) as usize);
            if most == 0 {
                world.note(|| format!("{} stops reading for a while", client.line.name));
                sleep(Duration::from_millis(random.u64(100..6000))).await;
                halts = None;
                continue;
            }
        }
        if let Some(Leaves {
            after: Moment::Read(at),
            how,
        }) = habits.leaves
            && read >= at
            && !client.line.peer_has_left()
        {
            leave(&world, &pipe, &client, how);
        }
        match pipe.read(most).await {
            Ok(n) if n > 0 => client.changed.notify_one(),
            _ => break,
        }
        if is_slow {
            sleep(Duration::from_millis(random.u64(..5))).await;
        }
    }
    client.reads_no_more.set(true);
    client.changed.notify_one();
}

struct Sending {
    world: Rc<World>,
    pipe: Rc<Pipe>,
    client: Rc<Client>,
    habits: Rc<Habits>,
    random: Rng,
    sent: u64,
}

impl Sending {
    async fn send_all(&mut self) {
        let count = self.random.usize(1..7);
        for number in 0..count {
            let client = Rc::clone(&self.client);
            if !self.habits.pipelines {
                let is_over = || client.is_closing.get() || client.reads_no_more.get();
                client
                    .until(|| client.replies_read() >= number || is_over())
                    .await;
                if is_over() {
                    return;
                }
            }
            if self.random.u8(..4) == 0 {
                let most = if self.world.settings.is_calm {
                    100
                } else {
                    1000
                };
                sleep(Duration::from_millis(self.random.u64(..most))).await;
            }
            let request = Request::draw(&mut self.random, &self.world.settings);
            let is_last = request.is_last;
            if !self.send(request).await || is_last {
                return;
            }
        }
    }

    /// Sends a request; false if the connection has ended meanwhile.
    async fn send(&mut self, request: Request) -> bool {
        let case = Case::new(request, &self.client);
        self.world.add_case(&case);
        self.client.open.borrow_mut().push_back(Rc::clone(&case));
        let request = &case.request;
        self.world.note(|| {
            let (name, method, length) = (&self.client.line.name, request.method, request.length);
            let (target, flaw) = (&request.target, request.flaw);
            format!("{name} asks: {method} {target} with {length} bytes {flaw:?}")
        });
        let (head, body) = request.bytes.split_at(request.head);
        if !request.expects {
            return self.write(&request.bytes).await;
        }
        self.write(head).await && self.may_go_on(&case).await && self.write(body).await
    }

    /// Waits for the 100, but not for ever; false if the reply comes instead.
    async fn may_go_on(&self, case: &Case) -> bool {
        let client = &self.client;
        let has_reply = || case.reply.status.get().is_some() || client.reads_no_more.get();
        let may = || client.continues.get() == case.request.token;
        // Without either the body follows all the same.
        let _ = timeout(
            Duration::from_millis(300),
            client.until(|| may() || has_reply()),
        )
        .await;
        !has_reply()
    }

    /// Writes in pieces or at once, and leaves where it is time to.
    async fn write(&mut self, bytes: &[u8]) -> bool {
        let mut cuts: Vec<usize> = match self.random.u8(..5) {
            0..3 => Vec::new(),
            3 => (1..bytes.len().min(60)).collect(),
            _ => (0..self.random.usize(1..8))
                .map(|_| self.random.usize(..=bytes.len()))
                .collect(),
        };
        let mut leaves = None;
        if let Some(Leaves {
            after: Moment::Sent(at),
            how,
        }) = self.habits.leaves
        {
            leaves = at.checked_sub(self.sent).map(|at| (at as usize, how));
        }
        let halts = self
            .habits
            .halts_sending
            .and_then(|at| at.checked_sub(self.sent));
        let halts = halts.map(|at| at as usize);
        cuts.extend(leaves.map(|(at, _)| at).into_iter().chain(halts));
        cuts.push(bytes.len());
        cuts.retain(|&at| at <= bytes.len());
        cuts.sort_unstable();
        let is_slow = self.random.u8(..3) == 0;
        let mut at = 0;
        for cut in cuts {
            let piece = &bytes[at..cut];
            if self.pipe.write(piece).await.is_err() {
                return false;
            }
            self.sent += piece.len() as u64;
            at = cut;
            if let Some((_, how)) = leaves.filter(|&(at, _)| at == cut) {
                leave(&self.world, &self.pipe, &self.client, how);
                return false;
            }
            if halts == Some(cut) {
                self.world
                    .note(|| format!("{} stops sending for a while", self.client.line.name));
                sleep(Duration::from_millis(self.random.u64(100..6000))).await;
            } else if is_slow {
                sleep(Duration::from_millis(self.random.u64(..5))).await;
            }
        }
        true
    }
}
