//! The shop as its customers, its operator and its enemies meet it: every test starts the real program on a folder and a
//! port of its own, and speaks HTTP with it.

mod access;
mod analytics;
mod bad_input;
mod caching;
mod chaos;
mod command_line;
mod concurrency;
mod connections;
mod contract;
mod controls;
mod crash_points;
mod data_folder;
mod files;
mod filters;
mod graceful;
mod harness;
mod journeys;
mod kills;
mod link_faults;
mod links;
mod logs;
mod metrics;
mod overload;
mod recovery;
mod settings;
mod streams;
mod tls;
mod traces;
