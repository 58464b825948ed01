//! Sockets and what stands on them: the threads that serve connections, listeners, TLS, name resolution, HTTP on both sides.

pub mod http;
pub mod http_server;
mod listen;
mod loops;
mod network;
pub mod proxy;
pub mod query;
mod resolve;
mod stream;
pub mod tls;

pub use listen::{Listener, Peer, SocketOptions, bind_udp};
pub use loops::Loops;
pub use network::Network;
pub use resolve::{name_of, resolve, resolve_anew, resolve_now};
pub use stream::Stream;
