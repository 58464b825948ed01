//! Several files: includes, the folder of additional files, what the command line appends.

use super::super::{Diagnostics, Element, LoadOptions, Severity, dump, load, render};
use super::{environment, findings};
use std::path::{Path, PathBuf};

/// A folder with files, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Folder {
        let dir = std::env::temp_dir().join(format!("flumen-config-{}-{name}", std::process::id()));
        for (path, text) in files {
            let path = dir.join(path);
            std::fs::create_dir_all(path.parent().expect("is in the folder")).expect("the folder can be made");
            std::fs::write(path, text).expect("the file can be written");
        }
        Folder(dir)
    }

    fn options(&self) -> LoadOptions {
        let mut environment = environment();
        environment.variables.push(("DIR".to_owned(), self.0.display().to_string()));
        environment.variables.push(("FLUENT_CONF_INCLUDE_DIR".to_owned(), String::new()));
        LoadOptions { environment, ..LoadOptions::new(self.0.join("main.conf")) }
    }

    fn load(&self) -> (Result<Element, ()>, Diagnostics) {
        let diagnostics = Diagnostics::new();
        let result = load(&self.options(), &diagnostics).map_err(drop);
        (result, diagnostics)
    }

    fn shown(&self) -> String {
        let (root, diagnostics) = self.load();
        dump(&root.unwrap_or_else(|()| panic!("{}", render(&diagnostics))))
    }

    fn errors(&self) -> Vec<String> {
        findings(&self.load().1, Severity::Error)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn includes_stand_where_they_are_written() {
    let folder = Folder::new(
        "include",
        &[
            (
                "main.conf",
                "@include \"#{ENV['DIR']}/one.conf\"\n<x>\n  a 1\n  @include sub/*.inc # c\n  z 9\n</x>\ninclude last one.conf\n@include none/*.conf\n",
            ),
            ("one.conf", "<one>\n</one>\n"),
            ("sub/b.inc", "b 2\n<sub b>\n</sub>"),
            ("sub/a.inc", "<sub a>\n  @include ../deep/c.inc\n</sub>\nc 3\n"),
            ("deep/c.inc", "@include d.inc\n"),
            ("deep/d.inc", "d 4\n"),
            ("last one.conf", "last 5"),
        ],
    );
    let expected = "<ROOT>\n  last 5\n  <one>\n  </one>\n  <x>\n    a 1\n    c 3\n    b 2\n    z 9\n    <sub a>\n      d 4\n    </sub>\n    <sub b>\n    </sub>\n  </x>\n</ROOT>\n";
    assert_eq!(folder.shown(), expected);
    let warned = findings(&folder.load().1, Severity::Warning);
    assert!(warned[0].contains("'include' is deprecated. Use '@include' instead"), "{warned:?}");
    assert!(warned[1].contains("'@include none/*.conf' matches no file"), "{warned:?}");
}

#[test]
fn faults_are_in_their_own_file() {
    let folder = Folder::new("faults", &[("main.conf", "@include part.conf\nk [a]\n"), ("part.conf", "x 1\ny \"\\q\"\n<z>\n")]);
    let (_, diagnostics) = folder.load();
    let text = render(&diagnostics);
    assert!(text.contains("part.conf line 2,3") && text.contains("part.conf line 3,0") && text.contains("main.conf line 2,3"), "{text}");
}

#[test]
fn includes_that_cannot_be_read_are_refused() {
    let folder = Folder::new(
        "broken",
        &[
            ("main.conf", "@include sub\n@include {a,b}.conf\n@include https://h/x\n@include self.conf\n@include\n"),
            ("sub/x", ""),
            ("self.conf", "@include s*.conf\n"),
        ],
    );
    let errors = folder.errors();
    for part in ["sub - Is a directory", "{a,b}.conf - bad URI", "by https", "self.conf - it includes itself", "what to include is missing"]
    {
        assert!(errors.iter().any(|error| error.contains(part)), "{part}: {errors:#?}");
    }
    assert_eq!(errors.len(), 5, "{errors:#?}");
}

#[test]
fn bytes_that_are_not_utf_8_are_refused_with_their_line() {
    let folder = Folder::new("bytes", &[("other", "")]);
    std::fs::write(folder.0.join("main.conf"), b"a b\n# caf\xe9\n").expect("the file can be written");
    assert!(folder.errors()[0].contains("invalid byte sequence in UTF-8 on line 2"), "{:?}", folder.errors());
    let diagnostics = Diagnostics::new();
    let options = LoadOptions { encoding: "iso-8859-1".to_owned(), ..folder.options() };
    assert!(load(&options, &diagnostics).is_ok());
}

#[test]
fn a_missing_file_is_an_error() {
    let diagnostics = Diagnostics::new();
    assert!(load(&LoadOptions::new("/nowhere/fluent.conf"), &diagnostics).is_err());
    assert!(render(&diagnostics).contains("/nowhere/fluent.conf: No such file or directory"));
}

#[test]
fn the_command_line_appends() {
    let folder = Folder::new("inline", &[("main.conf", "<a>\n</a>")]);
    let diagnostics = Diagnostics::new();
    let options = LoadOptions { inline: Some("<b>\\n  k v\\n</b>".to_owned()), ..folder.options() };
    let root = load(&options, &diagnostics).expect("is read");
    assert_eq!(dump(&root), "<ROOT>\n  <a>\n  </a>\n  <b>\n    k v\n  </b>\n</ROOT>\n");
}

#[test]
fn additional_files_come_last() {
    let main = |dir: &Path| format!("<system>\n  config_include_dir {}\n</system>\n<a>\n</a>\n", dir.display());
    let folder = Folder::new(
        "additional",
        &[
            ("d/y/2.conf", "<c>\n</c>\n"),
            ("d/1.conf", "<b>\n</b>\n"),
            ("d/3.yml", "config:\n  - source:\n      $type: x\n"),
            ("d/4.txt", "<no"),
        ],
    );
    std::fs::write(folder.0.join("main.conf"), main(&folder.0.join("d"))).expect("the file can be written");
    let names: Vec<String> = folder.load().0.expect("is read").children.iter().map(|child| child.name.clone()).collect();
    assert_eq!(names, ["system", "a", "b", "source", "c"]);
}
