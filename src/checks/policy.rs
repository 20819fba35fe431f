//! Policy documents: reading them tolerantly, and what a condition bounds.
//!
//! A document is untrusted text. Reading it ends in a policy or in `None`, never in a panic. The grammar is that of
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>; a list of one value may be the value
//! itself, and the names of elements, operators and keys are compared without regard to case. IAM allows no name twice in an
//! object, so such a document has no meaning that anybody can rely on.

use std::{collections::BTreeSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// A policy document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    /// Its statements. Never empty.
    pub(super) statements: Vec<Statement>,
}

/// One statement of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    /// The `Sid`, or `#` and the position from 1. Untrusted text.
    pub(super) name: String,
    /// Whether it has a `Sid`.
    pub(super) has_sid: bool,
    /// Whether the effect is `Allow`, and not `Deny`.
    pub(super) is_allow: bool,
    /// Whose requests it is about.
    pub(super) principals: Values,
    /// Whether it is about the requests of everyone, without any doubt.
    pub(super) is_for_everyone: bool,
    /// Which actions it is about.
    pub(super) actions: Values,
    /// Which resources it is about.
    pub(super) resources: Values,
    /// When it applies: all conditions hold.
    pub(super) conditions: Vec<Condition>,
}

/// The values of an element, such as `Action`, or of its negation, such as `NotAction`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Values {
    /// These.
    Listed(Vec<String>),
    /// All but these.
    Except(Vec<String>),
}

impl Values {
    /// Whether the element leaves nothing out. `is_everything` says so of one value. All but a few also counts.
    pub(super) fn is_open(&self, is_everything: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Listed(values) => values.iter().any(|value| is_everything(value)),
            Self::Except(values) => !values.iter().any(|value| is_everything(value)),
        }
    }
}

/// One condition: an operator, a key and its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// The operator in lower case, such as `stringequals`.
    pub(super) operator: String,
    /// The key in lower case, such as `aws:principalorgid`.
    pub(super) key: String,
    /// The values. In a policy that has variables, each variable in them is a `*`.
    pub(super) values: Vec<String>,
}

/// Which side of a request a condition or a statement bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Who may come through.
    pub(super) principals: bool,
    /// What may be reached.
    pub(super) resources: bool,
}

impl Bounds {
    pub(super) const NONE: Self = Self { principals: false, resources: false };
    pub(super) const BOTH: Self = Self { principals: true, resources: true };

    /// Whether any side is bounded.
    pub(super) fn any(self) -> bool {
        self.principals || self.resources
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self { principals: self.principals || other.principals, resources: self.resources || other.resources }
    }
}

/// The keys that bound who may come through.
const PRINCIPAL_KEYS: [&str; 7] = [
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:sourcevpc",
    "aws:sourcevpce",
    SERVICE_KEY,
];

/// The keys that bound what may be reached.
const RESOURCE_KEYS: [&str; 4] =
    ["aws:resourceorgid", "aws:resourceorgpaths", "aws:resourceaccount", "s3:resourceaccount"];

/// The key that says whether an AWS service makes the request. Only `Bool` compares it.
const SERVICE_KEY: &str = "aws:principalisawsservice";

/// Operators that hold only if the key has one of the values.
const POSITIVE: [&str; 5] = ["stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike"];

/// Operators that hold if the key has none of the values, or is absent.
const NEGATED: [&str; 5] =
    ["stringnotequals", "stringnotequalsignorecase", "stringnotlike", "arnnotequals", "arnnotlike"];

impl Condition {
    /// The sides that the key is about. `NONE` for any other key.
    fn sides(&self) -> Bounds {
        Bounds {
            principals: PRINCIPAL_KEYS.contains(&self.key.as_str()),
            resources: RESOURCE_KEYS.contains(&self.key.as_str()),
        }
    }

