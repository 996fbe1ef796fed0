pub mod messages;
mod password_policy;
mod passwords;
mod rules;
mod tokens;
