//! A panic fails one exchange, never the worker.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

use message::{Failure, Kind};

/// Runs a future; a panic within it becomes an internal failure.
pub(crate) async fn catch_panic<T>(
    mut future: Pin<&mut impl Future<Output = Result<T, Failure>>>,
) -> Result<T, Failure> {
    poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll,
            Err(panic) => {
                let detail = format!("panic: {}", text_of(&*panic));
                Poll::Ready(Err(Failure::new(Kind::Internal, detail)))
            }
        },
    )
    .await
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_internal_failure_and_anything_else_passes() {
        let failed = catch_panic::<()>(pin!(async { panic!("oh {}", 1) }))
            .await
            .unwrap_err();
        assert_eq!(
            (failed.kind, &*failed.detail),
            (Kind::Internal, "panic: oh 1")
        );
        assert_eq!(catch_panic(pin!(async { Ok(5) })).await, Ok(5));
    }
}
