//! Fields from Ruby: `${...}` holds code, read once and run for each event.

use super::template::{Field, Fixed};
use crate::config::{Refused, Span};
use crate::event::{Event, Record, Scope, Tag, Value as EventValue, intern};
use crate::modifier::Failure;
use crate::plugin::Context;
use crate::ruby::{Environment, Moment, Program, Raised, Value, from_record, to_event, to_fields};
use bumpalo::Bump;

/// The variables that code can use.
const GIVEN: &[&str] = &["tag", "time", "record", "tag_parts", "tag_prefix", "tag_suffix", "hostname"];
/// What code that changes the record in place has in it. Other code leaves the record as it came, and it need not be made anew.
const CHANGES: &[&str] = &[
    "=", "<<", "!", "delete", "store", "update", "concat", "push", "insert", "prepend", "replace", "clear", "shift", "pop", "append",
    "_if", "send", "fill",
];

/// A value to be made.
enum Made {
    Constant(&'static str),
    /// Code, and its text for messages.
    Code(Box<Program>, String),
    /// Code that could not be read: every event is rejected with this.
    Broken(String),
    List(Vec<Made>),
    Map(Vec<(Made, Made)>),
    Fixed(Fixed),
}

/// The fields to set.
pub(super) struct RubyFields {
    fields: Vec<(Made, Made)>,
    environment: Environment,
    changes: bool,
}

impl RubyFields {
    pub(super) fn new(map: &[(String, Field)], typecast: bool, context: &Context<'_>) -> Result<RubyFields, Refused> {
        let mut reader = Reader { typecast, context, changes: false };
        let mut fields = Vec::with_capacity(map.len());
        let mut result = Ok(());
        for (key, field) in map {
            match (reader.text(key, true), reader.field(field)) {
                (Ok(key), Ok(value)) => fields.push((key, value)),
                _ => result = Err(Refused),
            }
        }
        result.map(|()| RubyFields { fields, environment: Environment::of_process(), changes: reader.changes })
    }

    /// Begins the work on a batch.
    pub(super) fn start(&self, tag: &Tag) -> Run<'_> {
        let parts = tag.parts();
        let text = |part: &str| Value::text(part);
        let prefix = (0..parts.len()).map(|at| Value::text(parts[..=at].join("."))).collect();
        let suffix = (0..parts.len()).map(|at| Value::text(parts[at..].join("."))).collect();
        let given = vec![
            text(tag),
            Value::Nil,
            Value::Nil,
            Value::list(parts.iter().map(|part| text(part)).collect()),
            Value::list(prefix),
            Value::list(suffix),
            text(&self.environment.hostname),
        ];
        Run { fields: self, given }
    }
}

struct Reader<'r> {
    typecast: bool,
    context: &'r Context<'r>,
    changes: bool,
}

impl Reader<'_> {
    fn field(&mut self, field: &Field) -> Result<Made, Refused> {
        Ok(match field {
            Field::Text(text) => self.text(text, false)?,
            Field::List(items) => Made::List(items.iter().map(|item| self.field(item)).collect::<Result<_, _>>()?),
            Field::Map(pairs) => {
                let mut made = Vec::with_capacity(pairs.len());
                for (key, field) in pairs {
                    made.push((self.text(key, true)?, self.field(field)?));
                }
                Made::Map(made)
            }
            Field::Fixed(fixed) => Made::Fixed(fixed.clone()),
        })
    }

    /// One `${...}` alone is code; anything else is the inside of `%Q[...]`, where backslashes escape too.
    fn text(&mut self, text: &str, key: bool) -> Result<Made, Refused> {
        let alone = self.typecast && !key && text.matches("${").count() == 1 && text.starts_with("${") && text.ends_with('}');
        let (program, shown) = if alone {
            let code = &text[2..text.len() - 1];
            (Program::new(code, GIVEN, &[]), code.to_owned())
        } else {
            let inside = text.replace("${", "#{");
            (Program::of_string(&inside, Some(b'['), b']', GIVEN, &[]), format!("%Q[{inside}]"))
        };
        match program {
            Ok(program) => {
                if let Some(constant) = program.constant().and_then(|constant| std::str::from_utf8(constant).ok())
                    && !alone
                {
                    return Ok(Made::Constant(intern(constant)));
                }
                self.changes |= CHANGES.iter().any(|word| shown.contains(word));
                Ok(Made::Code(Box::new(program), shown))
            }
            Err(why) if why.unsupported => Err(self.context.refuse("FLM0444", Span::default(), format!("`{shown}`: {why}"))),
            Err(why) => {
                // Fluentd: the code is read when the first event comes, and then the error ends the input.
                crate::warning!(
                    "code that cannot be read; every event that reaches it goes to @ERROR: code=`{shown}` error={:?}",
                    why.to_string()
                );
                Ok(Made::Broken(format!("failed to expand `{shown}` : error = {why}")))
            }
        }
    }
}

/// The work on one batch.
pub(super) struct Run<'s> {
    fields: &'s RubyFields,
    given: Vec<Value>,
}

impl Run<'_> {
    /// Sets the fields of one event. All code of an event shares its record, and sees what other code has done to it.
    pub(super) fn set_fields<'a>(&mut self, scope: &Scope<'a>, event: &Event<'a>, record: &mut Record<'a>) -> Result<(), Failure> {
        let bump = scope.bump();
        self.given[1] = Value::time(Moment::local(event.time));
        self.given[2] = from_record(event.record.fields());
        // What is within the old fields is shared with the new record; the fields themselves are not.
        let before = match (&self.given[2], self.fields.changes) {
            (Value::Hash(hash), true) => Some(hash.borrow().clone()),
            _ => None,
        };
        let mut made = Vec::with_capacity(self.fields.fields.len());
        for (key, value) in &self.fields.fields {
            made.push((self.value(key, bump)?, self.value(value, bump)?));
        }
        if let Some(before) = before {
            for (key, value) in to_fields(&before, bump) {
                if let Some((_, place)) = record.fields_mut().iter_mut().find(|(known, _)| *known == key) {
                    *place = value;
                }
            }
        }
        for (key, value) in made {
            match key {
                EventValue::Str(key) => record.set(key, value),
                key => record.set_value(key, value),
            }
        }
        Ok(())
    }

    fn value<'a>(&self, made: &Made, bump: &'a Bump) -> Result<EventValue<'a>, Failure> {
        Ok(match made {
            Made::Constant(text) => EventValue::Str(text.as_bytes()),
            Made::Fixed(fixed) => fixed.value(bump),
            Made::Broken(why) => return Err(Failure { class: "SyntaxError", message: why.clone() }),
            Made::Code(program, shown) => match program.run(&self.fields.environment, &self.given) {
                Ok(value) => to_event(&value, bump),
                Err(raised) => {
                    let why = match &raised {
                        Raised::Error(error) => error.message.clone(),
                        other => other.to_string(),
                    };
                    return Err(Failure { class: "RuntimeError", message: format!("failed to expand `{shown}` : error = {why}") });
                }
            },
            Made::List(items) => {
                let mut values = bumpalo::collections::Vec::with_capacity_in(items.len(), bump);
                for item in items {
                    values.push(self.value(item, bump)?);
                }
                EventValue::Array(values.into_bump_slice())
            }
            Made::Map(pairs) => {
                let mut record = Record::with_capacity(bump, pairs.len());
                for (key, value) in pairs {
                    record.set_value(self.value(key, bump)?, self.value(value, bump)?);
                }
                record.to_value(bump)
            }
        })
    }
}
