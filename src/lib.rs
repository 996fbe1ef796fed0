pub mod env;
pub mod mesh;
pub mod services;
pub mod storage;
pub mod types;
