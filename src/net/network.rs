//! Networks of addresses, as configurations write them: `192.168.0.0/16`, `10.0.0.0/255.0.0.0`, `2001:db8::/32`, or one address.

use std::net::IpAddr;

/// A network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Reads one; `None` where it is none.
    pub fn parse(text: &str) -> Option<Network> {
        let (address, mask) = match text.split_once('/') {
            Some((address, mask)) => (address, Some(mask)),
            None => (text, None),
        };
        let address: IpAddr = address.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match mask {
            None => most,
            Some(mask) => match mask.parse::<u32>() {
                Ok(bits) => bits,
                Err(_) => ones(mask.parse().ok()?, address.is_ipv4())?,
            },
        };
        (bits <= most).then_some(Network { address, bits })
    }

    /// One address.
    pub fn of(address: IpAddr) -> Network {
        Network { address, bits: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// Whether an address is in it; an IPv4 address in IPv6 form counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                u32::from(ours).checked_shr(32 - self.bits) == u32::from(theirs).checked_shr(32 - self.bits)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                u128::from(ours).checked_shr(128 - self.bits) == u128::from(theirs).checked_shr(128 - self.bits)
            }
            _ => false,
        }
    }
}

/// The length of a mask that is written as an address; ones only at its start.
fn ones(mask: IpAddr, is_ipv4: bool) -> Option<u32> {
    let (ones, all) = match mask {
        IpAddr::V4(mask) if is_ipv4 => (u32::from(mask).leading_ones(), u32::from(mask).count_ones()),
        IpAddr::V6(mask) if !is_ipv4 => (u128::from(mask).leading_ones(), u128::from(mask).count_ones()),
        _ => return None,
    };
    (ones == all).then_some(ones)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses_and_no_others() {
        let holds = |network: &str, address: &str| Network::parse(network).unwrap().contains(address.parse().unwrap());
        assert!(holds("10.1.0.0/16", "10.1.255.3") && !holds("10.1.0.0/16", "10.2.0.0"));
        assert!(holds("10.1.0.0/255.255.0.0", "10.1.2.3") && !holds("10.1.0.0/255.255.0.0", "10.0.2.3"));
        assert!(holds("127.0.0.1", "127.0.0.1") && !holds("127.0.0.1", "127.0.0.2"));
        assert!(holds("0.0.0.0/0", "8.8.8.8") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("2001:db8::/32", "2001:db8:1::1") && !holds("2001:db8::/32", "2001:db9::1"));
        assert!(holds("::/0", "::1") && holds("10.0.0.0/8", "::ffff:10.1.1.1"));
        for wrong in ["", "10.0.0.0/33", "10.0.0.0/255.0.255.0", "10.0.0/8", "name/8", "::/129", "10.0.0.0/ffff::"] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }
}
