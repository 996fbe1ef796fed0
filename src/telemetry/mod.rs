//! What is told about the running shop: log lines and trace ids. (Metrics and spans join them here.)

pub mod logs;
pub mod trace;
