//! Names of files: the path as configured, made a template with time and number.

use super::{Compress, Params};
use crate::buffer::ChunkKeys;

/// What stands for the number of a file that is not appended to.
pub const NUMBER: &str = "_**";

/// How much of a time a path shows so that each slice has a name of its own.
fn time_format(timekey: i64) -> &'static str {
    match timekey {
        ..60 => "%Y%m%d%H%M%S",
        60..3600 => "%Y%m%d%H%M",
        3600..86_400 => "%Y%m%d%H",
        _ => "%Y%m%d",
    }
}

/// The template of a path; errors are in Fluentd's words.
pub fn template(params: &Params, timekey: Option<i64>) -> Result<String, String> {
    let path = params.path.as_str();
    let number = if params.append { "" } else { NUMBER };
    let suffix = if params.add_path_suffix { params.path_suffix.as_str() } else { "" };
    let packed = if params.compress == Compress::Text { "" } else { ".gz" };
    let Some(timekey) = timekey else {
        if path.contains('*') {
            return Err("path including '*' must be used with buffer chunk key 'time'".to_owned());
        }
        return Ok(format!("{path}{number}{suffix}{packed}"));
    };
    let usual = time_format(timekey);
    let time = params.time_slice_format.as_deref().unwrap_or(usual);
    if path.contains('*') {
        return Ok(format!("{}{packed}", path.replace('*', &format!("{time}{number}"))));
    }
    if params.time_slice_format.is_none() {
        let units: Vec<&str> = (0..usual.len()).step_by(2).map(|at| &usual[at..at + 2]).collect();
        let shown = units.iter().filter(|unit| path.contains(**unit)).count();
        if shown == units.len() {
            return Ok(format!("{path}{number}{suffix}{packed}"));
        }
        if shown > 0 {
            return Err("insufficient timestamp placeholders in path".to_owned());
        }
    }
    Ok(format!("{path}.{time}{number}{suffix}{packed}"))
}

/// A value of the chunk's keys that would lead out of the folder.
pub fn escaping(keys: &ChunkKeys) -> Option<&str> {
    let values = keys.variables.iter().filter_map(|(_, value)| value.as_deref()).chain(keys.tag.as_deref());
    values.into_iter().find(|value| value.starts_with('/') || value.split('/').any(|part| part == ".."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Diagnostics, Element, Span};

    fn named(path: &str, more: &[(&str, &str)], timekey: Option<i64>) -> Result<String, String> {
        let mut element = Element::new("match", "", Span::default());
        element.set("path", path, Span::default());
        more.iter().for_each(|(key, value)| element.set(key, value, Span::default()));
        template(&Params::read(&element, &Diagnostics::new()).unwrap(), timekey)
    }

    #[test]
    fn time_and_number_are_part_of_the_name() {
        let day = Some(86_400);
        assert_eq!(named("/d/f", &[], day).unwrap(), "/d/f.%Y%m%d_**.log");
        assert_eq!(named("/d/f", &[("append", "true")], Some(3600)).unwrap(), "/d/f.%Y%m%d%H.log");
        assert_eq!(named("/d/f", &[("compress", "gzip"), ("path_suffix", ".txt")], Some(10)).unwrap(), "/d/f.%Y%m%d%H%M%S_**.txt.gz");
        assert_eq!(named("/d/f.*.x", &[], Some(60)).unwrap(), "/d/f.%Y%m%d%H%M_**.x");
        assert_eq!(named("/d/%Y/%m/%d/f", &[], day).unwrap(), "/d/%Y/%m/%d/f_**.log");
        assert_eq!(named("/d/f", &[("time_slice_format", "%Y-%m-%d")], day).unwrap(), "/d/f.%Y-%m-%d_**.log");
        assert_eq!(named("/d/f", &[("add_path_suffix", "false")], None).unwrap(), "/d/f_**");
        assert!(named("/d/f.*", &[], None).unwrap_err().contains("path including '*'"));
        assert!(named("/d/%Y", &[], day).unwrap_err().contains("insufficient timestamp placeholders"));
    }

    #[test]
    fn values_that_lead_out_are_found() {
        let keys = |value: &str| ChunkKeys { variables: vec![("k".to_owned(), Some(value.to_owned()))], ..ChunkKeys::default() };
        assert_eq!(escaping(&keys("a/b..c")), None);
        assert_eq!(escaping(&keys("a/../../etc")), Some("a/../../etc"));
        assert_eq!(escaping(&keys("/etc")), Some("/etc"));
    }
}
