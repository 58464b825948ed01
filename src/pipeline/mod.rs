//! From a configuration to a running graph.

pub mod delivery;
