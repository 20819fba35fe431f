//! Policy documents, straight from their JSON. Whether an element leaves anybody out is tried with principals that no policy
//! names.

use serde_json::{Map, Value};

/// One statement.
pub(super) struct Statement {
    pub(super) sid: Option<String>,
    pub(super) is_allow: bool,
    pub(super) principals: Element,
    /// The principals without those of other types than `AWS`.
    pub(super) users_and_roles: Element,
    pub(super) actions: Element,
    pub(super) resources: Element,
    pub(super) conditions: Vec<Condition>,
}

/// The values of an element, such as `Action`, or of its negation, such as `NotAction`.
pub(super) struct Element {
    pub(super) values: Vec<String>,
    pub(super) is_negated: bool,
}

/// One operator with one key, in lower case.
pub(super) struct Condition {
    /// `foranyvalue`, `forallvalues` or nothing.
    pub(super) set: String,
    /// The operator without set and `IfExists`.
    pub(super) operator: String,
    pub(super) has_if_exists: bool,
    pub(super) key: String,
    pub(super) values: Vec<String>,
    /// Whether a value such as `${aws:PrincipalOrgID}` is that of the request.
    pub(super) has_variables: bool,
}

const STRANGERS: [&str; 1] = ["arn:aws:iam::444455556666:role/stranger"];

/// A `Deny` for everyone is about all of them.
const EVERYONE: [&str; 3] =
    [STRANGERS[0], "arn:aws:iam::444455556666:user/stranger", "arn:aws:sts::444455556666:federated-user/stranger"];

/// The statements of a document. `None` if nobody can read it: it is no JSON, has a name twice or lacks a part.
pub(super) fn read(text: &str) -> Option<Vec<Statement>> {
    let value: Value = serde_json::from_str(text).ok()?;
    // JSON keeps one of two members with the same name, so there are fewer members than names in the text.
    let without_space: String = text.split_whitespace().collect();
    if without_space.matches("\":").count() != count_members(&value) {
        return None;
    }
    let document = value.as_object()?;
    let statements = match get(document, "statement")? {
        Value::Array(statements) => statements.clone(),
        only => vec![only.clone()],
    };
    if statements.is_empty() {
        return None;
    }
    let mut statements: Vec<Statement> = statements.iter().map(statement).collect::<Option<_>>()?;
    // Other versions have no variables.
    if get(document, "version").and_then(Value::as_str) == Some("2012-10-17") {
        for condition in statements.iter_mut().flat_map(|statement| &mut statement.conditions) {
            condition.has_variables = true;
        }
    }
    Some(statements)
}

/// The same of the policy of an API. API Gateway returns it as the inside of a JSON string: with `\"` for `"` and `\/` for `/`.
pub(super) fn read_escaped(text: &str) -> Option<Vec<Statement>> {
    let unescaped = text.trim_matches('"').replace("\\\"", "\"").replace("\\/", "/").replace("\\\\", "\\");
    read(text).or_else(|| read(&unescaped))
}

fn count_members(value: &Value) -> usize {
    match value {
        Value::Object(members) => members.len() + members.values().map(count_members).sum::<usize>(),
        Value::Array(values) => values.iter().map(count_members).sum(),
        _ => 0,
    }
}

/// The only member with this name in any case.
fn get<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let named: Vec<&Value> = object.iter().filter(|(key, _)| key.to_lowercase() == name).map(|(_, v)| v).collect();
    if let [value] = named[..] { Some(value) } else { None }
}

fn statement(value: &Value) -> Option<Statement> {
    let object = value.as_object()?;
    for name in object.keys() {
        get(object, &name.to_lowercase())?;
    }
    let is_allow = match get(object, "effect")?.as_str()? {
        "Allow" => true,
        "Deny" => false,
        _ => return None,
    };
    let sid = match get(object, "sid") {
        Some(Value::String(sid)) if sid.is_empty() => None,
        Some(Value::String(sid)) => Some(sid.clone()),
        Some(_) => return None,
        None => None,
    };
    let mut conditions = Vec::new();
    if let Some(condition) = get(object, "condition") {
        for (operator, keys) in condition.as_object()? {
            for (key, values) in keys.as_object()? {
                conditions.push(Condition::new(operator, key, values)?);
            }
        }
    }
    Some(Statement {
        sid,
        is_allow,
        principals: element(object, "principal")?,
        users_and_roles: element(&without_other_types(object), "principal")?,
        actions: element(object, "action")?,
        resources: element(object, "resource")?,
        conditions,
    })
}

