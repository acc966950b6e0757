//! `octopus settings`: what is set, and whether it can be used.

use serde_json::{Value, json};

use super::answer;
use crate::config::Config;

/// Prints every setting as it is in effect; reading them has checked them. A database's password is not shown.
pub(super) fn run(config: &Config, json: bool) {
    let settings = json!(config);
    answer(json, &settings, || {
        let all = settings.as_object().into_iter().flatten();
        all.map(|(name, value)| line(name, value)).collect::<Vec<_>>().join("\n")
    });
}

/// A line of a settings file: JSON's texts, numbers and lists read the same there.
fn line(name: &str, value: &Value) -> String {
    if value.is_null() { format!("# {name} is not set") } else { format!("{name} = {value}") }
}
