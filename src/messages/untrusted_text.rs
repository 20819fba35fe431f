//! Untrusted text (names, tags, principals): text that users of the account wrote. This module makes it safe to show;
//! each message format escapes it further.

/// A line of a message: our own words, optionally followed by untrusted text.
///
/// Untrusted text is always at the end of the line, so right-to-left letters in it cannot reorder our own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Our own words and ids. Ids are filtered by [`plain`].
    pub(super) text: String,
    /// A name, a principal or another untrusted text. Show it only through [`quoted`].
    pub(super) untrusted: Option<&'a str>,
}

impl<'a> Line<'a> {
    pub(super) fn with(text: impl Into<String>, untrusted: Option<&'a str>) -> Self {
        Self { text: text.into(), untrusted }
    }
}

impl<S: Into<String>> From<S> for Line<'_> {
    fn from(text: S) -> Self {
        Self::with(text, None)
    }
}

/// The maximum length of untrusted text, in characters as shown. The ARN of a role session fits; its end names the
/// session.
const MAX_LENGTH: usize = 180;

/// Untrusted text on one line, in quotes, cut to [`MAX_LENGTH`].
///
/// Invisible characters are escaped: line breaks and other control characters, marks that change the writing direction,
/// and characters without width.
pub(super) fn quoted(text: &str) -> String {
    let mut shown = String::from("\"");
    let mut length = 0;
    for (n, c) in text.chars().enumerate() {
        let escaped: String = match c {
            '\'' => c.into(),
            // Names may contain combining characters. One at the start is escaped: it would combine with our quote.
            _ if n > 0 => format!("a{c}").escape_debug().skip(1).collect(),
            _ => c.escape_debug().collect(),
        };
        length += escaped.chars().count();
        if length > MAX_LENGTH {
            shown.push('…');
            break;
        }
        shown.push_str(&escaped);
    }
    shown.push('"');
    shown
}

/// An id, a zone or a Region. AWS builds these from letters, digits and a few signs. Only an emulator could send other
/// characters; they are removed, so that they cannot act as markup or as a line break.
pub(super) fn plain(id: &str) -> String {
    id.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.:/".contains(*c)).collect()
}
