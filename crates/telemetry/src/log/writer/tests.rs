use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::AtomicU32;
use std::sync::mpsc::{Sender, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use super::*;
use crate::record::sample;
use crate::{Format, Record};

const PATIENCE: Duration = Duration::from_secs(30);

/// A folder of its own, removed at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "forebay-log-{}-{}",
            process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Collects what the thread tells.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn listener(&self) -> impl FnMut(Trouble) + Send + 'static {
        let told = Arc::clone(&self.0);
        move |trouble| told.lock().unwrap().push(trouble.to_string())
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

fn open(path: &Path) -> LogWriter {
    LogWriter::open(Output::File(path.to_owned()), |trouble| {
        panic!("{trouble}");
    })
    .unwrap()
}

/// A target that takes one write for each permit, and shows what it was given.
struct Gated {
    permits: Receiver<Result<(), ErrorKind>>,
    written: Arc<Mutex<Vec<u8>>>,
    started: Sender<()>,
}

/// The test's side of a gated target.
struct Gate {
    permits: SyncSender<Result<(), ErrorKind>>,
    written: Arc<Mutex<Vec<u8>>>,
    started: Receiver<()>,
}

impl Gate {
    fn new() -> (Self, Mutex<Option<Gated>>) {
        let (permits, given) = sync_channel(1_000);
        let (started, seen) = channel();
        let written = Arc::default();
        let gated = Gated {
            permits: given,
            written: Arc::clone(&written),
            started,
        };
        let gate = Self {
            permits,
            written,
            started: seen,
        };
        (gate, Mutex::new(Some(gated)))
    }

    fn text(&self) -> String {
        String::from_utf8(self.written.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Gated {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The test may no longer be interested.
        self.started.send(()).ok();
        if let Ok(Err(kind)) = self.permits.recv() {
            return Err(kind.into());
        }
        self.written.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Target for Gated {
    type Source = Mutex<Option<Gated>>;
    fn open(source: &Self::Source) -> Result<Self, OpenFault> {
        source.lock().unwrap().take().ok_or_else(|| OpenFault {
            output: Output::Stdout,
            error: ErrorKind::NotFound.into(),
        })
    }
}

fn start_gated(chunks: usize, told: &Told) -> (LogWriter, Gate) {
    let (gate, source) = Gate::new();
    let (queue, jobs) = Queue::new(chunks);
    let scribe = Scribe::<Gated>::new(source, &queue, jobs, Box::new(told.listener())).unwrap();
    let log = LogWriter::start(queue, scribe).unwrap();
    (log, gate)
}

#[test]
fn every_line_of_every_worker_is_in_the_file() {
    const WORKERS: usize = 4;
    // Few enough that the queue never fills: this test is about order.
    const LINES: usize = 4_000;
    let folder = Folder::new();
    let path = folder.file("deep/er/access.log");
    let log = open(&path);
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let mut sink = log.sink();
            thread::spawn(move || {
                let format = Format::parse("${request_id} ${status}").unwrap();
                for i in 0..LINES {
                    let request_id = format!("{worker}-{i}");
                    let record = Record {
                        request_id: request_id.as_bytes(),
                        ..sample::record()
                    };
                    sink.push(&format, &record);
                }
            })
        })
        .collect();
    workers.into_iter().for_each(|w| w.join().unwrap());
    assert_eq!(log.drops().get(), 0);
    assert!(log.close(PATIENCE));

    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), WORKERS * LINES);
    for worker in 0..WORKERS {
        let own = text
            .lines()
            .filter(|l| l.starts_with(&format!("{worker}-")));
        let expected = (0..LINES).map(|i| format!("{worker}-{i} 200"));
        assert!(own.eq(expected), "worker {worker}");
    }
}

#[test]
fn a_full_queue_loses_lines_and_counts_them_exactly() {
    let told = Told::default();
    let (log, gate) = start_gated(2, &told);
    let mut sink = log.sink();
    let format = Format::parse("${request_id}").unwrap();
    let push = |sink: &mut LogSink, lines| {
        (0..lines).for_each(|_| sink.push(&format, &sample::record()));
        sink.flush();
    };

    push(&mut sink, 1);
    gate.started.recv().unwrap(); // that chunk has left the queue
    push(&mut sink, 2);
    push(&mut sink, 3);
    assert_eq!(log.drops().get(), 0);
    push(&mut sink, 4); // no room
    push(&mut sink, 5);
    assert_eq!(log.drops().get(), 9);

    (0..3).for_each(|_| gate.permits.send(Ok(())).unwrap());
    drop(sink);
    assert!(log.close(PATIENCE));
    assert_eq!(gate.text().lines().count(), 6);
    assert_eq!(
        told.all(),
        ["the log is slower than the traffic: 9 lines lost since the start"]
    );
}

#[test]
fn failing_writes_are_told_once_and_recovered_from() {
    let told = Told::default();
    let (log, gate) = start_gated(100, &told);
    let mut lines = log.writer();
    for permit in [
        Ok(()),
        Err(ErrorKind::StorageFull),
        Err(ErrorKind::BrokenPipe),
        Ok(()),
    ] {
        gate.permits.send(permit).unwrap();
    }
    for text in ["one\n", "two\nthree\n", "four\n", "five\n"] {
        lines.write_all(text.as_bytes()).unwrap();
    }
    let drops = log.drops();
    assert!(log.close(PATIENCE));
    assert_eq!(gate.text(), "one\nfive\n");
    assert_eq!(drops.get(), 3);
    assert_eq!(
        told.all(),
        [
            "log lines are lost: no storage space",
            "the log is written again; 3 lines lost",
        ]
    );
}

#[test]
fn a_full_disk_does_not_end_the_program() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        return; // not Linux
    }
    let told = Told::default();
    let log = LogWriter::open(Output::File(full.to_owned()), told.listener()).unwrap();
    (0..10).for_each(|_| log.writer().write_all(b"lost\n").unwrap());
    let drops = log.drops();
    assert!(log.close(PATIENCE));
    assert_eq!(drops.get(), 10);
    assert_eq!(told.all().len(), 1);
}

