//! Text that others wrote (names, tags, principals), made safe to show. Each message format escapes it further.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

/// A line of a message: our words, and perhaps a text that somebody else wrote behind them.
///
/// Such a text stands only at the end of a line: right-to-left letters in it then cannot reorder words of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Ids and our own words: see [`plain`].
    pub(super) ours: String,
    /// A name or a principal. Not to be shown without [`quoted`].
    pub(super) theirs: Option<&'a str>,
}

impl<'a> Line<'a> {
    pub(super) fn with(ours: impl Into<String>, theirs: Option<&'a str>) -> Self {
        Self { ours: ours.into(), theirs }
    }
}

impl<S: Into<String>> From<S> for Line<'_> {
    fn from(ours: S) -> Self {
        Self::with(ours, None)
    }
}

/// The maximum length of somebody else's text, in characters as shown. The ARN of a role session fits: its end says who it
/// is.
const MAX_LENGTH: usize = 180;

/// Somebody else's text: on one line, in quotes, cut to [`MAX_LENGTH`].
///
/// Invisible characters are escaped: line breaks and other control characters, marks that change the writing direction,
/// characters without width.
pub(super) fn quoted(text: &str) -> String {
    let mut shown = String::from("\"");
    let mut length = 0;
    for (n, c) in text.chars().enumerate() {
        let escaped: String = match c {
            '\'' => c.into(),
            // A combining character is part of many names. At the start it would combine with our quote.
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

/// An id, a zone or a Region. AWS builds these from letters, digits and a few signs. Anything else, which only an emulator
/// could send, is left out, so that it cannot be markup or a new line.
pub(super) fn plain(id: &str) -> String {
    id.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.:/".contains(*c)).collect()
}
