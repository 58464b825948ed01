//! UDP heartbeats of other Fluentds: whatever comes is answered with one zero byte.

use crate::plugin::Stop;
use anyhow::Context;
use tokio::net::UdpSocket;

/// Bytes of a heartbeat that are read; one would do.
const MAX_BYTES: usize = 128;

/// Answers until `stop`.
pub async fn answer(socket: std::net::UdpSocket, mut stop: Stop) -> anyhow::Result<()> {
    let socket = UdpSocket::from_std(socket).context("cannot answer heartbeats")?;
    let mut bytes = [0; MAX_BYTES];
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut bytes) => received,
            () = stop.wait() => return Ok(()),
        };
        // Errors concern one peer, such as one whose port is closed by now.
        if let Ok((_, peer)) = received {
            let _ = socket.try_send_to(&[0], peer);
        }
    }
}
