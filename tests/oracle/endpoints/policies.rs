//! Generates policy documents from random statements: the forms that people write, and forms that only look like them.
//!
//! Names of principals, resources and values come from short lists, so that statements often concern each other.

use proptest::{
    collection::vec,
    option,
    prelude::{BoxedStrategy, Just, any},
    prop_oneof,
    sample::select,
    strategy::Strategy,
};
use serde_json::{Map, Value, json};

use super::networks::OWN_ORGANIZATION;

/// An organization that is not ours.
const OTHER_ORGANIZATION: &str = "o-z9y8x7w6v5";

/// What the statements of one kind of policy name.
struct Vocabulary {
    /// Alone in half of the statements.
    everything: Value,
    actions: Vec<Value>,
    resources: Vec<Value>,
    /// Keys with values.
    conditions: Vec<(&'static str, Value)>,
}

/// The policy of an endpoint. `None` if EC2 returns none.
pub fn of_endpoint() -> BoxedStrategy<Option<String>> {
    let default =
        r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;
    let policy = prop_oneof![
        1 => Just(default.to_owned()),
        9 => document(endpoint_vocabulary).prop_map(|document| document.to_string()),
        1 => broken(endpoint_vocabulary),
    ];
    option::weighted(0.95, policy).boxed()
}

/// The resource policy of a REST API, in each form in which it can arrive. `None` or empty if there is none.
pub fn of_api() -> BoxedStrategy<Option<String>> {
    let plain = prop_oneof![
        14 => document(api_vocabulary).prop_map(|document| document.to_string()),
        1 => broken(api_vocabulary),
    ];
    let policy = (plain, 0..4_u8).prop_map(|(text, form)| {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('/', "\\/");
        match form {
            0 => text,
            1 => format!("\"{escaped}\""),
            _ => escaped,
        }
    });
    prop_oneof![
        20 => policy.prop_map(Some),
        1 => select(vec![None, Some(String::new()), Some("  ".to_owned())]),
    ]
    .boxed()
}

fn endpoint_vocabulary() -> Vocabulary {
    let organizations =
        [json!(OWN_ORGANIZATION), json!(OTHER_ORGANIZATION), json!([OTHER_ORGANIZATION, OWN_ORGANIZATION]), json!("*")];
    let paths = [json!(format!("{OWN_ORGANIZATION}/*")), json!([format!("{OTHER_ORGANIZATION}/r-ab12/*")])];
    let mut conditions = Vec::new();
    for value in organizations {
        conditions.push(("aws:PrincipalOrgID", value.clone()));
        conditions.push(("AWS:resourceorgid", value));
    }
    conditions.extend(paths.map(|value| ("aws:PrincipalOrgPaths", value)));
    conditions.extend([
        ("aws:PrincipalAccount", json!("123456789012")),
        ("aws:PrincipalAccount", json!(123_456_789_012_u64)),
        ("aws:PrincipalArn", json!("arn:aws:iam::123456789012:role/app")),
        ("aws:PrincipalArn", json!(["arn:aws:iam::*:role/*"])),
        ("aws:PrincipalArn", json!("arn:aws:iam::123456789012*")),
        ("aws:ResourceAccount", json!(["123456789012", "*"])),
        ("s3:ResourceAccount", json!("123456789012")),
        ("aws:ResourceOrgID", json!("${aws:PrincipalOrgID}")),
        ("aws:ResourceAccount", json!(["123456789012", "${aws:PrincipalAccount}"])),
        ("aws:SourceVpc", json!("vpc-0000000a")),
        ("aws:sourceVpce", json!("?*")),
        ("aws:PrincipalIsAWSService", json!("true")),
        ("aws:PrincipalIsAWSService", json!(true)),
        ("aws:PrincipalIsAWSService", json!("false")),
        ("aws:PrincipalIsAWSService", json!(["true", "false"])),
        ("aws:PrincipalTag/team", json!("payments")),
        ("aws:SecureTransport", json!("false")),
    ]);
    Vocabulary {
        everything: json!("*"),
        actions: vec![
            json!("s3:*"),
            json!(["s3:GetObject", "s3:List*"]),
            json!("s3:DeleteObject"),
            json!(["*"]),
            json!("*:*"),
            json!([]),
            json!(["sts:GetCallerIdentity", "s3:?*"]),
            json!("sqs:*"),
            json!(["sqs:*", "S3:*"]),
            json!(["dynamodb:*", "sqs:SendMessage"]),
            json!("ssm:*"),
            json!(["KMS:*", "ecr:*", "cloudwatch:*"]),
            json!(["groundstation:GetConfig", "groundstation:*"]),
        ],
        resources: vec![
            json!(["*"]),
            json!("arn:aws:s3:::*"),
            json!(["arn:aws:s3:::ours", "arn:aws:s3:::ours/*"]),
            json!("arn:aws:s3:::repo-*"),
            json!("arn:aws:sqs:*:*:*"),
            json!("arn:aws:sqs:*:*:orders"),
            json!("arn:aws:sqs:eu-west-1:123456789012*"),
            json!("arn:aws:dynamodb:*:*:table/*"),
            json!("arn:aws:dynamodb:eu-west-1:123456789012:table/*"),
            json!("arn:aws:iot:*::jobtemplate/*"),
            json!("arn:aws:s3*"),
            json!(["arn:aws:sqs:*:*:*", "arn:aws:s3:::*/*"]),
            json!("arn:aws:s3:::*/*"),
            json!("arn:aws:ssm:*:*:parameter/*"),
            json!("arn:*:s*:*:*:*"),
            json!([]),
        ],
        conditions,
    }
}

fn api_vocabulary() -> Vocabulary {
    Vocabulary {
        everything: json!("execute-api:Invoke"),
        actions: vec![
            json!("execute-api:*"),
            json!(["execute-api:Invoke", "execute-api:ManageConnections"]),
            json!("execute-api:InvalidateCache"),
            json!("EXECUTE-API:inv?ke"),
            json!("execute-api:Inv*"),
            json!("*"),
            json!([]),
        ],
        resources: vec![
            json!("*"),
            json!(["execute-api:/*"]),
            json!("arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/*"),
            json!("execute-api:/prod/*"),
            json!("arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/prod/*"),
            json!(["execute-api:/prod/*", "execute-api:/test/*"]),
            json!("execute-api:/prod/GET/orders"),
            json!("execute-api:/*/GET/*"),
        ],
        conditions: vec![
            ("aws:SourceVpc", json!("vpc-0000000a")),
            ("aws:sourcevpc", json!(["vpc-0000000a", "vpc-0000000b"])),
            ("aws:SourceVpc", json!("*")),
            ("AWS:SourceVpce", json!("vpce-0000000a")),
            ("aws:SourceVpce", json!(["vpce-0000000a", "*"])),
            ("aws:VpcSourceIp", json!("10.0.0.0/8")),
            ("aws:PrincipalOrgID", json!(OWN_ORGANIZATION)),
        ],
    }
}

/// A policy of one to three statements.
fn document(vocabulary: fn() -> Vocabulary) -> BoxedStrategy<Value> {
    let others = vec(prop_oneof![statement(vocabulary, "Allow"), statement(vocabulary, "Deny")], 0..=2);
    (prop_oneof![8 => statement(vocabulary, "Allow"), 1 => statement(vocabulary, "Deny")], others, any::<bool>())
        .prop_map(|(first, mut statements, is_first)| {
            // The order does not matter.
            statements.insert(if is_first { 0 } else { statements.len() }, first);
            if let ([only], true) = (statements.as_slice(), is_first) {
                return json!({"Statement": only});
            }
            json!({"Version": "2012-10-17", "Statement": statements})
        })
        .boxed()
}

fn statement(vocabulary: fn() -> Vocabulary, effect: &'static str) -> BoxedStrategy<Value> {
    let Vocabulary { everything, actions, resources, conditions } = vocabulary();
    let principals = vec![
        json!({"AWS": "*"}),
        json!({"AWS": ["arn:aws:iam::123456789012:root", "*"]}),
        json!({"AWS": "arn:aws:iam::123456789012:role/app"}),
        json!({"AWS": ["123456789012"]}),
        json!({"AWS": "arn:aws:iam::*:role/*"}),
        json!({"Service": "ec2.amazonaws.com"}),
        json!({"Federated": "*"}),
        json!({"Service": ["ec2.amazonaws.com"], "AWS": "123456789012"}),
        json!({}),
    ];
    let member = |name: &'static str, usual: Value, others: Vec<Value>| {
        let value = prop_oneof![3 => Just(usual), 2 => select(others)];
        let name = prop_oneof![9 => Just(name.to_owned()), 1 => Just(format!("Not{name}"))];
        (name, value)
    };
    let sid = option::weighted(0.3, select(vec!["", "Own", "Deny others"]));
    let is_spelled_otherwise = prop_oneof![15 => Just(false), 1 => Just(true)];
    (
        sid,
        member("Principal", json!("*"), principals),
        member("Action", everything, actions),
        member("Resource", json!("*"), resources),
        option::weighted(0.7, self::conditions(conditions, effect)),
        is_spelled_otherwise,
    )
        .prop_map(move |(sid, principal, action, resource, condition, is_spelled_otherwise)| {
            let mut statement = Map::new();
            statement.extend(sid.map(|sid| ("Sid".to_owned(), json!(sid))));
            statement.insert("Effect".to_owned(), json!(effect));
            statement.extend([principal, action, resource]);
            statement.extend(condition.map(|condition| ("Condition".to_owned(), condition)));
            if is_spelled_otherwise {
                statement = statement.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
            }
            Value::Object(statement)
        })
        .boxed()
}

