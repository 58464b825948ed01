//! Sockets and what stands on them: the threads that serve connections, listeners, TLS, name resolution, the HTTP client.

mod loops;

pub use loops::Loops;
