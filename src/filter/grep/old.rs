//! The parameters of version 0.12: `regexp1` to `regexp20` and `exclude1` to `exclude20`.

crate::section! {
    /// Keeps the events whose fields match, and drops the others.
    pub struct Params {
        /// The old form of `<regexp>`: a field's name, a blank, an expression.
        pub regexp1: Option<String> [deprecated "Use <regexp> section"],
        /// The old form of `<regexp>`: a field's name, a blank, an expression.
        pub regexp2: Option<String> [deprecated "Use <regexp> section"],
        /// The old form of `<regexp>`: a field's name, a blank, an expression.
        pub regexp3: Option<String> [deprecated "Use <regexp> section"],
        /// The old form of `<regexp>`: a field's name, a blank, an expression.
        pub regexp4: Option<String> [deprecated "Use <regexp> section"],
        /// The old form of `<regexp>`: a field's name, a blank, an expression.
        pub regexp5: Option<String> [deprecated "Use <regexp> section"],
        /// The old form of `<regexp>`: a field's name, a blank, an expression.
        pub regexp6: Option<String> [deprecated "Use <regexp> section"],
        /// The old form of `<regexp>`: a field's name, a blank, an expression.
        pub regexp7: Option<String> [deprecated "Use <regexp> section"],
        /// The old form of `<regexp>`: a field's name, a blank, an expression.
        pub regexp8: Option<String> [deprecated "Use <regexp> section"],
        /// The old form of `<regexp>`: a field's name, a blank, an expression.
        pub regexp9: Option<String> [deprecated "Use <regexp> section"],
        /// The old form of `<regexp>`: a field's name, a blank, an expression.
        pub regexp10: Option<String> [deprecated "Use <regexp> section"],
        /// The old form of `<regexp>`: a field's name, a blank, an expression.
        pub regexp11: Option<String> [deprecated "Use <regexp> section"],
        /// The old form of `<regexp>`: a field's name, a blank, an expression.
        pub regexp12: Option<String> [deprecated "Use <regexp> section"],
        /// The old form of `<regexp>`: a field's name, a blank, an expression.
        pub regexp13: Option<String> [deprecated "Use <regexp> section"],
        /// The old form of `<regexp>`: a field's name, a blank, an expression.
        pub regexp14: Option<String> [deprecated "Use <regexp> section"],
        /// The old form of `<regexp>`: a field's name, a blank, an expression.
        pub regexp15: Option<String> [deprecated "Use <regexp> section"],
        /// The old form of `<regexp>`: a field's name, a blank, an expression.
        pub regexp16: Option<String> [deprecated "Use <regexp> section"],
        /// The old form of `<regexp>`: a field's name, a blank, an expression.
        pub regexp17: Option<String> [deprecated "Use <regexp> section"],
        /// The old form of `<regexp>`: a field's name, a blank, an expression.
        pub regexp18: Option<String> [deprecated "Use <regexp> section"],
        /// The old form of `<regexp>`: a field's name, a blank, an expression.
        pub regexp19: Option<String> [deprecated "Use <regexp> section"],
        /// The old form of `<regexp>`: a field's name, a blank, an expression.
        pub regexp20: Option<String> [deprecated "Use <regexp> section"],
        /// The old form of `<exclude>`: a field's name, a blank, an expression.
        pub exclude1: Option<String> [deprecated "Use <exclude> section"],
        /// The old form of `<exclude>`: a field's name, a blank, an expression.
        pub exclude2: Option<String> [deprecated "Use <exclude> section"],
        /// The old form of `<exclude>`: a field's name, a blank, an expression.
        pub exclude3: Option<String> [deprecated "Use <exclude> section"],
        /// The old form of `<exclude>`: a field's name, a blank, an expression.
        pub exclude4: Option<String> [deprecated "Use <exclude> section"],
        /// The old form of `<exclude>`: a field's name, a blank, an expression.
        pub exclude5: Option<String> [deprecated "Use <exclude> section"],
        /// The old form of `<exclude>`: a field's name, a blank, an expression.
        pub exclude6: Option<String> [deprecated "Use <exclude> section"],
        /// The old form of `<exclude>`: a field's name, a blank, an expression.
        pub exclude7: Option<String> [deprecated "Use <exclude> section"],
        /// The old form of `<exclude>`: a field's name, a blank, an expression.
        pub exclude8: Option<String> [deprecated "Use <exclude> section"],
        /// The old form of `<exclude>`: a field's name, a blank, an expression.
        pub exclude9: Option<String> [deprecated "Use <exclude> section"],
        /// The old form of `<exclude>`: a field's name, a blank, an expression.
        pub exclude10: Option<String> [deprecated "Use <exclude> section"],
        /// The old form of `<exclude>`: a field's name, a blank, an expression.
        pub exclude11: Option<String> [deprecated "Use <exclude> section"],
        /// The old form of `<exclude>`: a field's name, a blank, an expression.
        pub exclude12: Option<String> [deprecated "Use <exclude> section"],
        /// The old form of `<exclude>`: a field's name, a blank, an expression.
        pub exclude13: Option<String> [deprecated "Use <exclude> section"],
        /// The old form of `<exclude>`: a field's name, a blank, an expression.
        pub exclude14: Option<String> [deprecated "Use <exclude> section"],
        /// The old form of `<exclude>`: a field's name, a blank, an expression.
        pub exclude15: Option<String> [deprecated "Use <exclude> section"],
        /// The old form of `<exclude>`: a field's name, a blank, an expression.
        pub exclude16: Option<String> [deprecated "Use <exclude> section"],
        /// The old form of `<exclude>`: a field's name, a blank, an expression.
        pub exclude17: Option<String> [deprecated "Use <exclude> section"],
        /// The old form of `<exclude>`: a field's name, a blank, an expression.
        pub exclude18: Option<String> [deprecated "Use <exclude> section"],
        /// The old form of `<exclude>`: a field's name, a blank, an expression.
        pub exclude19: Option<String> [deprecated "Use <exclude> section"],
        /// The old form of `<exclude>`: a field's name, a blank, an expression.
        pub exclude20: Option<String> [deprecated "Use <exclude> section"],
    }
    sections { "regexp": many(super::Condition), "exclude": many(super::Condition), "and": many(super::Group), "or": many(super::Group) }
}

