//! Everything around Forebay in one run, and whatever went wrong in it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use fastrand::Rng;
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::Instant;

use crate::backend::Heard;
use crate::backend::answer::Answer;
use crate::case::Case;
use crate::client::Client;
use crate::pattern::mix;
use crate::settings::Settings;
use crate::tally::Tally;
use crate::trace::Trace;

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) settings: Settings,
    /// Of a hundred answers, how many are not as they should be.
    pub(crate) faults: u8,
    trace: Trace,
    /// The tasks of clients and backends; none once the run is over.
    tasks: RefCell<Option<Rc<LocalSet>>>,
    pub(crate) clients: RefCell<Vec<Rc<Client>>>,
    cases: RefCell<BTreeMap<u64, Rc<Case>>>,
    answers: RefCell<BTreeMap<u64, Rc<Answer>>>,
    /// Every connection to a backend.
    pub(crate) heard: RefCell<Vec<Rc<Heard>>>,
    /// Connections to backends that were refused, or took long.
    pub(crate) refused: Cell<usize>,
    pub(crate) slow_connects: Cell<usize>,
    pub(crate) settled: Cell<usize>,
    /// How exchanges fail.
    pub(crate) failures: RefCell<Tally>,
    /// Forebay drains; from when on it cuts off exchanges, and streams.
    pub(crate) drains: Cell<bool>,
    pub(crate) cut_at: Cell<Option<(Instant, Instant)>>,
    wrongs: RefCell<Vec<String>>,
    steps: Cell<(Instant, u64)>,
}

/// So many reads and writes at one moment are a loop without end.
const MOST_STEPS: u64 = 1_000_000;

impl World {
    pub(crate) fn new(seed: u64, trace: Trace) -> Rc<Self> {
        let mut random = Rng::with_seed(seed);
        let settings = Settings::draw(&mut random);
        let faults = match settings.is_calm {
            true => 0,
            false => *random.choice(&[0, 5, 20, 60]).unwrap_or(&5),
        };
        Rc::new(Self {
            seed,
            settings,
            faults,
            trace,
            tasks: RefCell::new(Some(Rc::default())),
            clients: RefCell::default(),
            cases: RefCell::default(),
            answers: RefCell::default(),
            heard: RefCell::default(),
            refused: Cell::new(0),
            slow_connects: Cell::new(0),
            settled: Cell::new(0),
            failures: RefCell::default(),
            drains: Cell::new(false),
            cut_at: Cell::new(None),
            wrongs: RefCell::default(),
            steps: Cell::new((Instant::now(), 0)),
        })
    }

    /// Random numbers for one purpose, whatever else draws some.
    pub(crate) fn random(&self, purpose: &str, number: u64) -> Rng {
        let purpose = purpose.bytes().fold(0, |sum, b| mix(sum, u64::from(b)));
        Rng::with_seed(mix(self.seed, mix(purpose, number)))
    }

    pub(crate) fn tasks(&self) -> Option<Rc<LocalSet>> {
        self.tasks.borrow().clone()
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) -> Option<JoinHandle<()>> {
        Some(self.tasks()?.spawn_local(task))
    }

    /// Ends all tasks, and lets go of all that holds on to each other.
    pub(crate) fn end(&self) {
        let tasks = self.tasks.borrow_mut().take();
        drop(tasks);
        for client in self.clients.borrow().iter() {
            client.cases.borrow_mut().clear();
            client.open.borrow_mut().clear();
        }
    }

    pub(crate) fn note(&self, text: impl FnOnce() -> String) {
        self.trace.note(text);
    }

    /// What the trace amounts to.
    pub(crate) fn sum(&self) -> u64 {
        self.trace.sum()
    }

    /// Forebay has done what it must not do.
    pub(crate) fn wrong(&self, what: String) {
        self.note(|| format!("WRONG: {what}"));
        self.wrongs.borrow_mut().push(what);
    }

    pub(crate) fn first_wrong(&self) -> Option<String> {
        self.wrongs.borrow().first().cloned()
    }

    pub(crate) fn count_step(&self) {
        let (at, steps) = self.steps.get();
        let now = Instant::now();
        let steps = if now == at { steps + 1 } else { 0 };
        self.steps.set((now, steps));
        if steps > MOST_STEPS {
            self.wrong("a loop without end".to_owned());
            panic!("a loop without end");
        }
    }

    pub(crate) fn add_case(&self, case: &Rc<Case>) {
        let token = case.request.token;
        self.cases.borrow_mut().insert(token, Rc::clone(case));
        case.client.cases.borrow_mut().push(Rc::clone(case));
        let clients = self.clients.borrow();
        let asking: Vec<_> = clients.iter().filter(|client| client.is_asking()).collect();
        for client in &asking {
            let cases = client.cases.borrow();
            for case in cases.iter().filter(|case| case.settled.get().is_none()) {
                case.others.set(case.others.get().max(asking.len() - 1));
            }
        }
    }

    pub(crate) fn case(&self, token: u64) -> Option<Rc<Case>> {
        self.cases.borrow().get(&token).cloned()
    }

    pub(crate) fn add_answer(&self, answer: &Rc<Answer>) {
        self.answers
            .borrow_mut()
            .insert(answer.id, Rc::clone(answer));
    }

    pub(crate) fn answer(&self, id: u64) -> Option<Rc<Answer>> {
        self.answers.borrow().get(&id).cloned()
    }
}
