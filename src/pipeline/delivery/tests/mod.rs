//! Deliveries before outputs that fail, hang and take parts: nothing is lost, the limits hold, the schedule is Fluentd's.

mod ends;
mod flushes;
mod limits;
mod on_disk;
mod retries;
mod rig;
mod settings;