impl Params {
    /// The old `regexpN` that are given, with their names.
    pub(super) fn regexps(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("regexp1", &self.regexp1),
            ("regexp2", &self.regexp2),
            ("regexp3", &self.regexp3),
            ("regexp4", &self.regexp4),
            ("regexp5", &self.regexp5),
            ("regexp6", &self.regexp6),
            ("regexp7", &self.regexp7),
            ("regexp8", &self.regexp8),
            ("regexp9", &self.regexp9),
            ("regexp10", &self.regexp10),
            ("regexp11", &self.regexp11),
            ("regexp12", &self.regexp12),
            ("regexp13", &self.regexp13),
            ("regexp14", &self.regexp14),
            ("regexp15", &self.regexp15),
            ("regexp16", &self.regexp16),
            ("regexp17", &self.regexp17),
            ("regexp18", &self.regexp18),
            ("regexp19", &self.regexp19),
            ("regexp20", &self.regexp20),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect()
    }

    /// The old `excludeN` that are given, with their names.
    pub(super) fn excludes(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("exclude1", &self.exclude1),
            ("exclude2", &self.exclude2),
            ("exclude3", &self.exclude3),
            ("exclude4", &self.exclude4),
            ("exclude5", &self.exclude5),
            ("exclude6", &self.exclude6),
            ("exclude7", &self.exclude7),
            ("exclude8", &self.exclude8),
            ("exclude9", &self.exclude9),
            ("exclude10", &self.exclude10),
            ("exclude11", &self.exclude11),
            ("exclude12", &self.exclude12),
            ("exclude13", &self.exclude13),
            ("exclude14", &self.exclude14),
            ("exclude15", &self.exclude15),
            ("exclude16", &self.exclude16),
            ("exclude17", &self.exclude17),
            ("exclude18", &self.exclude18),
            ("exclude19", &self.exclude19),
            ("exclude20", &self.exclude20),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect()
    }
}
