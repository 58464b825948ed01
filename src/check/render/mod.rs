//! Reports as text: for people, for programs, for GitHub.

mod github;
mod human;
mod json;
mod sarif;

use super::Report;

/// The forms a report can have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// With excerpts, for people.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// SARIF 2.1.0, as code scanning reads it.
    Sarif,
    /// Workflow commands, which GitHub shows beside the lines.
    Github,
}

impl Format {
    /// The format of a name.
    pub fn parse(name: &str) -> Option<Format> {
        Some(match name {
            "human" => Format::Human,
            "json" => Format::Json,
            "sarif" => Format::Sarif,
            "github" => Format::Github,
            _ => return None,
        })
    }
}

/// Reports of all files as one text. Colours are for terminals.
pub fn render(reports: &[Report], format: Format, colours: bool) -> String {
    match format {
        Format::Human => human::render(reports, colours),
        Format::Json => json::render(reports),
        Format::Sarif => sarif::render(reports),
        Format::Github => github::render(reports),
    }
}
