//! One output takes the place of another at a reload: what waits stays where it is and is delivered by the new one.
//!
//! Both share the stage, the queue and all that is counted. The tasks of the old one end once they have finished what they have in hand;
//! what they cannot deliver goes back into the queue, for the new one.

use super::Delivery;
use std::sync::{Arc, PoisonError};

impl Delivery {
    /// Whether this one's chunks can be delivered by `other` as they are.
    pub fn can_pass_to(&self, other: &Delivery) -> bool {
        let place = |delivery: &Delivery| delivery.disk.as_ref().map(|disk| disk.location.clone());
        self.output.is_packed() == other.output.is_packed() && place(self) == place(other)
    }

    /// Makes one that was built and not started the successor of a running one. Nothing changes for either before [`Delivery::replace`].
    pub fn inherit(new: Arc<Delivery>, old: &Delivery) -> Arc<Delivery> {
        match Arc::try_unwrap(new) {
            Ok(mut heir) => {
                heir.limit = Arc::clone(&old.limit);
                heir.disk = old.disk.as_ref().zip(heir.disk.as_ref()).map(|(old, new)| old.used_as(new));
                heir.stage = Arc::clone(&old.stage);
                heir.queue = Arc::clone(&old.queue);
                heir.counters = Arc::clone(&old.counters);
                heir.failing_since = Arc::clone(&old.failing_since);
                heir.emitted = Arc::clone(&old.emitted);
                heir.phase = Arc::clone(&old.phase);
                heir.has_ended = Arc::clone(&old.has_ended);
                heir.tasks = Arc::clone(&old.tasks);
                Arc::new(heir)
            }
            Err(shared) => unreachable!("{} is shared before it is built", shared.id),
        }
    }

    /// Ends the tasks of the one whose place this takes, and lets its own parameters count. To be started after this.
    pub fn replace(&self, old: &Delivery) {
        old.replaced.send_replace(true);
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).retain(|task| !task.is_finished());
        self.limit.set_max(self.settings.total_bytes);
        self.adjust_log();
        self.stage.set_limits(self.settings.chunk);
        // Chunks that were filled by other keys take no more events.
        if format!("{:?}", self.settings.keys) != format!("{:?}", old.settings.keys) {
            self.queue_staged();
        }
        self.queue.wake_all();
    }
}