    /// The sides that the condition bounds in an `Allow`: it holds only for listed values.
    pub(super) fn bounds(&self) -> Bounds {
        // `ForAnyValue` needs a value in the request. `ForAllValues` and `IfExists` also hold without one.
        let operator = self.operator.strip_prefix("foranyvalue:").unwrap_or(&self.operator);
        let is_positive = if self.key == SERVICE_KEY {
            operator == "bool" && self.values.iter().all(|value| value.eq_ignore_ascii_case("true"))
        } else {
            POSITIVE.contains(&operator) && !self.names_everything()
        };
        if is_positive { self.sides() } else { Bounds::NONE }
    }

    fn names_everything(&self) -> bool {
        // A path in an organization has parts: `*/*` is every path.
        let is_every_path = |value: &str| {
            let mut parts = value.split('/').filter(|part| !part.is_empty()).peekable();
            parts.peek().is_some() && parts.all(is_wildcard)
        };
        self.values.iter().any(|value| is_everything(value) || is_every_path(value))
    }

    /// Whether the key says where a request to a private API comes from
    /// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-resource-policies-aws-condition-keys.html>).
    fn is_about_source(&self) -> bool {
        ["aws:sourcevpc", "aws:sourcevpce"].contains(&self.key.as_str())
    }

    /// Whether an `Allow` with the condition lets in the requests of listed VPCs or endpoints only.
    pub(super) fn bounds_source(&self) -> bool {
        self.is_about_source() && self.bounds().any()
    }

    /// Whether that depends on whether requests always have the key.
    pub(super) fn may_bound_source(&self) -> bool {
        let operator = self.operator.split_once(':').map_or(self.operator.as_str(), |(_, operator)| operator);
        let operator = operator.strip_suffix("ifexists").unwrap_or(operator);
        self.is_about_source() && POSITIVE.contains(&operator) && !self.names_everything()
    }

    /// Whether a `Deny` with the condition shuts out the requests of all but the listed VPCs or endpoints.
    pub(super) fn shuts_out_sources(&self) -> bool {
        self.is_about_source() && self.shuts_out().any()
    }

    /// The sides that the condition bounds in a `Deny`: it holds for all but the listed values.
    pub(super) fn shuts_out(&self) -> Bounds {
        let operator = self.operator.strip_prefix("forallvalues:").unwrap_or(&self.operator);
        let operator = operator.strip_suffix("ifexists").unwrap_or(operator);
        let is_negated = if self.key == SERVICE_KEY {
            operator == "bool" && self.values.iter().all(|value| value.eq_ignore_ascii_case("false"))
        } else {
            NEGATED.contains(&operator) && !self.names_everything()
        };
        if is_negated { self.sides() } else { Bounds::NONE }
    }

    /// Whether its values are organizations, or paths in them.
    pub(super) fn is_about_organizations(&self) -> bool {
        ["aws:principalorgid", "aws:resourceorgid", "aws:principalorgpaths", "aws:resourceorgpaths"]
            .contains(&self.key.as_str())
    }
}

/// The version of policies that has variables, such as `${aws:PrincipalOrgID}`. In the other one, and without a version,
/// they are text (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>).
const VERSION_WITH_VARIABLES: &str = "2012-10-17";

impl Policy {
    /// Reads a document. `None` if it is not a policy.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let Unambiguous(value) = serde_json::from_str(text).ok()?;
        Self::from_value(&value)
    }

    /// Reads the resource policy of a REST API. API Gateway returns the document with its quotes and slashes escaped once
    /// more, as if it were the inside of a JSON string.
    pub(super) fn parse_escaped(text: &str) -> Option<Self> {
        let unescaped = || serde_json::from_str::<String>(&format!("\"{text}\"")).ok();
        let quoted = || serde_json::from_str::<String>(text).ok();
        Self::parse(text).or_else(|| Self::parse(&unescaped()?)).or_else(|| Self::parse(&quoted()?))
    }

    fn from_value(value: &Value) -> Option<Self> {
        let document = value.as_object()?;
        let statements = match member(document, "Statement")? {
            Value::Array(statements) => statements.as_slice(),
            statement => std::slice::from_ref(statement),
        };
        let has_variables = member(document, "Version").and_then(Value::as_str) == Some(VERSION_WITH_VARIABLES);
        let statement = |(n, value)| statement(value, n, has_variables);
        let statements = statements.iter().enumerate().map(statement).collect::<Option<Vec<_>>>()?;
        (!statements.is_empty()).then_some(Self { statements })
    }
}

