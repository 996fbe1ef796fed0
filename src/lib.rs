pub mod env;
pub mod storage;
pub mod types;
