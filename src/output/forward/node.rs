//! A server: where it is, whether it is believed to be there, and connections to it that wait for the next chunk.
//!
//! Belief comes from heartbeats: a server that has not been heard of for much longer than usual (the phi accrual failure detector), or for
//! `hard_timeout`, is detached; it is used again once it has answered for `recover_wait`.

use super::Inner;
use super::addresses::Addresses;
use super::link::{Link, connect, exchange_datagram};
use super::settings::{Heartbeat, Options};
use crate::buffer::Chunk;
use crate::forward::Login;
use anyhow::{Context, Result};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::thread::ThreadId;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Gaps between signs of life that are remembered.
const SAMPLES: usize = 1000;
/// Connections that wait for the next chunk: as many as deliveries that usually run at once.
const IDLE_LINKS: usize = 16;
/// A heartbeat that takes longer has failed.
const BEAT_WAIT: Duration = Duration::from_secs(10);

/// A server.
pub struct Node {
    /// What logs call it.
    pub name: String,
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The name that its certificate has to have.
    pub certificate_name: String,
    /// How often it is chosen compared with the others; 0 for never.
    pub weight: i64,
    /// Whether it is only used when others are gone.
    pub standby: bool,
    /// What is said in the handshake.
    pub login: Login,
    addresses: Addresses,
    state: Mutex<State>,
}

struct State {
    is_available: bool,
    life: Life,
    /// With the thread whose each is, as Fluentd's are: from another one each of their parts would have to wait for that.
    idle: Vec<(Link, ThreadId)>,
}

/// When the server was heard of.
struct Life {
    last: Option<Instant>,
    gaps: VecDeque<f64>,
}

