//! Sockets and what stands on them: the threads that serve connections, listeners, TLS, name resolution, the HTTP client.

pub mod http;
mod listen;
mod loops;
mod resolve;
pub mod tls;

pub use listen::{Listener, Peer, SocketOptions, Stream, bind_udp};
pub use loops::Loops;
pub use resolve::{name_of, resolve};
