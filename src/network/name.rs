//! Enums whose values have stable names in settings, messages and stored rows.

/// An enum whose values have stable names. `named!` implements it.
pub trait Named: Copy + 'static {
    /// The names of all values.
    const NAMES: &'static [&'static str];

    /// The name of this value.
    fn name(self) -> &'static str;
}

/// Implements `ALL`, `name`, `from_name` and [`Named`] for an enum, from one list of names.
macro_rules! named {
    ($type:ident { $($variant:ident => $name:literal),+ $(,)? }) => {
        impl $type {
            /// All values.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The name in settings, messages and stored rows.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The value with this [`name`](Self::name).
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl $crate::network::name::Named for $type {
            const NAMES: &'static [&'static str] = &[$($name),+];

            fn name(self) -> &'static str {
                Self::name(self)
            }
        }
    };
}

pub(crate) use named;

#[cfg(test)]
mod tests {
    use super::Named;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Color {
        Red,
        Blue,
    }

    named!(Color { Red => "red", Blue => "blue" });

    #[test]
    fn a_value_is_found_only_by_its_exact_name() {
        assert_eq!(Color::ALL.map(Color::name), ["red", "blue"]);
        assert_eq!(Color::NAMES, ["red", "blue"]);
        assert_eq!(Color::ALL.map(|color| Color::from_name(color.name())), Color::ALL.map(Some));
        assert_eq!(Color::from_name("RED"), None);
    }
}
