//! The integration tests: they drive the built `flumen` from outside, by its configuration, its sockets and what it prints.
//!
//! One binary for all of them, so that there is one link step. Unit tests live beside the code they test, not here.

mod access;
mod allocations;
mod backpressure;
mod buffer_tool;
mod cases;
mod cat;
mod check;
mod check_speed;
mod cli;
mod convert;
mod corpus;
mod crash;
mod docker;
mod durable;
mod exec;
mod fmt;
mod harness;
mod held;
mod hostile;
mod http_input;
mod image;
mod letters;
mod licences;
mod lifecycle;
mod lsp;
mod lsp_hostile;
mod manual;
mod patterns;
mod picture;
mod reload;
mod replay;
mod routing;
mod search_node;
mod secondary;
mod send_forward;
mod send_http;
mod slow;
mod sockets;
mod support;
mod tail;
mod take_over;
mod tidy;
mod trouble;
mod watched;
