//! Whose turn it is: servers by weight, in an order that is mixed once; those that stand by, when others are gone.

use super::node::Node;
use super::settings::Options;
use crate::buffer::random;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many turns at least for each server, that those of one are not all in a row.
const TURNS_A_SERVER: usize = 6;
/// Turns in all: weights whose only common divisor is one must not make a long list.
const MAX_TURNS: usize = 10_000;

/// The turns.
pub struct Balance {
    turns: Mutex<Turns>,
}

#[derive(Default)]
struct Turns {
    order: Vec<usize>,
    at: usize,
    /// Which servers were there when the order was made.
    available: Vec<bool>,
}

impl Balance {
    /// With all servers there.
    pub fn new(nodes: &[Arc<Node>]) -> Balance {
        let balance = Balance { turns: Mutex::default() };
        balance.lock().arrange(nodes, vec![true; nodes.len()]);
        balance
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many turns there are.
    pub fn len(&self) -> usize {
        self.lock().order.len()
    }

    /// The server whose turn it is.
    pub fn next(&self) -> Option<usize> {
        let mut turns = self.lock();
        let number = turns.order.get(turns.at).or(turns.order.first()).copied()?;
        turns.at = (turns.at + 1) % turns.order.len();
        Some(number)
    }

    /// Makes the order anew, if servers have gone or come back.
    pub fn refresh(&self, nodes: &[Arc<Node>], options: &Options) {
        let available: Vec<bool> = nodes.iter().map(|node| node.is_available(options)).collect();
        let mut turns = self.lock();
        if turns.available != available {
            turns.arrange(nodes, available);
        }
    }
}

impl Turns {
    fn arrange(&mut self, nodes: &[Arc<Node>], available: Vec<bool>) {
        let weighty = |standby: bool| (0..nodes.len()).filter(move |at| nodes[*at].weight > 0 && nodes[*at].standby == standby);
        let mut chosen: Vec<usize> = weighty(false).collect();
        let mut lost: i64 = chosen.iter().filter(|at| !available[**at]).map(|at| nodes[*at].weight).sum();
        for at in weighty(true).filter(|at| available[*at]) {
            if lost <= 0 {
                break;
            }
            crate::warning!("using standby node {}:{} weight={}", nodes[at].host, nodes[at].port, nodes[at].weight);
            lost -= nodes[at].weight;
            chosen.push(at);
        }
        if !chosen.iter().any(|at| available[*at]) {
            crate::warning!("No nodes are available");
        }
        let divisor = chosen.iter().fold(0, |divisor, at| gcd(divisor, nodes[*at].weight)).max(1);
        let mut order: Vec<usize> = Vec::new();
        for at in &chosen {
            let count = usize::try_from(nodes[*at].weight / divisor).unwrap_or(1).min(MAX_TURNS / chosen.len().max(1)).max(1);
            order.extend(std::iter::repeat_n(*at, count));
        }
        let again = (chosen.len() * TURNS_A_SERVER).checked_div(order.len()).unwrap_or(1).max(1);
        order = order.repeat(again);
        // Mixed, so that other senders do not go from server to server in step with this one.
        for at in (1..order.len()).rev() {
            order.swap(at, (random() % (at as u64 + 1)) as usize);
        }
        *self = Turns { order, at: 0, available };
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
