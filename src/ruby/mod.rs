//! A part of Ruby, evaluated without Ruby: what configurations embed in `"#{...}"` and records transform by `${...}`.
//!
//! Code is read once into a [`Program`] and run any number of times, each time within a bound on its work. What Ruby would raise is an
//! error with Ruby's words; what Ruby has and this room has not is an error that says so. Nothing here writes to files, opens sockets
//! or changes the process.

mod ast;
mod constants;
mod convert;
mod environment;
mod files;
mod format;
mod hash;
mod json;
mod kept;
mod kernel;
mod machine;
mod methods;
mod moment;
mod parse;
mod regexp;
mod show;
mod strftime;
mod time_parse;
mod uri;
mod value;

pub use convert::{from_event, from_record, to_event, to_fields};
pub use environment::Environment;
pub use hash::Hash;
pub use kept::Kept;
pub use moment::{Moment, Zone};
pub use parse::SyntaxError;
pub use value::{Error, Raised, Value};

use machine::Machine;

/// Values within one another deeper than this are not followed.
const MAX_NESTING: usize = 64;

/// Code that can be run.
#[derive(Debug)]
pub struct Program {
    code: parse::Code,
}

impl Program {
    /// Reads code. `given` names the variables whose values every run gets; `instance` the instance variables that exist already.
    pub fn new(code: &str, given: &[&str], instance: &[String]) -> Result<Program, SyntaxError> {
        parse::program(code, given, instance).map(|code| Program { code })
    }

    /// Reads text with `#{...}` in it, as between quotes that end with `close` (whose counterpart, if there is one, is `open`).
    pub fn of_string(text: &str, open: Option<u8>, close: u8, given: &[&str], instance: &[String]) -> Result<Program, SyntaxError> {
        parse::string(text, open, close, given, instance).map(|code| Program { code })
    }

    /// The text that every run gives, where the code is only that.
    pub fn constant(&self) -> Option<&[u8]> {
        match &self.code.body {
            ast::Node::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The names of all instance variables, those given included.
    pub fn instance(&self) -> &[String] {
        &self.code.instance
    }

    /// Runs the code with these values of the given variables.
    pub fn run(&self, environment: &Environment, given: &[Value]) -> Result<Value, Raised> {
        self.run_with(environment, given, Vec::new()).0
    }

    /// Runs the code with values of instance variables too, and gives back what has become of them.
    pub fn run_with(&self, environment: &Environment, given: &[Value], instance: Vec<Value>) -> (Result<Value, Raised>, Vec<Value>) {
        let mut frame = Vec::with_capacity(self.code.slots);
        frame.extend_from_slice(given);
        frame.resize(self.code.slots, Value::Nil);
        let mut machine = Machine::new(environment, frame, instance);
        let result = match machine.eval(&self.code.body) {
            Err(Raised::Break(value) | Raised::Next(value) | Raised::Return(value)) => Ok(value),
            other => other,
        };
        (result, machine.instance)
    }
}

impl Value {
    /// What `to_s` gives, as interpolation inserts it.
    pub fn to_text(&self) -> String {
        let mut out = Vec::new();
        show::to_s(self, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// What `inspect` gives.
    pub fn inspect(&self) -> String {
        let mut out = Vec::new();
        show::inspect(self, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }
}

impl std::fmt::Display for Raised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Raised::Error(error) => write!(f, "{} ({})", error.message, error.class),
            Raised::UseNil => f.write_str("undefined local variable or method `use_nil' for main:Object (NameError)"),
            Raised::UseDefault => f.write_str("undefined local variable or method `use_default' for main:Object (NameError)"),
            Raised::Break(_) | Raised::Next(_) | Raised::Return(_) => f.write_str("unexpected jump (LocalJumpError)"),
        }
    }
}

/// `gsub`: all matches replaced; `\\1` in `with` is the first group.
pub fn gsub(pattern: &crate::regex::Regex, text: &[u8], with: &[u8]) -> Vec<u8> {
    methods::gsub(pattern, text, with)
}

/// The place of the `}` that ends the code starting at `start`: the first at which what is before it can be read.
pub fn code_end(text: &str, start: usize) -> Option<usize> {
    /// Brackets that are tried: code with more is not written by people, and each try reads all before it.
    const TRIES: usize = 100;
    let rest = text.get(start..)?;
    let ends = rest.bytes().enumerate().filter(|(_, byte)| *byte == b'}').map(|(at, _)| at).take(TRIES);
    for end in ends {
        if Program::new(&rest[..end], &[], &[]).is_ok() {
            return Some(start + end);
        }
    }
    None
}

#[cfg(test)]
mod tests;