impl Node {
    /// A server that is believed to be there.
    pub fn new(name: String, (host, port): (String, u16), weight: i64, standby: bool, login: Login) -> Node {
        let certificate_name = match host.parse::<std::net::IpAddr>() {
            Ok(_) if name != format!("{host}:{port}") => name.clone(),
            _ => host.clone(),
        };
        let state = State { is_available: true, life: Life { last: None, gaps: VecDeque::new() }, idle: Vec::new() };
        Node { name, host, port, certificate_name, weight, standby, login, addresses: Addresses::default(), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is believed to be there.
    pub fn is_available(&self, options: &Options) -> bool {
        options.heartbeat == Heartbeat::None || self.state().is_available
    }

    /// Not to be used until it is heard of again.
    pub fn disable(&self) {
        self.state().is_available = false;
    }

    /// Sends a message, and waits for the ack where one is wanted.
    pub async fn send(&self, message: &[u8], chunk: &Chunk, options: &Options) -> Result<()> {
        let mut link = match self.idle_link(options) {
            Some(link) => link,
            None => self.connect(options).await?,
        };
        link.send(message, options.send_timeout).await?;
        if options.require_ack {
            let acked = link.ack(&chunk.id, options.ack_timeout).await;
            if let Err(why) = acked {
                self.disable();
                return Err(why);
            }
        }
        if options.keepalive {
            let mut state = self.state();
            if state.idle.len() >= IDLE_LINKS {
                state.idle.remove(0);
            }
            state.idle.push((link, std::thread::current().id()));
        } else {
            link.close().await;
        }
        Ok(())
    }

    /// A connection of this thread that is still open.
    fn idle_link(&self, options: &Options) -> Option<Link> {
        loop {
            let mut link = self.take_idle()?;
            let is_old = options.keepalive_timeout.is_some_and(|limit| link.age() > limit);
            if !is_old && link.is_open() {
                return Some(link);
            }
        }
    }

    fn take_idle(&self) -> Option<Link> {
        let here = std::thread::current().id();
        let idle = &mut self.state().idle;
        let at = idle.iter().rposition(|(_, thread)| *thread == here)?;
        Some(idle.remove(at).0)
    }

    async fn connect(&self, options: &Options) -> Result<Link> {
        let addresses = self.addresses.of(&self.host, self.port, options.expire_dns_cache).await?;
        let mut link = connect(addresses, &self.certificate_name, options).await?;
        if options.is_secure
            && let Err(why) = link.log_in(&self.login, options.send_timeout).await
        {
            crate::warning!("connection refused to {}: {why:#}", self.name);
            self.disable();
            return Err(why.context(format!("failed to establish connection with node {}", self.name)));
        }
        Ok(link)
    }

    /// Notes a sign of life; whether the server is back by that.
    pub fn note_life(&self, is_heartbeat: bool, options: &Options) -> bool {
        let mut state = self.state();
        state.life.add(Instant::now(), options.heartbeat_interval);
        let enough = state.life.gaps.len() as f64 > options.recover_samples;
        let is_back = is_heartbeat && !state.is_available && enough;
        if is_back {
            state.is_available = true;
            crate::warning!("recovered forwarding server '{}' host={:?} port={}", self.name, self.host, self.port);
        }
        is_back
    }

    /// Looks whether the server has been silent for too long; whether it is detached by that.
    fn look(&self, options: &Options) -> bool {
        let mut state = self.state();
        let now = Instant::now();
        let is_overdue = state.life.last.is_some_and(|last| now.duration_since(last) > options.hard_timeout);
        if !state.is_available {
            if is_overdue {
                state.life.clear();
            }
            return false;
        }
        let phi = if options.phi_detector { state.life.phi(now, options.heartbeat_interval) } else { 0.0 };
        if !is_overdue && phi <= options.phi_threshold {
            return false;
        }
        let why = if is_overdue { "hard_timeout=true".to_owned() } else { format!("phi={phi:.2} phi_threshold={}", options.phi_threshold) };
        crate::warning!("detached forwarding server '{}' host={:?} port={} {why}", self.name, self.host, self.port);
        state.is_available = false;
        state.life.clear();
        state.idle.clear();
        true
    }

    async fn heartbeat(&self, options: &Options) -> Result<()> {
        match options.heartbeat {
            Heartbeat::Udp => exchange_datagram(&self.addresses.of(&self.host, self.port, options.expire_dns_cache).await?).await,
            _ => {
                self.connect(options).await?.close().await;
                Ok(())
            }
        }
    }
}

/// Asks a server again and again whether it is there, as long as the output lives.
pub async fn beat(output: Weak<Inner>, number: usize) {
    let Some(interval) = output.upgrade().map(|inner| inner.options.heartbeat_interval) else { return };
    // The time from which a server that never answers is overdue.
    if let Some(inner) = output.upgrade() {
        inner.nodes[number].state().life.last = Some(Instant::now());
    }
    loop {
        tokio::time::sleep(interval).await;
        let Some(inner) = output.upgrade() else { return };
        let node = &inner.nodes[number];
        let beaten = timeout(BEAT_WAIT, node.heartbeat(&inner.options)).await;
        match beaten.context("no answer").and_then(|result| result) {
            Ok(()) => drop(node.note_life(true, &inner.options)),
            Err(why) => {
                crate::debug!("failed to send heartbeat packet host={:?} port={} error={:?}", node.host, node.port, format!("{why:#}"))
            }
        }
        node.look(&inner.options);
        inner.balance.refresh(&inner.nodes, &inner.options);
    }
}

impl Life {
    fn add(&mut self, now: Instant, interval: Duration) {
        let gap = match self.last {
            Some(last) if !self.gaps.is_empty() => now.duration_since(last).as_secs_f64(),
            _ => interval.as_secs_f64(),
        };
        self.gaps.push_back(gap);
        if self.gaps.len() > SAMPLES {
            self.gaps.pop_front();
        }
        self.last = Some(now);
    }

    /// How unlikely it is that the server is there and just late, as a power of ten; later gaps count for more.
    fn phi(&self, now: Instant, interval: Duration) -> f64 {
        let Some(last) = self.last.filter(|_| !self.gaps.is_empty()) else { return 0.0 };
        let (mut sum, mut weights) = (0.0, 0.0);
        for (at, gap) in self.gaps.iter().enumerate() {
            let weight = (at + 1) as f64;
            sum += gap * weight;
            weights += weight;
        }
        let beyond = |seconds: f64| seconds - interval.as_secs_f64() + 1.0;
        let mean = beyond(sum / weights).max(0.001);
        beyond(now.duration_since(last).as_secs_f64()) / mean / std::f64::consts::LN_10
    }

    fn clear(&mut self) {
        self.gaps.clear();
        self.last = None;
    }
}
