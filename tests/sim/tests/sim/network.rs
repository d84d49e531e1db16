//! The network that Forebay gets in the place of sockets.

use std::io::ErrorKind;
use std::rc::Rc;

use proxy::sim::{Connecting, Socket};
use telemetry::Record;
use tokio::time::{Duration, Instant, sleep};
use upstream::Address;

use crate::backend::{self, Heard};
use crate::judge;
use crate::line::Line;
use crate::pipe::{ForebaysEnd, Pipe};
use crate::world::World;

pub(crate) struct Network(pub(crate) Rc<World>);

impl proxy::sim::World for Network {
    fn connect(&self, address: &Address) -> Connecting {
        let world = Rc::clone(&self.0);
        let address = address.to_string();
        Box::pin(async move { connect(&world, &address).await })
    }

    fn settled(&self, record: &Record<'_>) {
        judge::settled(&self.0, record);
    }
}

async fn connect(world: &Rc<World>, address: &str) -> std::io::Result<Rc<dyn Socket>> {
    let number = world.heard.borrow().len();
    let mut random = world.random("backend", number as u64);
    let line = Rc::new(Line::new(format!("backend {number} at {address}")));
    // Until it stands, there is nothing to let go of.
    line.dropped_at.set(Some(Instant::now()));
    let heard = Heard::new(Rc::clone(&line));
    world.heard.borrow_mut().push(Rc::clone(&heard));
    let trouble = random.u8(..100) < world.faults / 2;
    if trouble {
        let how = random.u8(..3);
        world.note(|| format!("{} does not take connections ({how})", line.name));
        let counts = [&world.refused, &world.refused, &world.slow_connects];
        let count = counts[usize::from(how)];
        count.set(count.get() + 1);
        match how {
            0 => return Err(ErrorKind::ConnectionRefused.into()),
            1 => return Err(ErrorKind::HostUnreachable.into()),
            _ => sleep(Duration::from_secs(3600)).await,
        }
    }
    if random.bool() {
        let millis = random.u64(..20);
        sleep(Duration::from_millis(millis)).await;
    }
    world.note(|| format!("{} is connected", line.name));
    line.dropped_at.set(None);
    let tap = backend::tap::Tap::new(world, &heard);
    let pipe = Pipe::new(world, line, Box::new(tap), random.fork());
    let life = backend::life::live(Rc::clone(world), Rc::clone(&pipe), heard, random);
    world.spawn(life);
    Ok(Rc::new(ForebaysEnd(pipe)))
}
