//! How large requests are made: as the configuration says, and smaller for a while where a server did not answer larger ones in time.
//!
//! A request that takes the server longer than `request_timeout` is sent again, and would take as long again: nothing would ever get through.
//! Fluentd: does just that, until the chunk is given up.

use crate::net::http::Failure;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Smaller than this a request is not made because of its time: a server that cannot take so much does not work at all.
const LEAST_BYTES: usize = 64 << 10;

/// After a request that was answered the next may be larger by this part: each that is too large costs a whole `request_timeout`.
const GROWTH: usize = 8;

/// The size of requests to one set of servers.
#[derive(Debug)]
pub struct Portion(AtomicUsize);

impl Default for Portion {
    fn default() -> Portion {
        Portion(AtomicUsize::new(usize::MAX))
    }
}

impl Portion {
    /// A body that is larger is not added to.
    pub fn limit(&self, configured: Option<u64>) -> Option<u64> {
        let own = self.0.load(Ordering::Relaxed);
        if own == usize::MAX { configured } else { Some(configured.map_or(own as u64, |bytes| bytes.min(own as u64))) }
    }

    /// Learns from a request of so many bytes; says the new size where that is smaller than before.
    pub fn learn<T>(&self, bytes: usize, result: &Result<T, Failure>) -> Option<usize> {
        let own = self.0.load(Ordering::Relaxed);
        match result {
            Ok(_) if own != usize::MAX && bytes >= own / 2 => self.0.store(own.saturating_add(own / GROWTH), Ordering::Relaxed),
            Err(failure) if is_late(failure) && bytes > LEAST_BYTES => {
                let less = own.min((bytes / 2).max(LEAST_BYTES));
                self.0.store(less, Ordering::Relaxed);
                return (less < own).then_some(less);
            }
            _ => {}
        }
        None
    }
}

/// Whether the server took the request and did not answer in time.
fn is_late(failure: &Failure) -> bool {
    let Failure::Broken(error) = failure else { return false };
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn late() -> Result<(), Failure> {
        Err(Failure::Broken(io::Error::from(io::ErrorKind::TimedOut).into()))
    }

    #[test]
    fn what_takes_too_long_is_made_smaller_and_grows_again() {
        let portion = Portion::default();
        assert_eq!((portion.limit(None), portion.limit(Some(7))), (None, Some(7)));
        assert_eq!(portion.learn(1 << 20, &late()), Some(512 << 10));
        // One that was on its way already says nothing new.
        assert_eq!(portion.learn(1 << 20, &late()), None);
        assert_eq!((portion.limit(None), portion.limit(Some(1000))), (Some(512 << 10), Some(1000)));
        assert_eq!(portion.learn(512 << 10, &late()), Some(256 << 10));
        // A small one that is answered shows nothing.
        portion.learn(1000, &Ok(()));
        assert_eq!(portion.limit(None), Some(256 << 10));
        portion.learn(300 << 10, &Ok(()));
        assert_eq!(portion.limit(None), Some(288 << 10));
    }

    #[test]
    fn other_failures_and_small_requests_do_not_count() {
        let portion = Portion::default();
        let reset = Err::<(), _>(Failure::Broken(io::Error::from(io::ErrorKind::ConnectionReset).into()));
        assert_eq!((portion.learn(1 << 20, &reset), portion.learn(LEAST_BYTES, &late()), portion.limit(None)), (None, None, None));
        assert_eq!(portion.learn(LEAST_BYTES + 1, &late()), Some(LEAST_BYTES));
    }
}
