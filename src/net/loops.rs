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
    connections: Arc<AtomicUsize>,
}

impl Loop {
    fn run(&self, counter: &Arc<AtomicUsize>, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let guard = Counted::new(counter);
        self.handle.spawn(async move {
            let _guard = guard;
            task.await;
        })
    }
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
            all.loops.push(Loop { handle, tasks: Arc::default(), connections: Arc::default() });
            all.ends.push((end, thread));
        }
        Ok(all)
    }

    /// The runtime that this is called on, and no thread: for what is to keep to its clock.
    pub fn here() -> Loops {
        Loops { loops: vec![Loop { handle: Handle::current(), tasks: Arc::default(), connections: Arc::default() }], ends: Vec::new() }
    }

    /// Runs a task on the runtime with the fewest tasks.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let least = self.least(|one| one.tasks.load(Ordering::Relaxed));
        least.run(&least.tasks, task)
    }

    /// Serves a connection on the runtime with the fewest connections: they are where the work is, whatever else there is.
    pub fn serve(&self, connection: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let least = self.least(|one| one.connections.load(Ordering::Relaxed));
        least.run(&least.connections, connection)
    }

    /// Runs a task on this runtime, of [`Loops::len`].
    pub fn spawn_on(&self, number: usize, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let one = &self.loops[number];
        one.run(&one.tasks, task)
    }

    /// The numbers of the runtimes, those with the fewest tasks first.
    pub fn quietest_first(&self) -> Vec<usize> {
        let mut numbers: Vec<usize> = (0..self.loops.len()).collect();
        numbers.sort_by_key(|number| self.loops[*number].tasks.load(Ordering::Relaxed));
        numbers
    }

    fn least(&self, count: impl Fn(&Loop) -> usize) -> &Loop {
        self.loops.iter().min_by_key(|one| count(one)).unwrap_or_else(|| unreachable!("there is at least one loop"))
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

/// Counts a task as long as it is there.
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
