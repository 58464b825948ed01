//! Ruby's values during a run. Strings, arrays and hashes are shared and changeable, as in Ruby: `record["a"] << "x"` changes the record.

use super::ast::Block;
use super::hash::Hash;
use super::moment::Moment;
use super::regexp::{MatchData, Regexp};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

/// Values that are looked at for a ring: parts that are shared again and again would take for ever.
const MAX_LOOKED_AT: usize = 10_000;

/// Text that may be changed in place; nearly always UTF-8.
pub type Text = Rc<RefCell<Vec<u8>>>;
/// An array that may be changed in place.
pub type List = Rc<RefCell<Vec<Value>>>;

/// A value.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// `nil`.
    #[default]
    Nil,
    /// `true`, `false`.
    Bool(bool),
    /// An integer; what does not fit is an error.
    Int(i128),
    /// A float.
    Float(f64),
    /// A string.
    Str(Text),
    /// A symbol.
    Sym(Rc<str>),
    /// An array.
    Array(List),
    /// A hash.
    Hash(Rc<RefCell<Hash>>),
    /// A range.
    Range(Rc<Range>),
    /// A regular expression.
    Regexp(Arc<Regexp>),
    /// What a regular expression matched.
    Match(Rc<MatchData>),
    /// A time, a date, or an event's time.
    Time(Rc<Cell<Moment>>),
    /// A class or module, by its name.
    Const(Rc<str>),
    /// A block, lambda or `:name.to_proc`.
    Proc(Callable),
    /// What `each_with_index` and its like give without a block: items still to be walked.
    Enumerator(Rc<Vec<Value>>),
    /// An exception.
    Error(Rc<Error>),
    /// A parsed URI.
    Uri(Rc<super::uri::Uri>),
    /// A msgpack extension of the record: passed on as it is.
    Ext(i8, Rc<[u8]>),
}

/// What a block argument can be.
#[derive(Clone, Debug)]
pub enum Callable {
    /// Code of the program.
    Block(Arc<BlockCode>),
    /// `&:name`.
    Name(Rc<str>),
}

/// A block's code, kept out of sight.
#[derive(Debug)]
pub struct BlockCode(pub(super) Arc<Block>);

/// `from..to`.
#[derive(Clone, Debug)]
pub struct Range {
    /// The first; nil where there is none.
    pub from: Value,
    /// The last; nil where there is none.
    pub to: Value,
    /// `...`.
    pub exclusive: bool,
}

/// An exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Its class.
    pub class: String,
    /// Its message.
    pub message: String,
}

/// Why a run did not come to its end in the ordinary way.
#[derive(Clone, Debug)]
pub enum Raised {
    /// An exception.
    Error(Rc<Error>),
    /// `use_nil`.
    UseNil,
    /// `use_default`.
    UseDefault,
    /// `break` within a block.
    Break(Value),
    /// `next` within a block.
    Next(Value),
    /// `return`.
    Return(Value),
}

/// The result of whatever may raise.
pub type Outcome<T> = Result<T, Raised>;

/// An exception to return with `Err`.
pub fn raised(class: &str, message: impl Into<String>) -> Raised {
    Raised::Error(Rc::new(Error { class: class.to_owned(), message: message.into() }))
}

/// `TypeError`, with this message.
pub fn type_error<T>(message: impl Into<String>) -> Outcome<T> {
    Err(raised("TypeError", message))
}

/// `ArgumentError`, with this message.
pub fn argument_error<T>(message: impl Into<String>) -> Outcome<T> {
    Err(raised("ArgumentError", message))
}

impl Value {
    /// A new string.
    pub fn text(text: impl Into<Vec<u8>>) -> Value {
        Value::Str(Rc::new(RefCell::new(text.into())))
    }

    /// A new symbol.
    pub fn symbol(name: &str) -> Value {
        Value::Sym(Rc::from(name))
    }

    /// A new array.
    pub fn list(items: Vec<Value>) -> Value {
        Value::Array(Rc::new(RefCell::new(items)))
    }

    /// A new hash.
    pub fn hash(hash: Hash) -> Value {
        Value::Hash(Rc::new(RefCell::new(hash)))
    }

    /// A new time.
    pub fn time(moment: Moment) -> Value {
        Value::Time(Rc::new(Cell::new(moment)))
    }

    /// An integer of any of Rust's types.
    pub fn int(number: impl TryInto<i128>) -> Value {
        number.try_into().map_or(Value::Nil, Value::Int)
    }

    /// Everything but nil and false.
    pub fn truthy(&self) -> bool {
        !matches!(self, Value::Nil | Value::Bool(false))
    }

