//! The Ruby that is embedded in configurations, with the names that Fluentd gives it.

use crate::ruby::{Program, Raised};

pub use crate::ruby::{Environment, code_end};

/// What became of one `#{...}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text, as `to_s` gives it; empty for nil.
    Text(String),
    /// `use_nil` was reached: the whole parameter is nil.
    UseNil,
    /// `use_default` was reached: the whole parameter has its default.
    UseDefault,
}

impl Value {
    /// The text to put in the place of the code.
    pub fn to_text(&self) -> String {
        match self {
            Value::Text(text) => text.clone(),
            Value::UseNil | Value::UseDefault => String::new(),
        }
    }
}

/// Evaluates the inside of one `#{...}`. The error says what cannot be evaluated, in Ruby's words where Ruby would raise.
pub fn evaluate(code: &str, environment: &Environment) -> Result<Value, String> {
    let program = Program::new(code, &["hostname", "worker_id"], &[]).map_err(|error| error.to_string())?;
    let text = |text: &str| crate::ruby::Value::text(text);
    match program.run(environment, &[text(&environment.hostname), text(&environment.worker_id)]) {
        Ok(value) => Ok(Value::Text(value.to_text())),
        Err(Raised::UseNil) => Ok(Value::UseNil),
        Err(Raised::UseDefault) => Ok(Value::UseDefault),
        Err(other) => Err(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
