//! Batches made ahead on a thread of their own.

use std::sync::mpsc::{sync_channel, Receiver};
use std::thread::JoinHandle;

use crate::error::{check_count, Error, Result};

/// The items of an iterator in the same order, made ahead by another thread. They are the same bytes:
/// what an item is must not depend on when it is made, which holds for everything that draws from keys.
///
/// Dropping it stops the thread; a panic of the iterator goes on in the thread that takes the items.
#[derive(Debug)]
pub struct Prefetched<T> {
    items: Option<Receiver<T>>,
    thread: Option<JoinHandle<()>>,
}

/// Makes up to `ahead` items ahead.
///
/// # Errors
/// [`Error::InvalidConfig`] for `ahead = 0`, [`Error::Io`] if no thread can be started.
///
/// ```
/// use brenier::data::{prefetch, Epochs};
/// use brenier::random::Key;
/// let epochs = Epochs::new(100, 10, Key::new(0))?;
/// let plain: Vec<_> = epochs.clone().take(25).collect();
/// let ahead: Vec<_> = prefetch(epochs.take(25), 4)?.collect();
/// assert_eq!(plain, ahead);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn prefetch<I>(items: I, ahead: usize) -> Result<Prefetched<I::Item>>
where
    I: Iterator + Send + 'static,
    I::Item: Send + 'static,
{
    check_count("items to make ahead", ahead)?;
    let (sender, receiver) = sync_channel(ahead);
    let work = move || {
        for item in items {
            // Nobody takes items any more.
            if sender.send(item).is_err() {
                break;
            }
        }
    };
    let thread = std::thread::Builder::new().name("prefetch".into()).spawn(work);
    let thread =
        thread.map_err(Error::io("start a thread for", std::path::Path::new("batches")))?;
    Ok(Prefetched { items: Some(receiver), thread: Some(thread) })
}

impl<T> Iterator for Prefetched<T> {
    type Item = T;
    fn next(&mut self) -> Option<T> {
        let item = self.items.as_ref()?.recv().ok();
        if item.is_none() {
            self.items = None;
            if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
                std::panic::resume_unwind(panic);
            }
        }
        item
    }
}

impl<T> Drop for Prefetched<T> {
    fn drop(&mut self) {
        // The sender fails once the receiver is gone, so the thread ends.
        self.items = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
