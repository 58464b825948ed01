//! The threads that connections and deliveries run on: one single-threaded runtime a core, so that work never hops.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle as ThreadHandle;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Loop {
    handle: Handle,
    tasks: Arc<AtomicUsize>,
}

/// A fixed set of runtimes, each on a thread of its own.
pub struct Loops {
    loops: Vec<Loop>,
    ends: Vec<(oneshot::Sender<()>, ThreadHandle<()>)>,
}

impl Loops {
    /// Starts `count` runtimes (at least one).
    pub fn start(count: usize) -> io::Result<Loops> {
        let mut all = Loops { loops: Vec::new(), ends: Vec::new() };
        for number in 0..count.max(1) {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let handle = runtime.handle().clone();
            let (end, ended) = oneshot::channel::<()>();
            let thread = std::thread::Builder::new().name(format!("loop {number}")).spawn(move || {
                runtime.block_on(async {
                    let _ = ended.await;
                });
            })?;
            all.loops.push(Loop { handle, tasks: Arc::new(AtomicUsize::new(0)) });
            all.ends.push((end, thread));
        }
        Ok(all)
    }

    /// The runtime that this is called on, and no thread: for what is to keep to its clock.
    pub fn here() -> Loops {
        Loops { loops: vec![Loop { handle: Handle::current(), tasks: Arc::default() }], ends: Vec::new() }
    }

    /// Runs a task on the runtime with the fewest tasks.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let least = self
            .loops
            .iter()
            .min_by_key(|one| one.tasks.load(Ordering::Relaxed))
            .unwrap_or_else(|| unreachable!("there is at least one loop"));
        let guard = Counted::new(&least.tasks);
        least.handle.spawn(async move {
            let _guard = guard;
            task.await;
        })
    }

    /// Waits until each of them has got to a task that comes now.
    pub async fn get_on(&self) {
        let turns: Vec<_> = self.loops.iter().map(|one| one.handle.spawn(async {})).collect();
        for turn in turns {
            let _ = turn.await;
        }
    }

    /// How many runtimes there are.
    pub fn len(&self) -> usize {
        self.loops.len()
    }

    /// Whether there are none; there always is one.
    pub fn is_empty(&self) -> bool {
        self.loops.is_empty()
    }
}

impl Drop for Loops {
    fn drop(&mut self) {
        for (end, thread) in self.ends.drain(..) {
            let _ = end.send(());
            let _ = thread.join();
        }
    }
}

struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(tasks: &Arc<AtomicUsize>) -> Counted {
        tasks.fetch_add(1, Ordering::Relaxed);
        Counted(Arc::clone(tasks))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
