//! Fields from text with Ruby in it; each sees what the ones before it have set.

use super::Failure;
use crate::config::{Element, Refused, Span};
use crate::event::{Event, Scope, Tag, Value as EventValue, intern};
use crate::plugin::Context;
use crate::ruby::{Environment, Kept, Moment, Program, Raised, Value, from_event, from_record, to_event, to_fields};
use std::sync::{Mutex, PoisonError};

/// The variables that code can use.
const GIVEN: &[&str] = &["tag", "time", "record", "tag_parts"];

enum Made {
    Constant(&'static str),
    /// Code, and the place of its instance variables.
    Code(Box<Program>),
    Nil,
}

/// The fields to set.
pub struct Expander {
    fields: Vec<(&'static str, Made)>,
    environment: Environment,
    /// For each field its own instance variables, as the original has them.
    kept: Mutex<Vec<Vec<Kept>>>,
    has_code: bool,
}

impl Expander {
    /// Reads the fields and runs `prepare` for each of them.
    pub fn new(
        map: &[(String, Option<String>)],
        prepare: Option<&str>,
        place: Span,
        element: &Element,
        context: &Context<'_>,
    ) -> Result<Expander, Refused> {
        let environment = Environment::of_process();
        let syntax = |key: &str, value: &str, why: String| format!("Pass invalid syntax parameter : key = {key}, value = {value}: {why}");
        let prepare_text = prepare.unwrap_or("nil");
        let prepared = Program::new(prepare_text, GIVEN, &[])
            .map_err(|why| context.refuse("FLM0464", place, syntax("prepare_value", prepare_text, why.to_string())))?;
        let names = prepared.instance().to_vec();
        let mut fields = Vec::with_capacity(map.len());
        let mut kept = Vec::with_capacity(map.len());
        for (key, text) in map {
            let made = match text {
                None => Made::Nil,
                Some(text) if !text.contains("${") => Made::Constant(intern(text)),
                Some(text) => {
                    let program = program(text, &names).map_err(|why| context.refuse("FLM0465", element.span, syntax(key, text, why)))?;
                    Made::Code(Box::new(program))
                }
            };
            let (result, variables) = prepared.run_with(&environment, &vec![Value::Nil; GIVEN.len()], Vec::new());
            if let Err(why) = result {
                return Err(context.refuse("FLM0466", place, format!("prepare_value: {why}")));
            }
            let variables: Option<Vec<Kept>> = variables.iter().map(Kept::of).collect();
            let unkept = || {
                context.refuse(
                    "FLM0467",
                    place,
                    "prepare_value makes a value that cannot be kept from event to event: expected numbers, strings, arrays and hashes",
                )
            };
            kept.push(variables.ok_or_else(unkept)?);
            fields.push((intern(key), made));
        }
        let has_code = fields.iter().any(|(_, made)| matches!(made, Made::Code(_)));
        Ok(Expander { fields, environment, kept: Mutex::new(kept), has_code })
    }

    /// Whether no event leaves anything behind for the next one: code may, in its instance variables.
    pub fn is_stateless(&self) -> bool {
        !self.has_code
    }

    /// Begins the work on a batch.
    pub fn start(&self, tag: &Tag) -> Run<'_> {
        let parts = Value::list(tag.parts().into_iter().map(Value::text).collect());
        Run { expander: self, given: vec![Value::text(tag.as_str()), Value::Nil, Value::Nil, parts] }
    }
}

/// One `${...}` alone is code; anything else is the inside of a string in double quotes.
fn program(text: &str, instance: &[String]) -> Result<Program, String> {
    let alone = text.matches("${").count() == 1 && text.starts_with("${") && text.ends_with('}');
    let program = if alone {
        Program::new(&text[2..text.len() - 1], GIVEN, instance)
    } else {
        Program::of_string(&text.replace("${", "#{"), None, b'"', GIVEN, instance)
    };
    program.map_err(|why| why.to_string())
}

/// The work on one batch.
pub struct Run<'e> {
    expander: &'e Expander,
    given: Vec<Value>,
}

impl Run<'_> {
    /// Sets the fields of one event, in order.
    pub fn set_fields<'a>(&mut self, scope: &Scope<'a>, event: &mut Event<'a>) -> Result<(), Failure> {
        let expander = self.expander;
        if !expander.has_code {
            for (key, made) in &expander.fields {
                let value = if let Made::Constant(text) = made { EventValue::Str(text.as_bytes()) } else { EventValue::Nil };
                event.record.set(key.as_bytes(), value);
            }
            return Ok(());
        }
        self.given[1] = Value::time(Moment::event(event.time));
        let record = from_record(event.record.fields());
        self.given[2] = record.clone();
        let Value::Hash(hash) = &record else { return Ok(()) };
        let mut result = Ok(());
        for (at, (key, made)) in expander.fields.iter().enumerate() {
            let value = match made {
                Made::Constant(text) => Value::text(*text),
                Made::Nil => Value::Nil,
                Made::Code(program) => match self.run(program, at) {
                    Ok(value) => value,
                    Err(failure) => {
                        result = Err(failure);
                        break;
                    }
                },
            };
            // A value that is the record itself would make it hold itself.
            let value = if value.holds(&record) { from_event(&to_event(&value, scope.bump())) } else { value };
            hash.borrow_mut().set(Value::text(*key), value);
        }
        event.record = crate::event::Record::from_vec(to_fields(&hash.borrow(), scope.bump()));
        result
    }

    /// The first value for one event, without setting anything; `None` where the tag alone decides.
    pub fn first<'a>(&mut self, scope: &Scope<'a>, event: Option<&Event<'a>>) -> Result<EventValue<'a>, Failure> {
        match self.expander.fields.first() {
            Some((_, Made::Constant(text))) => Ok(EventValue::Str(text.as_bytes())),
            Some((_, Made::Code(program))) => {
                if let Some(event) = event {
                    self.given[1] = Value::time(Moment::event(event.time));
                    self.given[2] = from_record(event.record.fields());
                }
                self.run(program, 0).map(|value| to_event(&value, scope.bump()))
            }
            Some((_, Made::Nil)) | None => Ok(EventValue::Nil),
        }
    }

    fn run(&self, program: &Program, at: usize) -> Result<Value, Failure> {
        let expander = self.expander;
        let stateful = !program.instance().is_empty();
        let instance = if stateful {
            let kept = expander.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.get(at).map_or(Vec::new(), |variables| variables.iter().map(Kept::value).collect())
        } else {
            Vec::new()
        };
        let (result, after) = program.run_with(&expander.environment, &self.given, instance);
        if stateful {
            let after: Vec<Kept> = after.iter().map(|value| Kept::of(value).unwrap_or(Kept::Nil)).collect();
            let mut kept = expander.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(slot) = kept.get_mut(at).filter(|slot| **slot != after) {
                *slot = after;
            }
        }
        result.map_err(|raised| match raised {
            Raised::Error(error) => Failure { class: class(&error.class), message: error.message.clone() },
            other => Failure { class: "NameError", message: other.to_string() },
        })
    }
}

/// The class as a name that lives long enough.
fn class(name: &str) -> &'static str {
    const KNOWN: &[&str] =
        &["NoMethodError", "NameError", "TypeError", "ArgumentError", "KeyError", "IndexError", "ZeroDivisionError", "JSON::ParserError"];
    KNOWN.iter().find(|known| **known == name).copied().unwrap_or("RuntimeError")
}
