//! The Ruby that is embedded in configurations: a small part of the language, evaluated without Ruby.

/// A Ruby value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `nil`.
    Nil,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A float.
    Float(f64),
    /// A string.
    String(String),
    /// A symbol.
    Symbol(String),
    /// An array.
    Array(Vec<Value>),
    /// A hash, in order.
    Hash(Vec<(Value, Value)>),
    /// `use_nil` was reached: the whole parameter is nil.
    UseNil,
    /// `use_default` was reached: the whole parameter has its default.
    UseDefault,
}

impl Value {
    /// What `to_s` gives, as interpolation inserts it.
    pub fn to_text(&self) -> String {
        match self {
            Value::Nil | Value::UseNil | Value::UseDefault => String::new(),
            Value::Bool(value) => value.to_string(),
            Value::Integer(value) => value.to_string(),
            Value::Float(value) => super::json::float_text(*value),
            Value::String(text) | Value::Symbol(text) => text.clone(),
            Value::Array(_) | Value::Hash(_) => self.inspect(),
        }
    }

    /// What `inspect` gives.
    pub fn inspect(&self) -> String {
        match self {
            Value::Nil => "nil".to_owned(),
            Value::String(text) => format!("{text:?}"),
            Value::Symbol(text) => format!(":{text}"),
            Value::Array(items) => format!("[{}]", items.iter().map(Value::inspect).collect::<Vec<_>>().join(", ")),
            Value::Hash(entries) => {
                let entries: Vec<String> = entries.iter().map(|(key, value)| format!("{}=>{}", key.inspect(), value.inspect())).collect();
                format!("{{{}}}", entries.join(", "))
            }
            other => other.to_text(),
        }
    }
}

/// What the code can see.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The environment variables.
    pub variables: Vec<(String, String)>,
    /// The name of this machine.
    pub hostname: String,
    /// The number of the worker; empty outside of one.
    pub worker_id: String,
    /// Whether files may be read and commands run. The checker does neither.
    pub trusted: bool,
}

impl Environment {
    /// This process's variables and this machine's name.
    pub fn of_process() -> Environment {
        let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let variables = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        Environment { variables, hostname, worker_id: String::new(), trusted: true }
    }

    /// A variable's value.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Evaluates the inside of one `#{...}`. The error says what cannot be evaluated.
pub fn evaluate(code: &str, environment: &Environment) -> Result<Value, String> {
    let code = code.trim();
    let mut last = Value::Nil;
    for side in split_or(code) {
        last = simple(side.trim(), environment)?;
        if !matches!(last, Value::Nil | Value::Bool(false)) {
            break;
        }
    }
    Ok(last)
}

fn split_or(code: &str) -> Vec<&str> {
    code.split("||").collect()
}

fn simple(code: &str, environment: &Environment) -> Result<Value, String> {
    let unknown = || format!("cannot evaluate '{code}'");
    if let Some(inner) = code.strip_suffix(".to_i") {
        let text = simple(inner, environment)?.to_text();
        let digits: String = text
            .trim_start()
            .chars()
            .enumerate()
            .take_while(|(at, c)| c.is_ascii_digit() || (*at == 0 && *c == '-'))
            .map(|(_, c)| c)
            .collect();
        return Ok(Value::Integer(digits.parse().unwrap_or(0)));
    }
    if let Some(text) = quoted(code) {
        return Ok(Value::String(text.to_owned()));
    }
    if let Ok(number) = code.parse() {
        return Ok(Value::Integer(number));
    }
    let variable = |name: &str| environment.variable(name).map_or(Value::Nil, |text| Value::String(text.to_owned()));
    if let Some(name) = code.strip_prefix("ENV[").and_then(|rest| rest.strip_suffix(']')).and_then(|name| quoted(name.trim())) {
        return Ok(variable(name));
    }
    if let Some(args) = code.strip_prefix("ENV.fetch(").and_then(|rest| rest.strip_suffix(')')) {
        let (name, fallback) = args.split_once(',').map_or((args, None), |(name, fallback)| (name, Some(fallback)));
        let name = quoted(name.trim()).ok_or_else(unknown)?;
        return match (variable(name), fallback) {
            (Value::Nil, Some(fallback)) => simple(fallback.trim(), environment),
            (Value::Nil, None) => Err(format!("key not found: {name:?}")),
            (value, _) => Ok(value),
        };
    }
    match code {
        "use_nil" => Ok(Value::UseNil),
        "use_default" => Ok(Value::UseDefault),
        "hostname" | "Socket.gethostname" => Ok(Value::String(environment.hostname.clone())),
        "worker_id" => Ok(Value::String(environment.worker_id.clone())),
        "nil" => Ok(Value::Nil),
        "true" => Ok(Value::Bool(true)),
        "false" => Ok(Value::Bool(false)),
        _ => Err(unknown()),
    }
}

fn quoted(code: &str) -> Option<&str> {
    let inner = |quote: char| code.strip_prefix(quote)?.strip_suffix(quote).filter(|text| !text.contains([quote, '#', '\\']));
    inner('\'').or_else(|| inner('"'))
}
