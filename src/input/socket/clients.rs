//! Who may send: the hosts and networks of a `<security>` section's `<client>` sections.

use crate::config::{Element, Refused};
use crate::net::resolve;
use crate::plugin::Context;
use std::net::IpAddr;

crate::section! {
    /// Who may send.
    pub struct SecurityParams {}
    sections { "client": some(ClientParams) }
}

crate::section! {
    /// Peers that may send: a host or a network.
    pub struct ClientParams {
        /// Their address or name.
        pub host: Option<String>,
        /// Their network, such as `10.0.0.0/8`.
        pub network: Option<String>,
    }
}

/// Who may send.
#[derive(Clone, Debug)]
pub struct Clients(Option<Vec<Client>>);

#[derive(Clone, Debug)]
enum Client {
    Host(String),
    Network(IpAddr, u8),
}

impl Clients {
    /// Everybody.
    pub const ALL: Clients = Clients(None);

    /// From the `<security>` section of an input, in Fluentd's words.
    // Fluentd: names are looked up once, when the configuration is read; here whenever somebody connects.
    pub fn read(element: &Element, context: &Context<'_>) -> Result<Clients, Refused> {
        let Some(section) = element.section("security") else { return Ok(Clients::ALL) };
        SecurityParams::read(section, context.diagnostics)?;
        let mut clients = Vec::new();
        for section in section.sections("client") {
            let params = ClientParams::read(section, context.diagnostics)?;
            let refuse = |message: String| context.refuse("FLM0671", section.span, message);
            clients.push(match (params.host, params.network) {
                (Some(_), Some(_)) => return Err(refuse("both of 'host' and 'network' are specified for client".to_owned())),
                (None, None) => return Err(refuse("Either of 'host' and 'network' must be specified for client".to_owned())),
                (Some(host), None) => Client::Host(host),
                (None, Some(text)) => {
                    let (address, bits) = network(&text).ok_or_else(|| refuse(format!("network '{text}' address format is invalid")))?;
                    Client::Network(address, bits)
                }
            });
        }
        Ok(Clients(Some(clients)))
    }

    /// Whether this peer may send.
    pub async fn admit(&self, peer: IpAddr) -> bool {
        let Some(clients) = &self.0 else { return true };
        for client in clients {
            let admitted = match client {
                Client::Network(address, bits) => is_within(peer, *address, *bits),
                Client::Host(host) => match host.parse::<IpAddr>() {
                    Ok(address) => address == peer,
                    Err(_) => resolve(host, 0).await.is_ok_and(|found| found.iter().any(|found| found.ip() == peer)),
                },
            };
            if admitted {
                return true;
            }
        }
        false
    }
}

/// An address with the number of bits that count; all of them where none is given.
fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().ok()?;
    let max = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        None => max,
        Some(bits) => match bits.parse::<u8>() {
            Ok(bits) => bits,
            // 255.255.0.0
            Err(_) => mask_bits(bits.parse().ok()?)?,
        },
    };
    (bits <= max).then_some((address, bits))
}

fn mask_bits(mask: std::net::Ipv4Addr) -> Option<u8> {
    let mask = u32::from(mask);
    (mask.leading_ones() + mask.trailing_zeros() == 32 || mask == 0).then_some(mask.leading_ones() as u8)
}

fn is_within(peer: IpAddr, network: IpAddr, bits: u8) -> bool {
    match (peer, network) {
        (IpAddr::V4(peer), IpAddr::V4(network)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            u32::from(peer) & mask == u32::from(network) & mask
        }
        (IpAddr::V6(peer), IpAddr::V6(network)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            u128::from(peer) & mask == u128::from(network) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_compared() {
        let within = |peer: &str, text: &str| {
            let (address, bits) = network(text).unwrap();
            is_within(peer.parse().unwrap(), address, bits)
        };
        assert!(within("10.1.2.3", "10.0.0.0/8") && !within("11.1.2.3", "10.0.0.0/8"));
        assert!(within("10.1.2.3", "10.1.0.0/255.255.0.0") && within("1.2.3.4", "0.0.0.0/0"));
        assert!(within("10.1.2.3", "10.1.2.3") && !within("10.1.2.4", "10.1.2.3"));
        assert!(within("fd00::1", "fd00::/16") && !within("::1", "fd00::/16") && !within("10.0.0.1", "::/0"));
        for wrong in ["", "10.0.0/8", "10.0.0.0/33", "::/129", "10.0.0.0/x", "10.0.0.0/255.0.255.0", "host"] {
            assert!(network(wrong).is_none(), "{wrong}");
        }
    }
}
