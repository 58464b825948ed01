//! Host names to addresses without the C library, which a static binary has no resolver of.
//!
//! `/etc/hosts`, `/etc/resolv.conf` with its search domains, and the time to live of answers are honoured; both files are read again when
//! they change. Nothing is loaded before the first name: a daemon that needs no names pays for none.

use anyhow::{Context, Result, bail};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

/// The files that answers depend on.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];
/// Answers that are kept until their time is over: a daemon knows few hosts.
const CACHED_ANSWERS: u64 = 64;
/// Addresses of one name that are given back: more are never tried in turn.
const MAX_ADDRESSES: usize = 16;

/// How long the name of an address is waited for: events of a sender without one must not wait for it.
const NAME_WAIT: Duration = Duration::from_secs(5);

type Stamps = [Option<SystemTime>; FILES.len()];

static RESOLVER: Mutex<Option<(Stamps, TokioResolver)>> = Mutex::new(None);

/// The addresses of a host, IPv4 before IPv6, none twice; at least one. Literal addresses (`10.0.0.1`, `::1`, `[::1]`) stand for themselves.
pub async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>> {
    if let Some(address) = literal(host) {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let resolver = resolver()?;
    // An error of the connection, as the C library's would be.
    let found = resolver.lookup_ip(host).await.map_err(|error| io::Error::new(io::ErrorKind::NotFound, error));
    let found = found.with_context(|| format!("cannot resolve host name {host:?}"))?;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found.iter() {
        let address = SocketAddr::new(address, port);
        if !addresses.contains(&address) && addresses.len() < MAX_ADDRESSES {
            addresses.push(address);
        }
    }
    addresses.sort_by_key(SocketAddr::is_ipv6);
    if addresses.is_empty() {
        bail!("cannot resolve host name {host:?}: it has no address");
    }
    Ok(addresses)
}

/// As [`resolve`], without what is remembered of earlier answers.
pub async fn resolve_anew(host: &str, port: u16) -> Result<Vec<SocketAddr>> {
    if literal(host).is_none() {
        resolver()?.clear_cache();
    }
    resolve(host, port).await
}

/// The first address of a host, for a caller that cannot wait otherwise than by blocking; it may be on a runtime's thread.
pub fn resolve_now(host: &str) -> Result<IpAddr> {
    if let Some(address) = literal(host) {
        return Ok(address);
    }
    let name = host.to_owned();
    // A thread of its own, because on a runtime's thread nothing may block on another.
    let found = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(resolve(&name, 0))
    });
    match found.join() {
        Ok(addresses) => addresses?.first().map(SocketAddr::ip).with_context(|| format!("host name {host:?} has no address")),
        Err(_) => bail!("cannot resolve host name {host:?}"),
    }
}

/// The name of an address, without the dot at its end; `None` where there is none, or none is known in time.
pub async fn name_of(address: IpAddr) -> Option<String> {
    if let Some(name) = std::fs::read_to_string(FILES[1]).ok().and_then(|hosts| first_name(&hosts, address)) {
        return Some(name);
    }
    let resolver = resolver().ok()?;
    let found = tokio::time::timeout(NAME_WAIT, resolver.reverse_lookup(Name::from(address))).await.ok()?.ok()?;
    let name = found.answers().iter().find_map(|record| match &record.data {
        RData::PTR(name) => Some(name.to_utf8()),
        _ => None,
    })?;
    Some(name.trim_end_matches('.').to_owned())
}

/// The first name that a hosts file gives an address, as the C library reads it.
fn first_name(hosts: &str, address: IpAddr) -> Option<String> {
    hosts.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let found: IpAddr = words.next()?.parse().ok()?;
        words.next().filter(|_| found == address).map(str::to_owned)
    })
}

/// The address that this text is, brackets around IPv6 allowed.
fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

/// The resolver, made again when one of the files changed.
fn resolver() -> Result<TokioResolver> {
    let now = FILES.map(|path| std::fs::metadata(Path::new(path)).and_then(|meta| meta.modified()).ok());
    let mut slot = RESOLVER.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some((stamps, resolver)) = slot.as_ref()
        && *stamps == now
    {
        return Ok(resolver.clone());
    }
    let resolver = make()?;
    *slot = Some((now, resolver.clone()));
    Ok(resolver)
}

fn make() -> Result<TokioResolver> {
    let mut builder = TokioResolver::builder_tokio().unwrap_or_else(|_| {
        // Without a resolv.conf the C library asks this machine itself; `/etc/hosts` serves either way.
        let local = NameServerConfig::udp_and_tcp(IpAddr::V4(Ipv4Addr::LOCALHOST));
        TokioResolver::builder_with_config(ResolverConfig::from_parts(None, Vec::new(), vec![local]), TokioRuntimeProvider::default())
    });
    let options = builder.options_mut();
    options.use_hosts_file = ResolveHosts::Always;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.cache_size = CACHED_ANSWERS;
    builder.build().context("cannot set up name resolution")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(host: &str) -> Result<Vec<String>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(resolve(host, 80)).map(|all| all.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn addresses_stand_for_themselves() {
        assert_eq!(addresses("10.1.2.3").unwrap(), ["10.1.2.3:80"]);
        assert_eq!(addresses("::1").unwrap(), ["[::1]:80"]);
        assert_eq!(addresses("[fe80::2]").unwrap(), ["[fe80::2]:80"]);
    }

    #[test]
    fn localhost_is_found_without_asking_anybody() {
        assert!(addresses("localhost").unwrap().contains(&"127.0.0.1:80".to_owned()));
    }

    #[test]
    fn the_hosts_file_names_addresses() {
        let hosts = "# 10.0.0.1 no\n10.0.0.1\tone other # 10.0.0.2 no\n10.0.0.1 second\n::1 six\nbroken line\n10.0.0.3\n";
        let name = |address: &str| first_name(hosts, address.parse().unwrap());
        assert_eq!(name("10.0.0.1").as_deref(), Some("one"));
        assert_eq!(name("::1").as_deref(), Some("six"));
        assert_eq!((name("10.0.0.2"), name("10.0.0.3")), (None, None));
    }

    #[test]
    fn what_cannot_be_a_name_is_refused_by_name() {
        let error = addresses("no such host").unwrap_err();
        assert!(format!("{error:#}").contains("no such host"), "{error:#}");
    }
}