/// A JSON value in which no object has a name twice. `serde_json` alone would keep the last of them.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UnambiguousVisitor).map(Self)
    }
}

struct UnambiguousVisitor;

impl<'de> Visitor<'de> for UnambiguousVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value without duplicate names")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Unambiguous(value)) = members.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Unambiguous(value))) = members.next_entry::<String, Unambiguous>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a name stands twice in an object"));
            }
        }
        Ok(Value::Object(object))
    }
}

fn statement(value: &Value, position: usize, has_variables: bool) -> Option<Statement> {
    let object = value.as_object().filter(|object| has_distinct_names(object))?;
    let is_allow = match member(object, "Effect")?.as_str()? {
        "Allow" => true,
        "Deny" => false,
        _ => return None,
    };
    let sid = match member(object, "Sid") {
        None => None,
        Some(sid) => Some(sid.as_str()?).filter(|sid| !sid.is_empty()),
    };
    let principals = match element(object, "Principal", "NotPrincipal", principals)? {
        Values::Except(_) => Values::Except(excepted_principals(member(object, "NotPrincipal")?)?),
        listed @ Values::Listed(_) => listed,
    };
    Some(Statement {
        name: sid.map_or_else(|| format!("#{}", position + 1), str::to_owned),
        has_sid: sid.is_some(),
        is_allow,
        is_for_everyone: is_for_everyone(object, &principals),
        principals,
        actions: element(object, "Action", "NotAction", texts)?,
        resources: element(object, "Resource", "NotResource", texts)?,
        conditions: match member(object, "Condition") {
            None => Vec::new(),
            Some(value) => conditions(value, has_variables)?,
        },
    })
}

/// Whether no two names differ only in their case. Nobody knows which of the two counts.
fn has_distinct_names(object: &Map<String, Value>) -> bool {
    let names: BTreeSet<String> = object.keys().map(|name| name.to_ascii_lowercase()).collect();
    names.len() == object.len()
}

/// The member with this name, compared without regard to case. `None` if there is none or more than one.
fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let mut found = object.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    found.next().filter(|_| found.next().is_none())
}

/// Reads an element or its negation. `None` if the statement has neither or both, or if it cannot be read.
fn element(
    object: &Map<String, Value>,
    name: &str,
    negated: &str,
    read: impl Fn(&Value) -> Option<Vec<String>>,
) -> Option<Values> {
    match (member(object, name), member(object, negated)) {
        (Some(value), None) => read(value).map(Values::Listed),
        (None, Some(value)) => read(value).map(Values::Except),
        _ => None,
    }
}

/// Whether the principals leave nobody out. `{"Federated": "*"}` leaves out all roles and users, and an ARN such as
/// `arn:aws:iam::*:role/*` all users.
fn is_for_everyone(object: &Map<String, Value>, principals: &Values) -> bool {
    match (principals, member(object, "Principal")) {
        (Values::Listed(_), Some(Value::Object(types))) => member(types, "AWS")
            .and_then(texts)
            .is_some_and(|principals| principals.iter().any(|principal| is_wildcard(principal))),
        (Values::Listed(principals), _) => principals.iter().any(|principal| is_wildcard(principal)),
        (Values::Except(_), _) => principals.is_open(is_everything),
    }
}

/// A text or a list of texts.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(values) => values.iter().map(|value| value.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// `"*"`, or lists by type: `{"AWS": ["*"], "Service": "…"}`.
fn principals(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Object(types) => {
            let lists: Option<Vec<Vec<String>>> = types.values().map(texts).collect();
            Some(lists?.concat())
        }
        _ => None,
    }
}

