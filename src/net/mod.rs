//! Sockets and what stands on them: the threads that serve connections, listeners, TLS, name resolution, the HTTP client.

pub mod http;
mod loops;
mod resolve;
pub mod tls;

pub use loops::Loops;
pub use resolve::resolve;