#[test]
fn after_a_rotation_lines_go_to_the_new_file() {
    let folder = Folder::new();
    let (path, moved) = (folder.file("access.log"), folder.file("access.log.1"));
    fs::write(&path, "kept\n").unwrap();
    let log = open(&path);
    log.writer().write_all(b"before\n").unwrap();
    assert!(log.close(PATIENCE));
    assert_eq!(fs::read_to_string(&path).unwrap(), "kept\nbefore\n");

    let log = open(&path);
    fs::rename(&path, &moved).unwrap();
    log.reopen();
    log.writer().write_all(b"after\n").unwrap();
    assert!(log.close(PATIENCE));
    assert_eq!(fs::read_to_string(&moved).unwrap(), "kept\nbefore\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "after\n");
}

#[test]
fn a_failed_rotation_keeps_the_old_target() {
    let told = Told::default();
    let (log, gate) = start_gated(100, &told);
    gate.permits.send(Ok(())).unwrap();
    log.reopen(); // a gated target opens only once
    log.writer().write_all(b"still\n").unwrap();
    assert!(log.close(PATIENCE));
    assert_eq!(gate.text(), "still\n");
    assert_eq!(told.all().len(), 1);
    assert!(told.all()[0].contains("the old file stays in use"));
}

#[test]
fn a_stuck_output_does_not_hold_up_the_end() {
    let told = Told::default();
    let (log, gate) = start_gated(100, &told);
    log.writer().write_all(b"stuck\n").unwrap();
    gate.started.recv().unwrap();
    assert!(!log.close(Duration::ZERO));
    assert_eq!(gate.text(), "");
}

#[test]
fn what_cannot_be_opened_says_which_and_why() {
    let folder = Folder::new();
    let fault = LogWriter::open(Output::File(folder.0.clone()), |_| ()).unwrap_err();
    let text = fault.to_string();
    assert!(text.starts_with("cannot open the log /"), "{text}");
    assert!(text.contains("directory"), "{text}");
}
