//! Acks of a connection: which are owed, and when they are written.

use super::{ACK_WAIT, Connection, End, LAST_ACKS_WAIT};
use crate::event::{Answer, Claim};
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout, timeout_at};

impl Connection {
    /// Keeps the acks of what was emitted back until its claim is settled.
    pub(super) fn owe(&mut self, claim: Option<Claim>) {
        if let Some(claim) = claim.filter(|claim| claim.answer() != Answer::Ack || !self.owed.is_empty()) {
            self.owed.push(claim, self.decoder.acks(), self.setup.options.ack_timeout);
            self.decoder.acks_written();
        }
    }

    /// Writes the acks that were kept back and are settled now.
    pub(super) async fn settle(&mut self) -> Result<(), End> {
        let acks = self.owed.take_settled().map_err(End::NoAck)?;
        if acks.is_empty() {
            return Ok(());
        }
        match timeout(ACK_WAIT, self.stream.write_all(&acks)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(End::Socket),
        }
    }

    /// At the end: waits a while for the acks that are still owed. `is_broken` is whether none can be sent any more.
    pub(super) async fn settle_all(&mut self, is_broken: bool) -> Result<(), End> {
        let end = Instant::now() + LAST_ACKS_WAIT;
        while !is_broken && !self.owed.is_empty() {
            if timeout_at(end, self.owed.changed()).await.is_err() {
                return Ok(());
            }
            self.settle().await?;
        }
        Ok(())
    }

    /// Writes the acks of what has been taken.
    pub(super) async fn answer(&mut self) -> Result<(), End> {
        if self.decoder.acks().is_empty() {
            return Ok(());
        }
        match timeout(ACK_WAIT, self.stream.write_all(self.decoder.acks())).await {
            Ok(Ok(())) => {
                self.decoder.acks_written();
                Ok(())
            }
            _ => Err(End::Socket),
        }
    }
}