/// One condition or two. Those of a `Deny` are mostly negated ones, because others rarely matter.
fn conditions(keys: Vec<(&'static str, Value)>, effect: &str) -> impl Strategy<Value = Value> + use<> {
    let positive = vec!["StringEquals", "StringLike", "stringequals", "ArnLike", "ForAnyValue:StringEquals", "Bool"];
    let negated = vec![
        "StringNotEquals",
        "StringNotLike",
        "stringnotequalsifexists",
        "ArnNotLike",
        "ForAllValues:StringNotEquals",
        "StringNotEqualsIgnoreCase",
        "BoolIfExists",
    ];
    let odd = vec![
        "StringEqualsIfExists",
        "ForAllValues:StringLike",
        "ForAllValues:StringEqualsIfExists",
        "ForAnyValue:StringLikeIfExists",
        "ForAnyValue:StringNotEquals",
        "Null",
        "NumericEquals",
        "Bool",
    ];
    let (usual, unusual) = if effect == "Allow" { (positive, negated) } else { (negated, positive) };
    let operator = prop_oneof![6 => select(usual), 1 => select(unusual), 1 => select(odd)];
    let number = prop_oneof![4 => Just(1_usize), 1 => Just(2)];
    number.prop_flat_map(move |number| vec((operator.clone(), select(keys.clone())), number)).prop_map(|conditions| {
        let mut members = Map::new();
        for (operator, (key, value)) in conditions {
            let keys = members.entry(operator).or_insert_with(|| json!({}));
            keys[key] = value;
        }
        Value::Object(members)
    })
}

/// Text that is no policy, or of which nobody knows what it means.
fn broken(vocabulary: fn() -> Vocabulary) -> BoxedStrategy<String> {
    let text = select(vec!["{}", "null", "[]", "no JSON", "\"*\"", r#"{"Statement":"#, r#"{"Statement":[]}"#]);
    let change = select(vec![
        (r#""Effect":"#, r#""Effect":"Deny","Effect":"#),
        (r#""Effect":"#, r#""effect":"Deny","Effect":"#),
        (r#""Effect":"Allow","#, ""),
        (r#""Effect":"Allow""#, r#""Effect":"Maybe""#),
        (r#""Effect":"#, r#""NotResource":"*","Resource":"*","Effect":"#),
        (r#""Statement":"#, r#""statement":[],"Statement":"#),
        (r#""Effect":"#, r#""Condition":[],"Effect":"#),
        (r#""Effect":"#, r#""Sid":7,"Effect":"#),
        (r#""Effect":"#, r#""Condition":{"Bool":{"aws:SourceVpc":null}},"Effect":"#),
    ]);
    let changed =
        (document(vocabulary), change).prop_map(|(document, (old, new))| document.to_string().replace(old, new));
    prop_oneof![1 => text.prop_map(str::to_owned), 2 => changed].boxed()
}