fn element(object: &Map<String, Value>, name: &str) -> Option<Element> {
    let (value, is_negated) = match (get(object, name), get(object, &format!("not{name}"))) {
        (Some(value), None) => (value, false),
        (None, Some(value)) => (value, true),
        _ => return None,
    };
    let values = match value {
        Value::Object(types) if name == "principal" => {
            let mut all = Vec::new();
            for (kind, value) in types {
                // To leave out all federated users leaves all roles in.
                let leaves_roles_in = is_negated && kind != "AWS";
                let mark = |text: String| if leaves_roles_in { format!("{kind}={text}") } else { text };
                all.extend(texts(value)?.into_iter().map(mark));
            }
            all
        }
        Value::Array(_) if name == "principal" => return None,
        other => texts(other)?,
    };
    Some(Element { values, is_negated })
}

/// The statement without the principals of other types than `AWS`, such as `{"Federated": "*"}`.
fn without_other_types(object: &Map<String, Value>) -> Map<String, Value> {
    let mut object = object.clone();
    for value in object.values_mut() {
        if let Value::Object(types) = value {
            types.retain(|name, _| !["Service", "Federated"].contains(&name.as_str()));
        }
    }
    object
}

fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(values) => values.iter().map(|value| value.as_str().map(str::to_owned)).collect(),
        value => Some(vec![value.as_str()?.to_owned()]),
    }
}

/// Whether the text has the form of the pattern: `*` is any text, `?` any character.
pub(super) fn is_like(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => (0..=text.len()).any(|n| is_like(&pattern[1..], &text[n..])),
        Some(first) => {
            text.chars().next().is_some_and(|c| first == '?' || first == c) && is_like(&pattern[1..], &text[1..])
        }
    }
}

pub(super) fn is_one_like(patterns: &[String], texts: &[&str]) -> bool {
    patterns.iter().any(|pattern| texts.iter().any(|text| is_like(pattern, text)))
}

impl Element {
    /// Whether it names some to leave out.
    pub(super) fn leaves_some_out(&self) -> bool {
        self.is_negated && !self.values.is_empty()
    }

    /// Whether a stranger is among the values. A negation leaves nothing if it leaves out a stranger.
    fn concerns(&self, strange: &[&str]) -> bool {
        is_one_like(&self.values, strange) != self.is_negated
    }
}

impl Statement {
    pub(super) fn has_every_principal(&self) -> bool {
        self.principals.concerns(&STRANGERS)
    }

    /// Whether a `Deny` leaves nobody out but those of a `NotPrincipal`.
    pub(super) fn denies_everyone(&self) -> bool {
        if self.principals.is_negated {
            return self.has_every_principal();
        }
        EVERYONE.iter().all(|principal| self.users_and_roles.concerns(&[principal]))
    }
}

impl Condition {
    fn new(operator: &str, key: &str, values: &Value) -> Option<Self> {
        let operator = operator.to_lowercase();
        let (set, operator) = operator.split_once(':').unwrap_or(("", &operator));
        let values = if let Value::Array(values) = values { values.clone() } else { vec![values.clone()] };
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
            other => Some(other.to_string()),
        };
        Some(Self {
            set: set.to_owned(),
            operator: operator.trim_end_matches("ifexists").to_owned(),
            has_if_exists: operator.ends_with("ifexists"),
            key: key.to_lowercase(),
            values: values.iter().map(text).collect::<Option<_>>()?,
            has_variables: false,
        })
    }

    /// Whether a value is a bare `*` or as good as one: a stranger has it too.
    fn has_bare_value(&self) -> bool {
        let is_variable = |value: &String| self.has_variables && value.starts_with("${");
        self.values.iter().any(is_variable)
            || is_one_like(&self.values, &["stranger"])
            || is_one_like(&self.values, &STRANGERS)
    }

    /// Whether it compares the key with values that a stranger does not have, and holds if one is equal.
    fn is_positive(&self) -> bool {
        if self.key == "aws:principalisawsservice" {
            return self.operator == "bool" && self.values.iter().all(|value| value.to_lowercase() == "true");
        }
        ["stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike"]
            .contains(&self.operator.as_str())
            && !self.has_bare_value()
    }

    /// The same, and holds if none is equal.
    fn is_negated(&self) -> bool {
        if self.key == "aws:principalisawsservice" {
            return self.operator == "bool" && self.values.iter().all(|value| value.to_lowercase() == "false");
        }
        ["stringnotequals", "stringnotequalsignorecase", "stringnotlike", "arnnotequals", "arnnotlike"]
            .contains(&self.operator.as_str())
            && !self.has_bare_value()
    }

    /// Whether it never holds for strangers: it needs the key, with a known value.
    pub(super) fn never_holds_for_strangers(&self) -> bool {
        self.is_positive() && !self.has_if_exists && self.set != "forallvalues"
    }

    /// Whether it does not hold for strangers that have the key. Without it, it may hold.
    pub(super) fn may_not_hold_for_strangers(&self) -> bool {
        self.is_positive() && (self.has_if_exists || self.set == "forallvalues")
    }

    /// Whether it always holds for strangers: the key is absent or has no known value.
    pub(super) fn always_holds_for_strangers(&self) -> bool {
        self.is_negated() && self.set != "foranyvalue"
    }
}
