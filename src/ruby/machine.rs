//! Runs a program: walks its tree with a frame of variables and a budget of work.

use super::ast::{Begin, Block, BlockArgument, Call, Case, Node, Parameter};
use super::environment::Environment;
use super::hash::Hash;
use super::regexp::{MatchData, Regexp};
use super::value::{BlockCode, Callable, Error, Outcome, Raised, Range, Value, argument_error, raised, type_error};
use super::{kernel, methods, show};
use std::rc::Rc;
use std::sync::Arc;

/// Steps of one run, where a step is a node, an item walked or sixteen bytes copied: some tens of milliseconds at most.
const STEPS: u64 = 2_000_000;
/// Calls and nodes within one another; each costs stack.
const MAX_DEPTH: usize = 160;
/// A string or array longer than this is not made.
const MAX_LENGTH: usize = 8 << 20;

/// One run.
pub(super) struct Machine<'m> {
    pub environment: &'m Environment,
    pub frame: Vec<Value>,
    pub instance: Vec<Value>,
    pub last_match: Option<Rc<MatchData>>,
    steps: u64,
    depth: usize,
}

impl<'m> Machine<'m> {
    pub fn new(environment: &'m Environment, frame: Vec<Value>, instance: Vec<Value>) -> Machine<'m> {
        Machine { environment, frame, instance, last_match: None, steps: STEPS, depth: 0 }
    }

    /// Pays for work of this many items.
    pub fn pay(&mut self, items: usize) -> Outcome<()> {
        self.steps = self.steps.saturating_sub(items as u64 + 1);
        if self.steps == 0 { Err(raised("SystemStackError", format!("the code takes more than {STEPS} steps"))) } else { Ok(()) }
    }

    /// Pays for bytes that are copied, and refuses strings beyond the bound.
    pub fn pay_bytes(&mut self, bytes: usize) -> Outcome<()> {
        self.check_length(bytes)?;
        self.pay(bytes / 16)
    }

    /// Refuses strings beyond the bound.
    pub fn check_length(&self, bytes: usize) -> Outcome<()> {
        match bytes > MAX_LENGTH {
            true => Err(raised("NoMemoryError", format!("a string of {bytes} bytes, expected at most {MAX_LENGTH}"))),
            false => Ok(()),
        }
    }

    /// Evaluates a node.
    pub fn eval(&mut self, node: &Node) -> Outcome<Value> {
        self.pay(0)?;
        if self.depth >= MAX_DEPTH {
            return Err(raised("SystemStackError", "stack level too deep"));
        }
        self.depth += 1;
        let result = self.eval_node(node);
        self.depth -= 1;
        result
    }

    fn eval_node(&mut self, node: &Node) -> Outcome<Value> {
        Ok(match node {
            Node::Nil => Value::Nil,
            Node::True => Value::Bool(true),
            Node::False => Value::Bool(false),
            Node::Myself => Value::Const(Rc::from("main")),
            Node::Int(number) => Value::Int(*number),
            Node::Float(number) => Value::Float(*number),
            Node::Str(text) => Value::text(&**text),
            Node::Sym(name) => Value::symbol(name),
            Node::Regexp(regexp) => Value::Regexp(regexp.clone()),
            Node::Local(slot) => self.frame.get(*slot).cloned().unwrap_or_default(),
            Node::Instance(slot) => self.instance.get(*slot).cloned().unwrap_or_default(),
            Node::SetLocal(slot, value) => {
                let value = self.eval(value)?;
                self.set_local(*slot, value)
            }
            Node::SetInstance(slot, value) => {
                let value = self.eval(value)?;
                self.set_instance(*slot, value)
            }
            Node::Call(call) => return self.call(call),
            Node::And(left, right) => {
                let left = self.eval(left)?;
                if left.truthy() { self.eval(right)? } else { left }
            }
            Node::Or(left, right) => {
                let left = self.eval(left)?;
                if left.truthy() { left } else { self.eval(right)? }
            }
            Node::Not(inner) => Value::Bool(!self.eval(inner)?.truthy()),
            Node::If(condition, yes, no) => {
                let yes = if self.eval(condition)?.truthy() { yes } else { no };
                self.eval(yes)?
            }
            Node::Sequence(all) => {
                let mut last = Value::Nil;
                for node in all {
                    last = self.eval(node)?;
                }
                last
            }
            other => return self.eval_rare(other),
        })
    }

    fn eval_rare(&mut self, node: &Node) -> Outcome<Value> {
        Ok(match node {
            Node::Interpolated(parts) => Value::text(self.interpolate(parts)?),
            Node::InterpolatedSym(parts) => Value::symbol(&String::from_utf8_lossy(&self.interpolate(parts)?)),
            Node::InterpolatedRegexp(parts, letters) => self.regexp(parts, letters)?,
            Node::Command(parts) => {
                let command = self.interpolate(parts)?;
                Value::text(self.environment.command(&command)?)
            }
            Node::Array(items) => Value::list(self.values(items)?),
            Node::Hash(pairs) => self.hash(pairs)?,
            Node::Range(from, to, exclusive) => self.range(from.as_deref(), to.as_deref(), *exclusive)?,
            Node::Group(number) => self.last_match.as_ref().and_then(|found| found.group(*number).map(Value::text)).unwrap_or_default(),
            Node::LastMatch => self.last_match.clone().map_or(Value::Nil, Value::Match),
            Node::Const(name) => kernel::constant(name)?,
            Node::Defined(inner) => self.defined(inner)?,
            Node::While(condition, body, wanted) => self.while_loop(condition, body, *wanted)?,
            Node::Case(case) => self.case(case)?,
            Node::Begin(begin) => self.begin(begin)?,
            Node::Update(target, operator, value) => self.update(target, operator, value)?,
            Node::SetMany(targets, value) => self.set_many(targets, value)?,
            Node::Lambda(block) => Value::Proc(Callable::Block(Arc::new(BlockCode(block.clone())))),
            Node::Break(value) => return Err(Raised::Break(self.optional(value.as_deref())?)),
            Node::Next(value) => return Err(Raised::Next(self.optional(value.as_deref())?)),
            Node::Return(value) => return Err(Raised::Return(self.optional(value.as_deref())?)),
            Node::Splat(inner) => {
                let value = self.eval(inner)?;
                Value::list(methods::to_items(self, &value)?)
            }
            _ => Value::Nil,
        })
    }

    fn optional(&mut self, node: Option<&Node>) -> Outcome<Value> {
        node.map_or(Ok(Value::Nil), |node| self.eval(node))
    }

    fn set_local(&mut self, slot: usize, value: Value) -> Value {
        if slot >= self.frame.len() {
            self.frame.resize(slot + 1, Value::Nil);
        }
        self.frame[slot] = value.clone();
        value
    }

    fn set_instance(&mut self, slot: usize, value: Value) -> Value {
        if slot >= self.instance.len() {
            self.instance.resize(slot + 1, Value::Nil);
        }
        self.instance[slot] = value.clone();
        value
    }

    /// The text of parts, each by its `to_s`.
    pub fn interpolate(&mut self, parts: &[Node]) -> Outcome<Vec<u8>> {
        let mut out = Vec::new();
        for part in parts {
            match part {
                Node::Str(text) => out.extend_from_slice(text),
                code => {
                    let value = self.eval(code)?;
                    show::to_s(&value, &mut out);
                }
            }
            self.pay_bytes(out.len())?;
        }
        Ok(out)
    }

    fn regexp(&mut self, parts: &[Node], letters: &str) -> Outcome<Value> {
        let source = self.interpolate(parts)?;
        let source = String::from_utf8_lossy(&source);
        Regexp::new(&source, letters).map(|regexp| Value::Regexp(Arc::new(regexp))).map_err(|why| raised("RegexpError", why))
    }

    /// Evaluates items or arguments, with `*list` spread out.
    pub fn values(&mut self, nodes: &[Node]) -> Outcome<Vec<Value>> {
        let mut values = Vec::with_capacity(nodes.len());
        for node in nodes {
            match node {
                Node::Splat(inner) => {
                    let value = self.eval(inner)?;
                    values.extend(methods::to_items(self, &value)?);
                }
                node => values.push(self.eval(node)?),
            }
        }
        Ok(values)
    }

    fn hash(&mut self, pairs: &[(Option<Node>, Node)]) -> Outcome<Value> {
        let mut hash = Hash::default();
        for (key, value) in pairs {
            let Some(key) = key else {
                match self.eval(value)? {
                    Value::Hash(other) => other.borrow().iter().for_each(|(key, value)| hash.set(key.clone(), value.clone())),
                    other => return type_error(format!("no implicit conversion of {} into Hash", other.class())),
                }
                continue;
            };
            let key = self.eval(key)?;
            let value = self.eval(value)?;
            hash.set(key, value);
        }
        Ok(Value::hash(hash))
    }

    fn range(&mut self, from: Option<&Node>, to: Option<&Node>, exclusive: bool) -> Outcome<Value> {
        let from = self.optional(from)?;
        let to = self.optional(to)?;
        if !from.is_nil() && !to.is_nil() && methods::compare(&from, &to).is_none() {
            return argument_error("bad value for range");
        }
        Ok(Value::Range(Rc::new(Range { from, to, exclusive })))
    }

    fn defined(&mut self, node: &Node) -> Outcome<Value> {
        let what = match node {
            Node::Local(_) => "local-variable",
            Node::Instance(slot) if self.instance.get(*slot).is_none_or(Value::is_nil) => return Ok(Value::Nil),
            Node::Instance(_) => "instance-variable",
            Node::SetLocal(..) | Node::SetInstance(..) | Node::Update(..) => "assignment",
            Node::Sequence(inner) if inner.len() == 1 => return self.defined(&inner[0]),
            Node::Const(name) => return Ok(if kernel::constant(name).is_ok() { Value::text("constant") } else { Value::Nil }),
            Node::Call(_) => return Ok(if self.eval(node).is_ok() { Value::text("method") } else { Value::Nil }),
            _ => "expression",
        };
        Ok(Value::text(what))
    }

    fn while_loop(&mut self, condition: &Node, body: &Node, wanted: bool) -> Outcome<Value> {
        while self.eval(condition)?.truthy() == wanted {
            match self.eval(body) {
                Err(Raised::Break(value)) => return Ok(value),
                Ok(_) | Err(Raised::Next(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(Value::Nil)
    }

    fn case(&mut self, case: &Case) -> Outcome<Value> {
        let subject = case.subject.as_ref().map(|subject| self.eval(subject)).transpose()?;
        for (candidates, body) in &case.branches {
            for candidate in self.values(candidates)? {
                let chosen = match &subject {
                    Some(subject) => methods::case_equals(self, &candidate, subject)?,
                    None => candidate.truthy(),
                };
                if chosen {
                    return self.eval(body);
                }
            }
        }
        self.eval(&case.otherwise)
    }

    fn begin(&mut self, begin: &Begin) -> Outcome<Value> {
        let depth = self.depth;
        let mut result = self.eval(&begin.body);
        self.depth = depth;
        match result {
            Err(Raised::Error(error)) => result = self.rescue(begin, error),
            Ok(_) => {
                if let Some(otherwise) = &begin.otherwise {
                    result = self.eval(otherwise);
                }
            }
            Err(_) => {}
        }
        if let Some(ensure) = &begin.ensure {
            self.eval(ensure)?;
        }
        result
    }

    fn rescue(&mut self, begin: &Begin, error: Rc<Error>) -> Outcome<Value> {
        for rescue in &begin.rescues {
            let classes = self.values(&rescue.classes)?;
            let matches = |class: &str| kernel::is_kind_of_class(&error.class, class);
            let caught = if classes.is_empty() {
                matches("StandardError")
            } else {
                classes.iter().any(|class| matches!(class, Value::Const(name) if matches(name)))
            };
            if caught {
                if let Some(slot) = rescue.name {
                    self.set_local(slot, Value::Error(error));
                }
                return self.eval(&rescue.body);
            }
        }
        Err(Raised::Error(error))
    }

    fn update(&mut self, target: &Node, operator: &str, value: &Node) -> Outcome<Value> {
        // The receiver and the arguments of the target are evaluated once.
        let place = match target {
            Node::Call(call) => {
                let receiver = self.optional(call.receiver.as_ref())?;
                if receiver.is_nil() && call.safe {
                    return Ok(Value::Nil);
                }
                Some((receiver, self.values(&call.arguments)?, &*call.name))
            }
            _ => None,
        };
        let current = match &place {
            Some((receiver, arguments, name)) => methods::send(self, receiver, name, arguments.clone(), None)?,
            None => self.eval(target)?,
        };
        let new = match operator {
            "||" if current.truthy() => return Ok(current),
            "&&" if !current.truthy() => return Ok(current),
            "||" | "&&" => self.eval(value)?,
            operator => {
                let value = self.eval(value)?;
                methods::send(self, &current, operator, vec![value], None)?
            }
        };
        match (target, place) {
            (Node::Local(slot), _) => Ok(self.set_local(*slot, new)),
            (Node::Instance(slot), _) => Ok(self.set_instance(*slot, new)),
            (_, Some((receiver, mut arguments, name))) => {
                arguments.push(new.clone());
                let setter = if name == "[]" { "[]=".to_owned() } else { format!("{name}=") };
                methods::send(self, &receiver, &setter, arguments, None)?;
                Ok(new)
            }
            _ => Ok(new),
        }
    }

    fn set_many(&mut self, targets: &[Node], value: &Node) -> Outcome<Value> {
        let value = self.eval(value)?;
        let items = methods::splat(&value);
        for (at, target) in targets.iter().enumerate() {
            if let Node::Local(slot) = target {
                self.set_local(*slot, items.get(at).cloned().unwrap_or_default());
            }
        }
        Ok(value)
    }

    fn call(&mut self, call: &Call) -> Outcome<Value> {
        let Some(receiver) = &call.receiver else { return self.function(call) };
        let receiver = self.eval(receiver)?;
        if call.safe && receiver.is_nil() {
            return Ok(Value::Nil);
        }
        let arguments = self.values(&call.arguments)?;
        let block = self.block(call.block.as_ref())?;
        let result = methods::send(self, &receiver, &call.name, arguments, block.as_ref());
        match result {
            Err(Raised::Break(value)) if block.is_some() => Ok(value),
            other => other,
        }
    }

    fn function(&mut self, call: &Call) -> Outcome<Value> {
        let arguments = self.values(&call.arguments)?;
        let block = self.block(call.block.as_ref())?;
        match kernel::function(self, &call.name, arguments, block.as_ref(), call.bare) {
            Err(Raised::Break(value)) if block.is_some() => Ok(value),
            other => other,
        }
    }

    fn block(&mut self, block: Option<&BlockArgument>) -> Outcome<Option<Callable>> {
        Ok(match block {
            None => None,
            Some(BlockArgument::Literal(block)) => Some(Callable::Block(Arc::new(BlockCode(block.clone())))),
            Some(BlockArgument::Pass(value)) => match self.eval(value)? {
                Value::Nil => None,
                Value::Sym(name) => Some(Callable::Name(name)),
                Value::Proc(callable) => Some(callable),
                other => return type_error(format!("wrong argument type {} (expected Proc)", other.class())),
            },
        })
    }

    /// Calls a block with these arguments; one array for several parameters is taken apart.
    pub fn call_block(&mut self, block: &Callable, arguments: Vec<Value>) -> Outcome<Value> {
        self.pay(0)?;
        let block = match block {
            Callable::Name(name) => {
                let mut arguments = arguments.into_iter();
                let Some(receiver) = arguments.next() else { return argument_error("no receiver given") };
                return methods::send(self, &receiver, name, arguments.collect(), None);
            }
            Callable::Block(code) => &code.0,
        };
        self.bind(block, arguments)?;
        match self.eval(&block.body) {
            Err(Raised::Next(value)) => Ok(value),
            Err(Raised::Return(value)) if block.lambda => Ok(value),
            other => other,
        }
    }

    fn bind(&mut self, block: &Block, mut arguments: Vec<Value>) -> Outcome<()> {
        if block.lambda {
            let optional = block.parameters.iter().any(|parameter| matches!(parameter, Parameter::Rest(_) | Parameter::Plain(_, Some(_))));
            if !optional && arguments.len() != block.parameters.len() {
                return argument_error(format!(
                    "wrong number of arguments (given {}, expected {})",
                    arguments.len(),
                    block.parameters.len()
                ));
            }
        } else if block.parameters.len() > 1
            && let [Value::Array(items)] = arguments.as_slice()
        {
            let items = items.borrow().clone();
            arguments = items;
        }
        self.bind_all(&block.parameters, arguments)
    }

    fn bind_all(&mut self, parameters: &[Parameter], arguments: Vec<Value>) -> Outcome<()> {
        let behind_rest = parameters.iter().rev().take_while(|parameter| !matches!(parameter, Parameter::Rest(_))).count();
        let has_rest = behind_rest < parameters.len();
        let mut at = 0;
        for parameter in parameters {
            match parameter {
                Parameter::Plain(slot, default) => {
                    let value = match (arguments.get(at), default) {
                        (Some(value), _) => value.clone(),
                        (None, Some(default)) => self.eval(default)?,
                        (None, None) => Value::Nil,
                    };
                    self.set_local(*slot, value);
                    at += 1;
                }
                Parameter::Tuple(inner) => {
                    let items = methods::splat(&arguments.get(at).cloned().unwrap_or_default());
                    self.bind_all(inner, items)?;
                    at += 1;
                }
                Parameter::Rest(slot) => {
                    let end = if has_rest { arguments.len().saturating_sub(behind_rest).max(at) } else { at };
                    let rest = arguments.get(at..end).unwrap_or_default().to_vec();
                    if let Some(slot) = slot {
                        self.set_local(*slot, Value::list(rest));
                    }
                    at = end;
                }
            }
        }
        Ok(())
    }
}
