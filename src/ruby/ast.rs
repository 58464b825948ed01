//! What Ruby code is read into: a tree without values, shared between threads and evaluated any number of times.

use super::regexp::Regexp;
use std::sync::Arc;

/// Where a local variable lives in the frame of a run. Every variable of a program has a place of its own.
pub(super) type Slot = usize;

/// One piece of code.
#[derive(Debug)]
pub(super) enum Node {
    Nil,
    True,
    False,
    Myself,
    Int(i128),
    Float(f64),
    Str(Box<[u8]>),
    /// A string with code in it.
    Interpolated(Vec<Node>),
    Sym(Box<str>),
    /// A symbol with code in it.
    InterpolatedSym(Vec<Node>),
    Regexp(Arc<Regexp>),
    /// A regular expression with code in it, and its letters.
    InterpolatedRegexp(Vec<Node>, Box<str>),
    /// A command in backticks.
    Command(Vec<Node>),
    Array(Vec<Node>),
    /// Pairs; a `None` key is `**value`.
    Hash(Vec<(Option<Node>, Node)>),
    Range(Option<Box<Node>>, Option<Box<Node>>, bool),
    Local(Slot),
    SetLocal(Slot, Box<Node>),
    Instance(Slot),
    SetInstance(Slot, Box<Node>),
    /// `$~`, `$1`, ...: the group of the last match, 0 for all of it.
    Group(usize),
    /// `$~` itself.
    LastMatch,
    Const(Box<str>),
    Call(Box<Call>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Defined(Box<Node>),
    If(Box<Node>, Box<Node>, Box<Node>),
    While(Box<Node>, Box<Node>, bool),
    Case(Box<Case>),
    Begin(Box<Begin>),
    Sequence(Vec<Node>),
    /// `target op= value`; the operator is `||`, `&&` or a method.
    Update(Box<Node>, Box<str>, Box<Node>),
    /// `a, b = value`.
    SetMany(Vec<Node>, Box<Node>),
    /// `->(x) { ... }`.
    Lambda(Arc<Block>),
    Break(Option<Box<Node>>),
    Next(Option<Box<Node>>),
    Return(Option<Box<Node>>),
    /// `*value` in arguments and lists.
    Splat(Box<Node>),
}

/// `receiver.name(arguments) { block }`.
#[derive(Debug)]
pub(super) struct Call {
    pub receiver: Option<Node>,
    pub name: Box<str>,
    pub arguments: Vec<Node>,
    pub block: Option<BlockArgument>,
    /// `&.`.
    pub safe: bool,
    /// Whether there were parentheses or arguments: `x` alone may be a variable that does not exist.
    pub bare: bool,
}

/// What a call passes as its block.
#[derive(Debug)]
pub(super) enum BlockArgument {
    Literal(Arc<Block>),
    /// `&:name`, `&value`.
    Pass(Box<Node>),
}

/// `{ |parameters| body }`.
#[derive(Debug)]
pub(super) struct Block {
    pub parameters: Vec<Parameter>,
    pub body: Node,
    /// Made by `->` or `lambda`: `return` ends it.
    pub lambda: bool,
}

/// A block's parameter.
#[derive(Debug)]
pub(super) enum Parameter {
    Plain(Slot, Option<Node>),
    Rest(Option<Slot>),
    Tuple(Vec<Parameter>),
}

/// `case subject when ... then ... else ... end`.
#[derive(Debug)]
pub(super) struct Case {
    pub subject: Option<Node>,
    pub branches: Vec<(Vec<Node>, Node)>,
    pub otherwise: Node,
}

/// `begin ... rescue ... else ... ensure ... end`.
#[derive(Debug)]
pub(super) struct Begin {
    pub body: Node,
    pub rescues: Vec<Rescue>,
    pub otherwise: Option<Node>,
    pub ensure: Option<Node>,
}

/// `rescue Class => name then body`.
#[derive(Debug)]
pub(super) struct Rescue {
    pub classes: Vec<Node>,
    pub name: Option<Slot>,
    pub body: Node,
}