    /// Whether this is nil.
    pub fn is_nil(&self) -> bool {
        matches!(self, Value::Nil)
    }

    /// The name of its class.
    pub fn class(&self) -> &str {
        match self {
            Value::Nil => "NilClass",
            Value::Bool(true) => "TrueClass",
            Value::Bool(false) => "FalseClass",
            Value::Int(_) => "Integer",
            Value::Float(_) => "Float",
            Value::Str(_) => "String",
            Value::Sym(_) => "Symbol",
            Value::Array(_) => "Array",
            Value::Hash(_) => "Hash",
            Value::Range(_) => "Range",
            Value::Regexp(_) => "Regexp",
            Value::Match(_) => "MatchData",
            Value::Time(moment) => moment.get().class(),
            Value::Const(name) if is_module(name) => "Module",
            Value::Const(_) => "Class",
            Value::Proc(_) => "Proc",
            Value::Enumerator(_) => "Enumerator",
            Value::Error(error) => &error.class,
            Value::Uri(uri) => uri.class(),
            Value::Ext(..) => "Fluent::EventTime",
        }
    }

    /// `==`.
    pub fn equals(&self, other: &Value) -> bool {
        self.equals_at(other, 0)
    }

    fn equals_at(&self, other: &Value, depth: usize) -> bool {
        if depth > super::MAX_NESTING {
            return false;
        }
        match (self, other) {
            (Value::Nil, Value::Nil) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Int(a), Value::Float(b)) | (Value::Float(b), Value::Int(a)) => *a as f64 == *b,
            (Value::Str(a), Value::Str(b)) => *a.borrow() == *b.borrow(),
            (Value::Sym(a), Value::Sym(b)) | (Value::Const(a), Value::Const(b)) => a == b,
            (Value::Array(a), Value::Array(b)) => {
                let (a, b) = (a.borrow(), b.borrow());
                a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.equals_at(b, depth + 1))
            }
            (Value::Hash(a), Value::Hash(b)) => {
                let (a, b) = (a.borrow(), b.borrow());
                a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| value.equals_at(other, depth + 1)))
            }
            (Value::Range(a), Value::Range(b)) => {
                a.exclusive == b.exclusive && a.from.equals_at(&b.from, depth + 1) && a.to.equals_at(&b.to, depth + 1)
            }
            (Value::Regexp(a), Value::Regexp(b)) => a.source == b.source,
            (Value::Time(a), Value::Time(b)) => a.get().instant() == b.get().instant(),
            (Value::Uri(a), Value::Uri(b)) => a.text() == b.text(),
            (Value::Ext(a, x), Value::Ext(b, y)) => a == b && x == y,
            _ => false,
        }
    }

    /// `eql?`: as `==`, but 1 and 1.0 differ; what keys of hashes are compared by.
    pub fn same_key(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Int(_), Value::Float(_)) | (Value::Float(_), Value::Int(_)) => false,
            _ => self.equals(other),
        }
    }

    /// `equal?`: whether both are the very same object.
    pub fn identical(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Str(a), Value::Str(b)) => Rc::ptr_eq(a, b),
            (Value::Array(a), Value::Array(b)) => Rc::ptr_eq(a, b),
            (Value::Hash(a), Value::Hash(b)) => Rc::ptr_eq(a, b),
            _ => self.same_key(other),
        }
    }

    /// Whether the container `target` is this value or within it: putting this into `target` would make a ring.
    /// What shares so many parts that they are not all looked at counts as holding it.
    pub fn holds(&self, target: &Value) -> bool {
        self.holds_within(target, 0, &mut { MAX_LOOKED_AT })
    }

    fn holds_within(&self, target: &Value, depth: usize, left: &mut usize) -> bool {
        if *left == 0 || depth > super::MAX_NESTING || (self.identical(target) && matches!(self, Value::Array(_) | Value::Hash(_))) {
            return true;
        }
        *left -= 1;
        match self {
            Value::Array(items) => {
                items.try_borrow().map_or(true, |items| items.iter().any(|item| item.holds_within(target, depth + 1, left)))
            }
            Value::Hash(hash) => {
                hash.try_borrow().map_or(true, |hash| hash.iter().any(|(_, item)| item.holds_within(target, depth + 1, left)))
            }
            _ => false,
        }
    }
}

fn is_module(name: &str) -> bool {
    matches!(
        name,
        "Kernel"
            | "Math"
            | "JSON"
            | "CGI"
            | "URI"
            | "SecureRandom"
            | "Comparable"
            | "Enumerable"
            | "Process"
            | "Base64"
            | "Digest"
            | "Fluent"
    )
}
