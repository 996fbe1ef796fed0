//! Tests of what holds for all services: the graph of calls, access to requests, and their
//! encoding.

mod access;
mod call_graph;
mod messages_round_trip;
