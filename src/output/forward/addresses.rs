//! The addresses of a server, and for how long they are used: `expire_dns_cache`.
//!
//! Names are the business of the net room; this only says when it is asked again.

use crate::net::{resolve, resolve_anew};
use anyhow::Result;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Where a server is, as far as that is remembered.
#[derive(Default)]
pub struct Addresses(Mutex<Option<(Instant, Vec<SocketAddr>)>>);

impl Addresses {
    /// The addresses of the server. They are asked for again once they are as old as `expiry`, so each time for 0.
    ///
    /// Fluentd: without an expiry the first answer is used for ever; here it is as long as its own time to live.
    pub async fn of(&self, host: &str, port: u16, expiry: Option<Duration>) -> Result<Vec<SocketAddr>> {
        let Some(expiry) = expiry else { return resolve(host, port).await };
        if let Some(known) = self.known(expiry) {
            return Ok(known);
        }
        let found = resolve_anew(host, port).await?;
        self.keep(&found);
        Ok(found)
    }

    fn known(&self, expiry: Duration) -> Option<Vec<SocketAddr>> {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.as_ref().filter(|(since, _)| since.elapsed() < expiry).map(|(_, known)| known.clone())
    }

    fn keep(&self, found: &[SocketAddr]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), found.to_vec()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn addresses_are_used_until_they_expire() {
        let addresses = Addresses::default();
        let minute = Duration::from_secs(60);
        assert_eq!(addresses.known(minute), None);
        let one: SocketAddr = "10.0.0.1:24224".parse().unwrap();
        addresses.keep(&[one]);
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!((addresses.known(minute), addresses.known(Duration::ZERO)), (Some(vec![one]), None));
        // What is known counts, whatever the name stands for by now.
        assert_eq!(addresses.of("localhost", 1, Some(minute)).await.unwrap(), [one]);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(addresses.known(minute), None);
        assert_eq!(addresses.of("127.0.0.1", 2, Some(minute)).await.unwrap(), ["127.0.0.1:2".parse().unwrap()]);
        assert_eq!(addresses.of("127.0.0.1", 3, Some(minute)).await.unwrap(), ["127.0.0.1:2".parse().unwrap()]);
        assert_eq!(addresses.of("127.0.0.1", 3, None).await.unwrap(), ["127.0.0.1:3".parse().unwrap()]);
    }
}