/// The principals that `NotPrincipal` leaves out. A type before a name tells `{"Federated": "*"}`, which leaves all roles and
/// users in, from `*`, which leaves nobody in.
fn excepted_principals(value: &Value) -> Option<Vec<String>> {
    let Value::Object(types) = value else { return principals(value) };
    let of_type = |(name, value): (&String, &Value)| {
        let names = texts(value)?;
        let is_aws = name.eq_ignore_ascii_case("AWS");
        Some(if is_aws { names } else { names.iter().map(|text| format!("{name} {text}")).collect() })
    };
    Some(types.iter().map(of_type).collect::<Option<Vec<_>>>()?.concat())
}

fn conditions(value: &Value, has_variables: bool) -> Option<Vec<Condition>> {
    let mut conditions = Vec::new();
    for (operator, keys) in value.as_object()? {
        for (key, values) in keys.as_object()? {
            conditions.push(Condition {
                operator: operator.to_ascii_lowercase(),
                key: key.to_ascii_lowercase(),
                values: scalars(values)?
                    .into_iter()
                    .map(|v| if has_variables { with_any_value(&v) } else { v })
                    .collect(),
            });
        }
    }
    Some(conditions)
}

/// The value with `*` for each variable. A request decides about the value of a variable, so
/// `"aws:ResourceOrgID": "${aws:PrincipalOrgID}"` lets strangers reach what is theirs.
fn with_any_value(value: &str) -> String {
    let mut parts = value.split("${");
    let mut replaced = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('}') {
            Some((_, rest)) => replaced.extend(["*", rest]),
            None => replaced.extend(["${", part]),
        }
    }
    replaced
}

/// A text, boolean or number, or a list of them, as texts.
fn scalars(value: &Value) -> Option<Vec<String>> {
    let scalar = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    };
    match value {
        Value::Array(values) => values.iter().map(scalar).collect(),
        value => Some(vec![scalar(value)?]),
    }
}

/// Whether the text consists of wildcards, such as `*`.
pub(super) fn is_wildcard(text: &str) -> bool {
    text.contains('*') && text.bytes().all(|b| matches!(b, b'*' | b'?'))
}

/// Whether the pattern leaves no principal or resource out: `*`, or an ARN that names neither an account nor a resource,
/// such as `arn:aws:s3:::*` or `arn:aws:iam::*:role/*`.
pub(super) fn is_everything(pattern: &str) -> bool {
    let parts: Vec<&str> = pattern.splitn(6, ':').collect();
    let [_, _, _, _, account, resource] = parts.as_slice() else {
        // The `*` at the end of a short ARN stands for the missing parts too. It may have an account before it.
        let names_account = parts.get(4).is_some_and(|account| !is_wildcard(account));
        return is_wildcard(pattern) || (pattern.starts_with("arn:") && pattern.ends_with('*') && !names_account);
    };
    // A bucket has no account in its ARN, and its name comes first. Other names come after a type, as in `table/…`.
    let mut names = resource.split(['/', ':']).filter(|name| !name.is_empty());
    let first_is_open = names.next().is_none_or(is_wildcard);
    match *account {
        "" => first_is_open,
        account if is_wildcard(account) => first_is_open || names.next().is_some_and(is_wildcard),
        _ => false,
    }
}

/// Whether the text matches the pattern, in which `*` stands for any text and `?` for any character.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where the last `*` is, and how much of the text it stands for so far ends.
    let mut last_star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                last_star = Some((p, t));
                p += 1;
            }
            Some(&b) if b == b'?' || Some(&b) == text.get(t) => {
                p += 1;
                t += 1;
            }
            _ => match last_star {
                Some((star, end)) => {
                    last_star = Some((star, end + 1));
                    p = star + 1;
                    t = end + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|&b| b == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_with_its_wildcards() {
        for (pattern, expected) in [
            ("*", true),
            ("execute-api:*", true),
            ("execute-api:invoke", true),
            ("execute-api:inv*", true),
            ("*:invoke", true),
            ("execute-api:invok?", true),
            ("e*a*i*:*k*e**", true),
            ("execute-api:invalidatecache", false),
            ("execute-api:invoke?", false),
            ("s3:*", false),
            ("", false),
        ] {
            assert_eq!(matches(pattern, "execute-api:invoke"), expected, "{pattern}");
        }
    }
}
