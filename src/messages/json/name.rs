//! Enums in JSON: written by their names.

use serde::{Serialize, Serializer};

use crate::{alerts::recorded::Recorded, network::name::Named};

/// A value by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<T>(pub T);

impl<T: Named> Serialize for Name<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

/// A value by its name. A resolved finding may carry one that only a newer version of gatewatch knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedName<T>(pub Recorded<T>);

impl<T: Named> Serialize for RecordedName<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

#[cfg(test)]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::{Name, Named, RecordedName};

    impl<T: Named> JsonSchema for Name<T> {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            "Name".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({"type": "string", "enum": T::NAMES})
        }
    }

    impl<T: Named> JsonSchema for RecordedName<T> {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            "RecordedName".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "type": "string",
                "anyOf": [{"enum": T::NAMES}, {"description": "a value that a newer version of gatewatch recorded"}]
            })
        }
    }
}
