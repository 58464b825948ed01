//! The table of all codes: what each finding means, why it matters, and an example. `flumen check --explain CODE` prints a row.
//!
//! Whoever gives a finding a new code adds its row here; a test holds the table and the sources to each other.

mod analyses;
mod cases;
mod language;
mod parameters;
mod plugins;
#[cfg(test)]
mod tests;

/// What is known about a code.
#[derive(Debug)]
pub struct Code {
    /// `FLM` and four digits; never given another meaning.
    pub code: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// What it means, why it matters, and what to do.
    pub explanation: &'static str,
    /// A piece of configuration that has it.
    pub example: &'static str,
}

const fn row(code: &'static str, title: &'static str, explanation: &'static str, example: &'static str) -> Code {
    Code { code, title, explanation, example }
}

/// All codes, in order of their groups.
pub fn all() -> impl Iterator<Item = &'static Code> {
    [language::CODES, parameters::CODES, plugins::CODES, analyses::CODES, cases::CODES].into_iter().flatten()
}

/// The row of a code.
pub fn find(code: &str) -> Option<&'static Code> {
    all().find(|row| row.code == code)
}

/// The page of a code.
pub fn page(code: &Code) -> String {
    let example: String = code.example.lines().map(|line| format!("    {line}\n")).collect();
    format!("{}: {}\n\n{}\n\nExample:\n\n{example}", code.code, code.title, wrapped(code.explanation))
}

/// Text in lines of at most 80 characters.
fn wrapped(text: &str) -> String {
    const WIDTH: usize = 80;
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > WIDTH {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}
