pub mod env;
pub mod gateway;
pub mod lab;
pub mod mesh;
pub mod services;
pub mod storage;
pub mod telemetry;
pub mod types;
