//! The shop as customers, operators and attackers use it. Every test starts the real program with
//! its own folder and port, and sends HTTP requests.

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

mod links;
mod logs;
mod metrics;
mod overload;
mod provider_faults;
mod recovery;
mod settings;
mod streams;
mod tls;
mod traces;
