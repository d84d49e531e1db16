//! Stands in for `sync` of `upstream`: the same types, under the eyes of the
//! checker.

pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU64, AtomicUsize},
};

use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Makes the next call of a real channel or bell a step like any other: here
/// the checker may let another thread go first. No step is left out because
/// these never block, and wake only when they have let go of everything.
#[derive(Debug, Default)]
struct Step(AtomicUsize);

impl Step {
    fn here(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

#[derive(Debug, Default)]
pub(crate) struct Notify {
    real: tokio::sync::Notify,
    step: Step,
}

impl Notify {
    pub(crate) fn notify_one(&self) {
        self.step.here();
        self.real.notify_one();
    }

    pub(crate) async fn notified(&self) {
        self.step.here();
        self.real.notified().await;
    }
}

pub(crate) mod oneshot {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::sync::oneshot;

    use super::{Arc, Step};

    pub(crate) struct Sender<T> {
        real: oneshot::Sender<T>,
        step: Arc<Step>,
    }

    pub(crate) struct Receiver<T> {
        real: oneshot::Receiver<T>,
        step: Arc<Step>,
    }

    pub(crate) fn channel<T>() -> (Sender<T>, Receiver<T>) {
        let (sender, receiver) = oneshot::channel();
        let step = Arc::new(Step::default());
        let sender = Sender {
            real: sender,
            step: Arc::clone(&step),
        };
        let receiver = Receiver {
            real: receiver,
            step,
        };
        (sender, receiver)
    }

    impl<T> Sender<T> {
        pub(crate) fn send(self, value: T) -> Result<(), T> {
            self.step.here();
            self.real.send(value)
        }
    }

    impl<T> Future for Receiver<T> {
        type Output = Result<T, oneshot::error::RecvError>;

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
            self.step.here();
            Pin::new(&mut self.real).poll(cx)
        }
    }

    impl<T> Drop for Receiver<T> {
        fn drop(&mut self) {
            // The real one goes right after this.
            self.step.here();
        }
    }
}
