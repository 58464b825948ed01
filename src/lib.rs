//! Flumen: a Fluentd-compatible log aggregator.

pub mod buffer;
pub mod config;
pub mod event;
pub mod filter;
pub mod formatter;
pub mod forward;
pub mod input;
pub mod log;
pub mod net;
pub mod output;
pub mod parser;
pub mod pipeline;
pub mod plugin;
pub mod regex;
