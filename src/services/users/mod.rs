pub mod messages;
mod password_policy;
mod passwords;
mod rules;
mod store;
mod tokens;
