//! The `<system>` section.

crate::section! {
    /// What concerns the whole process.
    pub struct System {
        /// The least severe level that is logged.
        pub log_level: Option<String>,
        /// Where buffers without a path of their own and backups are kept.
        pub root_dir: Option<String>,
        /// Whether values that do not have the form of their type are errors.
        pub strict_config_value: bool = "false",
    }
}
