//! Texts that come as datagrams, one each.

use super::{Emits, Origin, Shared};
use crate::event::{Scratch, Tag};
use crate::net::name_of;
use crate::plugin::Stop;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::Instant;

/// No datagram is larger.
const MAX_DATAGRAM_BYTES: usize = 64 << 10;
/// How many datagrams are handled at once, where so many wait.
const MAX_BATCH: usize = 256;
/// And how many bytes they may have together, about.
const MAX_BATCH_BYTES: usize = 256 << 10;
/// How many peers' names are remembered; beyond that all are forgotten.
const KNOWN_NAMES: usize = 1024;
/// For how long.
const NAME_AGE: Duration = Duration::from_secs(60);
/// At the end, what has arrived is handled, but not for ever.
const LAST_BATCHES: usize = 64;

/// Receives datagrams until the stop. What is longer than `max_bytes` is cut there, as by Fluentd.
pub async fn receive(socket: std::net::UdpSocket, max_bytes: usize, mut shared: Shared, mut stop: Stop) -> anyhow::Result<()> {
    let socket = UdpSocket::from_std(socket)?;
    let mut names = Names::default();
    let mut buffer = vec![0; max_bytes.clamp(1, MAX_DATAGRAM_BYTES)];
    let mut data = Vec::new();
    let mut datagrams: Vec<(usize, SocketAddr)> = Vec::new();
    let mut last_batches = 0;
    loop {
        data.clear();
        datagrams.clear();
        let first = match stop.is_stopped() {
            true => {
                last_batches += 1;
                socket.try_recv_from(&mut buffer)
            }
            false => tokio::select! {
                biased;
                first = socket.recv_from(&mut buffer) => first,
                () = stop.wait() => continue,
            },
        };
        if stop.is_stopped() && (first.is_err() || last_batches > LAST_BATCHES) {
            return Ok(());
        }
        let mut next = first;
        // An error is that of an earlier answer, and ends the batch.
        while let Ok((length, from)) = next {
            data.extend_from_slice(&buffer[..length]);
            datagrams.push((length, from));
            if datagrams.len() >= MAX_BATCH || data.len() >= MAX_BATCH_BYTES {
                break;
            }
            next = socket.try_recv_from(&mut buffer);
        }
        let mut origins = Vec::with_capacity(datagrams.len());
        let setup = shared.setup();
        for (_, from) in &datagrams {
            origins.push(names.origin(from.ip(), setup.take.needs_names()).await);
        }
        let tags = handle(&setup, &data, &datagrams, &origins);
        shared.wait_for_room(&tags).await;
    }
}

fn handle(setup: &super::Setup, data: &[u8], datagrams: &[(usize, SocketAddr)], origins: &[Origin]) -> Vec<Tag> {
    let scratch = Scratch::take();
    let scope = scratch.scope();
    let mut emits = Emits::new();
    let mut rest = data;
    for ((length, _), origin) in datagrams.iter().zip(origins) {
        let (text, behind) = rest.split_at((*length).min(rest.len()));
        rest = behind;
        setup.take.take(&scope, text, origin, &mut emits);
    }
    setup.emit(&scope, emits)
}

/// Names of peers, looked up once in a while.
#[derive(Default)]
struct Names(HashMap<IpAddr, (Instant, String)>);

impl Names {
    async fn origin(&mut self, address: IpAddr, by_name: bool) -> Origin {
        let text = address.to_string();
        if !by_name {
            return Origin { host: text.clone(), address: text };
        }
        if let Some((_, host)) = self.0.get(&address).filter(|(since, _)| since.elapsed() < NAME_AGE) {
            return Origin { host: host.clone(), address: text };
        }
        let host = name_of(address).await.unwrap_or_else(|| text.clone());
        if self.0.len() >= KNOWN_NAMES {
            self.0.clear();
        }
        self.0.insert(address, (Instant::now(), host.clone()));
        Origin { host, address: text }
    }
}
