//! Every promise, through real sockets; one binary, one module a topic.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a helper of a test that fails should fail the test"
)]

mod abandoned;
mod assistant;
mod assistants;
mod auth;
mod busy;
mod changes;
mod checkpoints;
mod command_line;
mod compiled;
mod conversations;
mod cost;
mod crash;
mod documents;
mod executor;
mod fast_path;
mod graceful;
mod health;
mod histories;
mod http;
mod idempotency;
mod input;
mod isolation;
mod leases;
mod log_lines;
mod network;
mod organise;
mod outage;
mod pages;
mod pagination;
mod parts;
mod progress;
mod queue;
mod replies;
mod reply_requests;
mod rest;
mod room;
mod search;
mod servers;
mod signals;
mod simultaneous;
mod snapshots;
mod support;
mod tree;
mod usage;
mod validation;
