pub mod messages;
mod password_policy;
mod passwords;
