//! How lines end: the parameters that most formatters share.

crate::choice! {
    /// How lines end.
    pub enum Newline { Lf = "lf", Crlf = "crlf" }
}

impl Newline {
    /// The bytes, or none where no newline is to be added.
    pub fn bytes(self, add_newline: bool) -> &'static [u8] {
        match (add_newline, self) {
            (false, _) => b"",
            (true, Newline::Lf) => b"\n",
            (true, Newline::Crlf) => b"\r\n",
        }
    }
}
