//! The product from outside: one module a subject. Rule: a test speaks to the binary over its sockets, its command line
//! and its files, and to nothing else.

mod admission;
mod approvals;
mod auth;
mod bad_bodies;
mod bad_requests;
mod cancel;
mod command_line;
mod control;
mod data_move;
mod databases;
mod dead_letters;
mod definitions;
mod endpoint_auth;
mod engine_answers;
mod engine_crews;
mod engine_limits;
mod engine_tools;
mod forks;
mod http_tools;
mod idempotency;
mod logs;
mod notify;
mod offline;
mod production;
mod provider_faults;
mod provider_wire;
mod redis;
mod root_key;
mod schedules;
mod split;
mod streams;
mod submission;
mod surface;
mod tasks;
mod tenants;
mod traces;
mod webhooks;
mod websocket;

mod stage;
