//! Is a policy open?
//!
//! `service.rs` says which actions and resources belong to the service of the endpoint. Actions and resources of other
//! services do not count, because no request for them comes through the endpoint: on an endpoint for S3, `s3:*` is every
//! action and `sqs:*` is none.
//!
//! | given a statement | then it is |
//! |---|---|
//! | `Deny`, or `Allow` of some actions or none, or of resources that the service cannot have | not open |
//! | `Allow` of every action, and its principals or its resources are concrete | bounded |
//! | `Allow` of every action, with a positive condition on a key below, whose value is not `*` | bounded |
//! | `Allow` of perhaps every action, or of perhaps every resource, that nothing bounds | in doubt |
//! | any other `Allow` of every action | open |
//!
//! The keys are, of who may come through: `aws:PrincipalOrgID`, `PrincipalOrgPaths`, `PrincipalAccount`, `PrincipalArn`,
//! `SourceVpc`, `SourceVpce`, `PrincipalIsAWSService`; and of what may be reached: `aws:ResourceOrgID`,
//! `ResourceOrgPaths`, `ResourceAccount`, `s3:ResourceAccount`. A positive operator is `StringEquals`,
//! `StringEqualsIgnoreCase`, `StringLike`, `ArnEquals`, `ArnLike`, `Bool` for `PrincipalIsAWSService`, or one of these
//! after `ForAnyValue:`. A variable in a value is any value. `…IfExists`, `ForAllValues:…` and `Null` also hold without the
//! key, so they bound nothing.
//!
//! | given an open statement, and a `Deny` of every action | then it is |
//! |---|---|
//! | for everyone but the `NotPrincipal`, or for everything but the `NotResource` | bounded |
//! | whose conditions are all negated ones on these keys (`StringNotEquals`, `ArnNotLike`, …) | bounded |
//! | with such a condition and another one | in doubt |
//! | that would bound it, of perhaps every action or perhaps every resource | in doubt |
//! | any other | open |
//!
//! | given a policy | then |
//! |---|---|
//! | that cannot be read | in doubt |
//! | with an open statement | open; the default policy if it is nothing else |
//! | with a statement in doubt | in doubt |
//! | with a statement that is bounded to other organizations only, and the settings name one | not bounded to the organization |
//! | any other | bounded |

use crate::checks::{
    endpoint_policy::{
        bounds::{Shut, of_allow, of_deny, organizations, reach},
        service::{Coverage, Service},
    },
    endpoint_problem::PolicySide,
    policy::{Bounds, Policy, Statement},
};

/// What a policy allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PolicyVerdict {
    /// Everything that it allows is bounded.
    Bounded,
    /// AWS's default policy: it allows everything.
    Default(Sides),
    /// Another policy that allows everything.
    Open(Sides),
    /// It is bounded, but a statement names other organizations only.
    OtherOrganization(Sides),
    /// It cannot be read, or nobody can say what it allows.
    InDoubt,
}

/// The two answers about a policy, and the statements that decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sides {
    pub(super) principals: PolicySide,
    pub(super) resources: PolicySide,
    pub(super) statements: Vec<String>,
}

/// Judges the document of an endpoint for the service with this short name. `organization` is the organization that the
/// policy has to be bounded to, if the settings name one.
pub(super) fn judge(document: &str, service: &str, organization: Option<&str>) -> PolicyVerdict {
    let Some(policy) = Policy::parse(document) else { return PolicyVerdict::InDoubt };
    let service = Service::of(service, &policy);
    let has_actions = |statement: &&Statement, least| service.actions(&statement.actions) >= least;
    let wide: Vec<&Statement> = (policy.statements.iter())
        .filter(|statement| statement.is_allow && has_actions(statement, Coverage::Unknown))
        .filter(|statement| service.may_have(&statement.resources))
        .collect();
    let mut shut = Bounds::NONE;
    let mut is_unknown = false;
    for statement in &policy.statements {
        match of_deny(statement, service) {
            Shut::No => {}
            Shut::Outside(bounds) => shut = shut.and(bounds),
            Shut::Unknown => is_unknown = true,
        }
    }
    let bounds_of = |statement: &Statement| of_allow(statement, service).and(shut);
    let unbounded: Vec<&Statement> = wide.iter().copied().filter(|statement| !bounds_of(statement).any()).collect();
    let open: Vec<&Statement> =
        unbounded.iter().copied().filter(|statement| reach(statement, service) == Coverage::All).collect();
    if !unbounded.is_empty() {
        return match (is_unknown || open.is_empty(), is_default(&policy)) {
            (true, _) => PolicyVerdict::InDoubt,
            (false, true) => PolicyVerdict::Default(sides(&open, &bounds_of)),
            (false, false) => PolicyVerdict::Open(sides(&open, &bounds_of)),
        };
    }
    let named: Vec<&Statement> =
        wide.into_iter().filter(|statement| names_only_others(statement, &policy, service, organization)).collect();
    let foreign: Vec<&Statement> =
        named.iter().copied().filter(|statement| has_actions(statement, Coverage::All)).collect();
    match (named.is_empty(), foreign.is_empty()) {
        (true, _) => PolicyVerdict::Bounded,
        (false, true) => PolicyVerdict::InDoubt,
        (false, false) => PolicyVerdict::OtherOrganization(sides(&foreign, &bounds_of)),
    }
}

fn sides(statements: &[&Statement], bounds_of: &impl Fn(&Statement) -> Bounds) -> Sides {
    let side = |is_bounded: fn(Bounds) -> bool| {
        let all_bounded = statements.iter().all(|statement| is_bounded(bounds_of(statement)));
        if all_bounded { PolicySide::Bounded } else { PolicySide::Open }
    };
    Sides {
        principals: side(|bounds| bounds.principals),
        resources: side(|bounds| bounds.resources),
        statements: statements.iter().map(|statement| statement.name.clone()).collect(),
    }
}

/// Whether the policy is the one that every new endpoint gets: one statement without a `Sid` and without conditions.
fn is_default(policy: &Policy) -> bool {
    use crate::checks::policy::Values::Listed;
    let star = ["*".to_owned()];
    let is_star = |values: &_| matches!(values, Listed(values) if *values == star);
    match policy.statements.as_slice() {
        [only] => {
            !only.has_sid
                && only.conditions.is_empty()
                && is_star(&only.principals)
                && is_star(&only.actions)
                && is_star(&only.resources)
        }
        _ => false,
    }
}

/// Whether the statement is bounded to organizations, by itself or through a `Deny`, and none is the required one. A
/// statement that is bounded in another way, such as to accounts, is taken to be narrower than an organization.
fn names_only_others(statement: &Statement, policy: &Policy, service: Service<'_>, organization: Option<&str>) -> bool {
    let Some(required) = organization else { return false };
    let denying = policy.statements.iter().filter(|other| matches!(of_deny(other, service), Shut::Outside(_)));
    let mut named = std::iter::once(statement).chain(denying).flat_map(organizations).peekable();
    named.peek().is_some() && named.all(|organization| organization != required)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::checks::testing::with_changes;

    const OURS: &str = "o-a1b2c3d4e5";
    const OTHERS: &str = "o-z9y8x7w6v5";

    /// A statement that allows everything, with these members changed. `null` removes a member.
    fn with(changes: &Value) -> Value {
        let statement = json!({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"});
        with_changes(statement, changes)
    }

    /// A document with these statements.
    fn policy(statements: &[Value]) -> String {
        json!({"Version": "2012-10-17", "Statement": statements}).to_string()
    }

    /// A document with one statement that allows everything under this condition.
    fn under(condition: &Value) -> String {
        policy(&[with(&json!({"Condition": condition}))])
    }

    /// A document that allows everything, next to a `Deny` with these members changed.
    fn beside_deny(changes: &Value) -> String {
        let mut deny = with(changes);
        deny["Effect"] = json!("Deny");
        policy(&[with(&json!({})), deny])
    }

    /// The verdict about an endpoint for S3 without an organization, in a word.
    fn word(document: &str) -> &'static str {
        word_of("s3", document)
    }

    /// The verdict about an endpoint for this service without an organization, in a word.
    fn word_of(service: &str, document: &str) -> &'static str {
        in_a_word(&judge(document, service, None))
    }

    fn in_a_word(verdict: &PolicyVerdict) -> &'static str {
        match verdict {
            PolicyVerdict::Bounded => "bounded",
            PolicyVerdict::Default(_) => "default",
            PolicyVerdict::Open(_) => "open",
            PolicyVerdict::OtherOrganization(_) => "other organization",
            PolicyVerdict::InDoubt => "in doubt",
        }
    }

    fn check(cases: &[(String, &str)]) {
        for (document, expected) in cases {
            assert_eq!(word(document), *expected, "{document:.2000}");
        }
    }

    #[test]
    fn the_default_policy_is_recognised_in_every_spelling() {
        let everything = with(&json!({}));
        check(&[
            (json!({"Version": "2008-10-17", "Statement": [everything]}).to_string(), "default"),
            (policy(std::slice::from_ref(&everything)), "default"),
            (json!({"Statement": everything}).to_string(), "default"),
            (policy(&[with(&json!({"Principal": {"AWS": "*"}}))]), "default"),
            (policy(&[with(&json!({"Action": ["*"], "Resource": ["*"]}))]), "default"),
            (policy(&[with(&json!({"Sid": ""}))]), "default"),
            (under(&json!({})), "default"),
            (under(&json!({"StringEquals": {}})), "default"),
            (policy(&[with(&json!({"Sid": "Own"}))]), "open"),
            (policy(&[everything.clone(), everything]), "open"),
        ]);
    }

    #[test]
    fn an_open_statement_makes_a_policy_open() {
        let bounded = with(&json!({"Condition": {"StringEquals": {"aws:PrincipalOrgID": OURS}}}));
        check(&[
            (policy(&[bounded.clone(), with(&json!({}))]), "open"),
            (policy(&[with(&json!({"Principal": {"AWS": ["arn:aws:iam::123456789012:root", "*"]}}))]), "open"),
            (policy(&[with(&json!({"Principal": null, "NotPrincipal": {"AWS": "123456789012"}}))]), "open"),
            // All roles and users are left in.
            (policy(&[with(&json!({"Principal": null, "NotPrincipal": {"Federated": "*"}}))]), "open"),
            (policy(&[with(&json!({"Action": null, "NotAction": "s3:DeleteBucket"}))]), "open"),
            (policy(&[with(&json!({"Action": null, "NotAction": ["iam:*"]}))]), "open"),
            (policy(&[with(&json!({"Resource": null, "NotResource": "arn:aws:sqs:*:*:*"}))]), "open"),
            (policy(&[with(&json!({"Action": ["sqs:*", "s3:*"]}))]), "open"),
            (policy(&[with(&json!({"Resource": null, "NotResource": "arn:aws:s3:::secret/*"}))]), "open"),
            (policy(&[with(&json!({"Action": "s3:*", "Resource": "arn:aws:s3:::*"}))]), "open"),
            (policy(&[with(&json!({"Action": ["s3:*", "sts:GetCallerIdentity"]}))]), "open"),
            (policy(&[with(&json!({"Action": "*:*", "Resource": ["arn:aws:s3:::a/*", "arn:*:s3:::*/*"]}))]), "open"),
            (policy(&[with(&json!({"Resource": "arn:aws:s3*"}))]), "open"),
            // Names of elements in another case.
            (
                json!({"statement": {"effect": "Allow", "PRINCIPAL": "*", "action": "*", "resource": "*"}}).to_string(),
                "default",
            ),
        ]);
    }

    /// `arn:aws:s3:::*/*` is every object and no bucket. To allow that is open, but nobody can say whether strangers need more
    /// than what it leaves.
    #[test]
    fn nearly_every_resource_is_open_if_allowed_and_in_doubt_if_denied_or_left_out() {
        let objects = "arn:aws:s3:::*/*";
        let outside = json!({"StringNotEquals": {"aws:PrincipalOrgID": OURS}});
        check(&[
            (policy(&[with(&json!({"Resource": objects}))]), "open"),
            (policy(&[with(&json!({"Resource": null, "NotResource": objects}))]), "in doubt"),
            (policy(&[with(&json!({"Resource": null, "NotResource": ["arn:aws:sqs:*:*:*", objects]}))]), "in doubt"),
            (policy(&[with(&json!({"Resource": null, "NotResource": ["arn:aws:s3:::*", objects]}))]), "bounded"),
            (beside_deny(&json!({"Resource": objects, "Condition": outside})), "in doubt"),
            (beside_deny(&json!({"Resource": ["arn:aws:s3:::*", objects], "Condition": outside})), "bounded"),
            (beside_deny(&json!({"Resource": null, "NotResource": objects, "Condition": outside})), "open"),
        ]);
        for (service, all) in [
            ("dynamodb", "arn:aws:dynamodb:*:*:table/*"),
            ("s3express", "arn:aws:s3express:*:*:bucket/*"),
            ("secretsmanager", "arn:aws:secretsmanager:*:*:secret:*"),
        ] {
            let denied = beside_deny(&json!({"Resource": all, "Condition": outside}));
            assert_eq!(word_of(service, &denied), "bounded", "the service has nothing else: {service}");
        }
        let parameters = "arn:aws:ssm:*:*:parameter/*";
        let denied = beside_deny(&json!({"Resource": parameters, "Condition": outside}));
        assert_eq!(word_of("ssm", &denied), "in doubt", "a document of SSM is not a parameter");
    }

    #[test]
    fn concrete_principals_actions_or_resources_bound_a_statement() {
        for changes in [
            json!({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}),
            json!({"Principal": {"AWS": "123456789012"}}),
            json!({"Principal": {"AWS": []}}),
            json!({"Principal": null, "NotPrincipal": "*"}),
            json!({"Principal": null, "NotPrincipal": {"AWS": "*"}}),
            json!({"Action": "s3:GetObject"}),
            json!({"Action": ["s3:Get*", "s3:List*"]}),
            json!({"Action": []}),
            json!({"Action": null, "NotAction": "*"}),
            json!({"Action": null, "NotAction": ["*:*"]}),
            json!({"Resource": ["arn:aws:s3:::packages.eu-west-1.example.com/*", "arn:aws:s3:::repo-*"]}),
            json!({"Resource": "arn:aws:iam::aws:policy/*"}),
            json!({"Resource": "arn:aws:iot:*::jobtemplate/*"}),
            json!({"Resource": "arn:aws:lambda:*:123456789012:layer:*"}),
            json!({"Resource": "arn:aws:sqs:*:*:orders"}),
            json!({"Resource": "arn:aws:sqs:eu-west-1:123456789012*"}),
            json!({"Resource": "arn:aws:dynamodb:*:*:table/orders"}),
            json!({"Effect": "Deny"}),
        ] {
            assert_eq!(word(&policy(&[with(&changes)])), "bounded", "{changes}");
        }
    }

    #[test]
    fn a_positive_condition_on_a_known_key_bounds_a_statement() {
        for condition in [
            json!({"StringEquals": {"aws:PrincipalOrgID": OURS}}),
            json!({"stringequals": {"AWS:PRINCIPALORGID": [OURS]}}),
            json!({"StringEqualsIgnoreCase": {"aws:ResourceOrgID": OURS}}),
            json!({"StringLike": {"aws:PrincipalOrgID": "o-*"}}),
            json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": format!("{OURS}/*")}}),
            json!({"ForAnyValue:StringEquals": {"aws:ResourceOrgPaths": format!("{OURS}/r-ab12/ou-ab12-11111111/")}}),
            json!({"StringEquals": {"aws:PrincipalAccount": "123456789012"}}),
            json!({"StringEquals": {"aws:PrincipalAccount": 123_456_789_012_u64}}),
            json!({"StringEquals": {"aws:ResourceAccount": ["123456789012", "210987654321"]}}),
            json!({"StringEquals": {"s3:ResourceAccount": "123456789012"}}),
            json!({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/app"}}),
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/*"}}),
            json!({"StringLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012*"}}),
            json!({"StringEquals": {"aws:SourceVpc": "vpc-0000000a"}}),
            json!({"StringEquals": {"aws:sourcevpce": "vpce-0000000a"}}),
            json!({"Bool": {"aws:PrincipalIsAWSService": "true"}}),
            json!({"Bool": {"aws:PrincipalIsAWSService": true}}),
            json!({"StringEquals": {"aws:PrincipalOrgID": OURS, "aws:PrincipalTag/exception": "true"}}),
            json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}, "StringEquals": {"aws:PrincipalOrgID": OURS}}),
            json!({"StringEquals": {"aws:PrincipalOrgID": []}}),
        ] {
            assert_eq!(word(&under(&condition)), "bounded", "{condition}");
        }
    }

    /// A stranger has the organization and the account of its own resources too.
    #[test]
    fn a_variable_bounds_nothing_in_the_version_that_has_variables() {
        let value = "${aws:PrincipalOrgID}";
        let allowed = |value: &str| with(&json!({"Condition": {"StringEquals": {"aws:ResourceOrgID": value}}}));
        let denied =
            with(&json!({"Effect": "Deny", "Condition": {"StringNotEqualsIfExists": {"aws:ResourceOrgID": value}}}));
        let in_path =
            |path: &str| with(&json!({"Condition": {"ForAnyValue:StringLike": {"aws:ResourceOrgPaths": path}}}));
        let arn = |arn: &str| with(&json!({"Condition": {"ArnLike": {"aws:PrincipalArn": arn}}}));
        check(&[
            (policy(&[allowed(value)]), "open"),
            (policy(&[allowed("${aws:PrincipalTag/org, 'o-a1b2c3d4e5'}")]), "open"),
            (policy(&[with(&json!({})), denied]), "open"),
            (policy(&[arn("arn:aws:iam::${aws:PrincipalAccount}:role/*")]), "open"),
            (policy(&[in_path("${aws:PrincipalOrgID}/*")]), "open"),
            (policy(&[in_path("*/r-ab12/*")]), "bounded"),
            (policy(&[in_path("/")]), "bounded"),
            (policy(&[arn("arn:aws:iam::123456789012:user/${aws:username}")]), "bounded"),
            (policy(&[allowed("o-a1b2${")]), "bounded"),
            (json!({"Version": "2008-10-17", "Statement": allowed(value)}).to_string(), "bounded"),
            (json!({"Statement": allowed(value)}).to_string(), "bounded"),
        ]);
        let both = policy(&[with(&json!({"Condition": {
            "StringEquals": {"aws:ResourceOrgID": value, "aws:PrincipalOrgID": OURS}
        }}))]);
        assert_eq!(judge(&both, "s3", Some(OURS)), PolicyVerdict::Bounded);
    }

    #[test]
    fn any_other_condition_bounds_nothing() {
        for condition in [
            json!({"StringEqualsIfExists": {"aws:PrincipalOrgID": OURS}}),
            json!({"StringLikeIfExists": {"aws:ResourceAccount": "123456789012"}}),
            json!({"StringNotEquals": {"aws:PrincipalOrgID": OURS}}),
            json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/app"}}),
            json!({"Null": {"aws:PrincipalOrgID": "false"}}),
            json!({"StringLike": {"aws:PrincipalOrgID": "*"}}),
            json!({"StringLike": {"aws:PrincipalOrgID": [OURS, "*"]}}),
            json!({"StringLike": {"aws:PrincipalOrgID": "?*"}}),
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:*"}}),
            json!({"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*"}}),
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}),
            json!({"ForAllValues:StringEquals": {"aws:PrincipalOrgPaths": OURS}}),
            json!({"Bool": {"aws:PrincipalIsAWSService": "false"}}),
            json!({"BoolIfExists": {"aws:PrincipalIsAWSService": "true"}}),
            json!({"StringEquals": {"aws:PrincipalIsAWSService": "true"}}),
            json!({"Bool": {"aws:SecureTransport": "true"}}),
            json!({"IpAddress": {"aws:VpcSourceIp": "10.0.0.0/8"}}),
            json!({"StringEquals": {"aws:PrincipalTag/team": "payments"}}),
        ] {
            assert_eq!(word(&under(&condition)), "open", "{condition}");
        }
    }

    #[test]
    fn a_deny_that_shuts_out_everyone_else_bounds_the_policy() {
        for (changes, expected) in [
            (json!({"Condition": {"StringNotEquals": {"aws:PrincipalOrgID": OURS}}}), "bounded"),
            (json!({"Condition": {"StringNotEqualsIfExists": {"aws:ResourceAccount": "123456789012"}}}), "bounded"),
            (
                json!({"Condition": {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/app"}}}),
                "bounded",
            ),
            (
                json!({"Condition": {
                    "StringNotEqualsIfExists": {"aws:PrincipalOrgID": OURS},
                    "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
                }}),
                "bounded",
            ),
            (json!({"Action": "s3:*", "Condition": {"StringNotLike": {"aws:SourceVpce": "vpce-*"}}}), "bounded"),
            (json!({"Principal": null, "NotPrincipal": {"AWS": "arn:aws:iam::123456789012:root"}}), "bounded"),
            (json!({"Resource": null, "NotResource": "arn:aws:s3:::ours/*"}), "bounded"),
            (json!({}), "bounded"),
            (
                json!({"Condition": {
                    "StringNotEquals": {"aws:PrincipalOrgID": OURS},
                    "BoolIfExists": {"aws:ViaAWSService": "false"},
                }}),
                "in doubt",
            ),
            (json!({"Condition": {"StringEquals": {"aws:PrincipalOrgID": OTHERS}}}), "open"),
            (json!({"Condition": {"StringNotLike": {"aws:PrincipalOrgID": "*"}}}), "open"),
            (json!({"Condition": {"Bool": {"aws:SecureTransport": "false"}}}), "open"),
            (json!({"Condition": {"Null": {"aws:PrincipalOrgID": "true"}}}), "open"),
            (
                json!({"Action": "s3:DeleteObject", "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": OURS}}}),
                "open",
            ),
            (json!({"Resource": "arn:aws:s3:::ours/*"}), "open"),
            (json!({"Principal": {"AWS": "210987654321"}}), "open"),
            // Other principals are left.
            (json!({"Principal": {"AWS": "arn:aws:iam::*:role/*"}}), "open"),
            (json!({"Principal": {"Federated": "*"}}), "open"),
            (json!({"Principal": {"AWS": ["*", "210987654321"]}}), "bounded"),
            // It leaves one action to everybody, or every action of S3.
            (json!({"Action": null, "NotAction": "s3:GetObject"}), "bounded"),
            (json!({"Action": null, "NotAction": "s3:*"}), "open"),
            (json!({"Action": null, "NotAction": ["*:*"]}), "open"),
        ] {
            assert_eq!(word(&beside_deny(&changes)), expected, "{changes}");
        }
    }

    /// No request for the actions or the resources of another service comes through the endpoint.
    #[test]
    fn what_a_policy_says_about_other_services_does_not_count() {
        for changes in [
            json!({"Action": "sqs:*"}),
            json!({"Action": ["sqs:*", "dynamodb:*"]}),
            json!({"Action": "s3-object-lambda:*"}),
            json!({"Action": null, "NotAction": "s3:*"}),
            json!({"Resource": "arn:aws:sqs:*:*:*"}),
            json!({"Resource": null, "NotResource": "arn:aws:s3:::*"}),
        ] {
            assert_eq!(word(&policy(&[with(&changes)])), "bounded", "{changes}");
            // Such an `Allow` adds nothing to an open one, and such a `Deny` takes nothing away.
            assert_eq!(word(&policy(&[with(&json!({})), with(&changes)])), "open", "{changes}");
            let mut outside = changes.clone();
            outside["Condition"] = json!({"StringNotEquals": {"aws:PrincipalOrgID": OURS}});
            assert_eq!(word(&beside_deny(&changes)), "open", "{changes}");
            assert_eq!(word(&beside_deny(&outside)), "open", "{changes}");
        }
        for changes in [
            json!({"Action": ["sqs:*", "s3:*"]}),
            json!({"Action": null, "NotAction": "sqs:*"}),
            json!({"Resource": ["arn:aws:sqs:*:*:*", "arn:aws:s3:::*"]}),
            json!({"Resource": null, "NotResource": "arn:aws:sqs:*:*:*"}),
        ] {
            assert_eq!(word(&beside_deny(&changes)), "bounded", "{changes}");
        }
        let statements = [with(&json!({"Sid": "Queues", "Action": "sqs:*"})), with(&json!({"Sid": "Objects"}))];
        let PolicyVerdict::Open(sides) = judge(&policy(&statements), "s3", None) else { panic!("not open") };
        assert_eq!(sides.statements, ["Objects"]);
    }

    #[test]
    fn the_service_of_the_endpoint_decides() {
        for (service, changes, alone, in_a_deny) in [
            ("dynamodb", json!({"Action": "dynamodb:*"}), "open", "bounded"),
            ("dynamodb", json!({"Resource": "arn:aws:dynamodb:*:*:table/*"}), "open", "bounded"),
            ("dynamodb", json!({"Resource": "arn:aws:dynamodb:*:*:table/orders"}), "bounded", "open"),
            ("dynamodb", json!({"Action": "s3:*"}), "bounded", "open"),
            ("ecr.dkr", json!({"Action": "ecr:*"}), "open", "bounded"),
            ("monitoring", json!({"Action": "cloudwatch:*"}), "open", "bounded"),
            ("monitoring", json!({"Action": "monitoring:*"}), "bounded", "open"),
            ("sqs", json!({"Resource": "arn:aws:sqs:*:*:*"}), "open", "bounded"),
            ("sqs", json!({"Resource": "arn:aws:sqs:*:*:orders"}), "bounded", "open"),
            ("sqs", json!({"Resource": "arn:aws:sqs:eu-west-1:123456789012*"}), "bounded", "open"),
            // Nobody knows whether the service has resources of another one.
            ("sqs", json!({"Resource": "arn:aws:s3:::*"}), "in doubt", "in doubt"),
            ("sqs", json!({"Resource": null, "NotResource": "arn:aws:s3:::*"}), "in doubt", "in doubt"),
            ("sqs", json!({"Action": "s3:*", "Resource": "arn:aws:s3:::*"}), "bounded", "open"),
            // The policy shows the prefix, or nobody knows it.
            ("groundstation", json!({"Action": "groundstation:*"}), "open", "bounded"),
            ("groundstation", json!({"Action": ["groundstation:*", "sqs:*"]}), "open", "bounded"),
            ("groundstation", json!({"Action": "sqs:*"}), "in doubt", "in doubt"),
            ("groundstation", json!({"Action": null, "NotAction": "sqs:*"}), "in doubt", "in doubt"),
            ("groundstation", json!({"Action": "*:*"}), "open", "bounded"),
            ("groundstation", json!({"Action": "sqs:SendMessage"}), "bounded", "open"),
        ] {
            assert_eq!(word_of(service, &policy(&[with(&changes)])), alone, "{service} {changes}");
            let mut denied = changes.clone();
            denied["Condition"] = json!({"StringNotEquals": {"aws:PrincipalOrgID": OURS}});
            assert_eq!(word_of(service, &beside_deny(&denied)), in_a_deny, "{service} {changes}");
            let mut bounded = changes.clone();
            bounded["Condition"] = json!({"StringEquals": {"aws:PrincipalOrgID": OTHERS}});
            assert_eq!(word_of(service, &policy(&[with(&bounded)])), "bounded", "{service} {changes}");
        }
    }

    #[test]
    fn only_a_statement_about_every_action_of_the_service_has_to_name_the_organization() {
        for (service, actions, expected) in [
            ("s3", "s3:*", "other organization"),
            ("s3", "sqs:*", "bounded"),
            ("groundstation", "groundstation:*", "other organization"),
            ("groundstation", "sqs:*", "in doubt"),
            ("groundstation", "sqs:SendMessage", "bounded"),
        ] {
            let condition = json!({"StringEquals": {"aws:PrincipalOrgID": OTHERS}});
            let document = policy(&[with(&json!({"Action": actions, "Condition": condition}))]);
            assert_eq!(in_a_word(&judge(&document, service, Some(OURS))), expected, "{service} {actions}");
        }
    }

    /// What is open beyond doubt is open, whatever else is in doubt.
    #[test]
    fn a_doubtful_statement_hides_no_open_one() {
        let doubtful = with(&json!({"Sid": "Queues", "Action": "sqs:*"}));
        let document = policy(&[doubtful, with(&json!({"Sid": "All"}))]);
        let PolicyVerdict::Open(sides) = judge(&document, "groundstation", None) else { panic!("not open") };
        assert_eq!(sides.statements, ["All"]);
        // A `Deny` of perhaps every action that would bound nothing changes nothing.
        let harmless = json!({"Action": "sqs:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}});
        assert_eq!(word_of("groundstation", &beside_deny(&harmless)), "open");
        let of_some = json!({"Action": "sqs:*", "Principal": {"AWS": "210987654321"}});
        assert_eq!(word_of("groundstation", &beside_deny(&of_some)), "open");
    }

    /// The same form as AWS's samples for data perimeters, which every check has to accept.
    #[test]
    fn a_policy_like_the_samples_of_aws_is_bounded() {
        let org = |key: &str, value: &str| {
            with(&json!({"Condition": {"StringEquals": {"aws:PrincipalOrgID": OURS, key: value}}}))
        };
        let statements = [
            org("aws:ResourceOrgID", OURS),
            org("aws:ResourceAccount", "210987654321"),
            org("aws:PrincipalTag/exception", "true"),
            with(&json!({"Condition": {"Bool": {"aws:PrincipalIsAWSService": "true"}}})),
            with(&json!({"Principal": {"AWS": "*"}, "Action": ["s3:GetObject"], "Resource": [
                "arn:aws:s3:::packages.eu-west-1.example.com/*",
                "arn:aws:s3:::layers-eu-west-1/*",
            ]})),
            with(&json!({"Resource": "arn:aws:iot:*::jobtemplate/*"})),
            with(&json!({
                "Principal": {"Federated": "*"},
                "Action": ["sts:AssumeRoleWithSAML"],
                "Condition": {"StringEquals": {"aws:ResourceOrgID": OURS}},
            })),
        ];
        assert_eq!(judge(&policy(&statements), "s3", None), PolicyVerdict::Bounded);
        assert_eq!(judge(&policy(&statements), "s3", Some(OURS)), PolicyVerdict::Bounded);
    }

    /// What AWS's samples for single services add to the statements above: narrow actions, resources of AWS, lists of
    /// accounts, keys with several colons, and members in another order. Each is bounded alone, also with every action.
    #[test]
    fn a_statement_like_those_of_the_samples_for_one_service_is_bounded() {
        let accounts = json!(["123456789012", "210987654321"]);
        let ours = |key: &str, value: &str| json!({"StringEquals": {"aws:PrincipalOrgID": OURS, key: value}});
        for (service, changes) in [
            (
                "s3",
                json!({"Resource": "arn:aws:s3:::partner-bucket/*", "Condition": {"StringEquals": {
                    "aws:PrincipalAccount": accounts, "aws:ResourceAccount": accounts,
                }}}),
            ),
            (
                "s3",
                json!({"Resource": "arn:aws:s3:::partner-bucket/*", "Condition": {"StringEquals": {
                    "aws:PrincipalOrgID": OURS, "aws:ResourceAccount": accounts,
                }}}),
            ),
            ("ec2", json!({"Action": "ec2:RunInstances", "Condition": ours("ec2:Owner", "amazon")})),
            (
                "cloudformation",
                json!({"Action": ["cloudformation:CreateChangeSet"], "Resource": [
                    "arn:aws:cloudformation:eu-west-1:aws:transform/*",
                ]}),
            ),
            ("imagebuilder", json!({"Resource": ["arn:aws:imagebuilder:eu-west-1:aws:component/*"]})),
            ("lambda", json!({"Resource": ["arn:aws:lambda:*:210987654321:layer:*"]})),
            (
                "ssm",
                json!({"Action": ["ssm:Get*", "ssm:List*", "ssm:StartSession"], "Resource": [
                    "arn:aws:ssm:eu-west-1::parameter/aws/*", "arn:aws:ssm:eu-west-1::document/*",
                ]}),
            ),
            ("iot", json!({"Resource": "arn:aws:iot:*::jobtemplate/*"})),
            ("ecr.api", json!({"Resource": "arn:aws:ecr:eu-west-1:210987654321:repository/*"})),
            ("sts", json!({"Principal": {"Federated": "*"}, "Action": ["sts:AssumeRoleWithWebIdentity"]})),
            ("iam", json!({"Resource": "arn:aws:iam::aws:policy/*"})),
            ("any", json!({"Condition": ours("aws:PrincipalTag/dp:exclude:resource", "true")})),
            ("any", json!({"Condition": ours("aws:PrincipalTag/resource-perimeter-exception", "true")})),
        ] {
            let document = policy(&[
                with(&json!({"Principal": {"AWS": "*"}, "Condition": ours("aws:ResourceOrgID", OURS)})),
                with(&changes),
            ]);
            assert_eq!(word_of(service, &document), "bounded", "{service}: {changes}");
            let mut every_action = with(&changes);
            every_action["Action"] = json!("*");
            // The statement for federated principals is bounded by its actions alone here.
            if service != "sts" {
                assert_eq!(word_of(service, &policy(&[every_action])), "bounded", "{service}: {changes}");
            }
        }
        let other_order = r#"{"Statement": [{"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
            "Resource": "*", "Action": "*", "Principal": {"AWS": "*"}, "Effect": "Allow", "Sid": "Last"}],
            "Version": "2012-10-17"}"#;
        assert_eq!(word(other_order), "bounded");
    }

    /// A document is text that anybody with the right to change the endpoint can write.
    #[test]
    fn escapes_and_white_space_change_nothing_and_duplicate_names_mean_nothing() {
        let bound = r#""Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}"#;
        let rest = r#""Principal": "*", "Action": "*", "Resource": "*""#;
        let statement = |members: &str| format!(r#"{{"Statement": [{{{members}}}]}}"#);
        check(&[
            // Escapes in names and values.
            (
                statement(r#""Eff\u0065ct": "\u0041llow", "Principal": "\u002a", "Action": "\u002A", "Resource": "*""#),
                "default",
            ),
            (
                statement(&format!(
                    r#""Effect": "Allow", {rest}, "Conditio\u006e": {{"StringEquals": {{"aws:\u0050rincipalOrgID": "o-a1b2c3d4e5"}}}}"#
                )),
                "bounded",
            ),
            (
                statement(&format!(
                    r#""Effect": "Allow", {rest}, "Condition": {{"StringLike": {{"aws:PrincipalOrgID": "\u002a"}}}}"#
                )),
                "open",
            ),
            (statement(&format!("\t\"Effect\" :\r\n\"Allow\" , {rest}\n")), "default"),
            // Letters that only look like those of a known name.
            (
                statement(&format!(
                    r#""Effect": "Allow", {rest}, "Condition": {{"StringEquals": {{"аws:PrincipalOrgID": "o-a1b2c3d4e5"}}}}"#
                )),
                "open",
            ),
            (
                statement(&format!(
                    r#""Effect": "Allow", {rest}, "Condition": {{"StringEquals": {{"aws:PrincipalOrgID\u0000": "o-a1b2c3d4e5"}}}}"#
                )),
                "open",
            ),
            (
                statement(&format!(
                    r#""Effect": "Allow", {rest}, "Condition": {{"String Equals": {{"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}}}"#
                )),
                "open",
            ),
            (statement(&format!(r#""Effect": "Ａllow", {rest}"#)), "in doubt"),
            // A half of a surrogate pair is no character.
            (statement(&format!(r#""Effect": "Allow", {rest}, "Sid": "\ud800""#)), "in doubt"),
            // Names that stand twice: in the statement, the condition and the document; in the same or another spelling.
            (statement(&format!(r#""Effect": "Allow", {rest}, {bound}, "Condition": {{}}"#)), "in doubt"),
            (statement(&format!(r#""Effect": "Allow", {rest}, "Condition": {{}}, {bound}"#)), "in doubt"),
            (statement(&format!(r#""Effect": "Allow", {rest}, "condition": {{}}, {bound}"#)), "in doubt"),
            (statement(&format!(r#""Effect": "Deny", "Effect": "Allow", {rest}"#)), "in doubt"),
            (statement(&format!(r#""Effect": "Allow", "\u0045ffect": "Allow", {rest}"#)), "in doubt"),
            (
                statement(&format!(
                    r#""Effect": "Allow", {rest}, "Condition": {{"StringEquals": {{"aws:PrincipalOrgID": "a", "aws:PrincipalOrgID": "b"}}}}"#
                )),
                "in doubt",
            ),
            (format!(r#"{{"Statement": [], "Statement": [{{"Effect": "Allow", {rest}}}]}}"#), "in doubt"),
            (format!(r#"{{"Statement": [{{"Effect": "Allow", {rest}}}], "statement": []}}"#), "in doubt"),
            // Deep nesting where no policy has any.
            (
                statement(&format!(r#""Effect": "Allow", {rest}, "Other": {}1{}"#, "[".repeat(200), "]".repeat(200))),
                "in doubt",
            ),
            (
                statement(&format!(r#""Effect": "Allow", {rest}, "Other": {}1{}"#, "[".repeat(50), "]".repeat(50))),
                "default",
            ),
            // Numbers that no integer holds.
            (
                statement(&format!(
                    r#""Effect": "Allow", {rest}, "Condition": {{"StringEquals": {{"aws:PrincipalAccount": 1e400}}}}"#
                )),
                "in doubt",
            ),
            (
                statement(&format!(
                    r#""Effect": "Allow", {rest}, "Condition": {{"StringEquals": {{"aws:PrincipalAccount": 1.5}}}}"#
                )),
                "bounded",
            ),
            (
                statement(&format!(
                    r#""Effect": "Allow", {rest}, "Condition": {{"StringEquals": {{"aws:PrincipalAccount": -7}}}}"#
                )),
                "bounded",
            ),
        ]);
    }

    #[test]
    fn a_statement_about_resources_that_the_service_cannot_have_names_no_organization() {
        let ours = with(&json!({"Condition": {"StringEquals": {"aws:PrincipalOrgID": OURS}}}));
        let verdict = |changes: Value| {
            let condition = json!({"StringEquals": {"aws:PrincipalOrgID": OTHERS}});
            let mut partner = with(&json!({"Condition": condition}));
            partner = with_changes(partner, &changes);
            in_a_word(&judge(&policy(&[ours.clone(), partner]), "s3", Some(OURS)))
        };
        for (resource, expected) in [
            (json!("arn:aws:sqs:*:*:*"), "bounded"),
            (json!(["arn:aws:sqs:*:*:*", "arn:aws:sns:*:*:*"]), "bounded"),
            (json!(["arn:aws:sqs:*:*:*", "arn:aws:s3:::ours/*"]), "other organization"),
            (json!("arn:aws:s*:*:*:*"), "other organization"),
            (json!("*"), "other organization"),
        ] {
            assert_eq!(verdict(json!({"Resource": resource})), expected, "{resource}");
        }
        let except = json!({"Resource": null, "NotResource": "arn:aws:sqs:*:*:*"});
        assert_eq!(verdict(except), "other organization");
    }

    #[test]
    fn the_required_organization_has_to_be_among_the_named_ones() {
        let named = |value: &Value| under(&json!({"StringEquals": {"aws:PrincipalOrgID": value}}));
        let other = PolicyVerdict::OtherOrganization(Sides {
            principals: PolicySide::Bounded,
            resources: PolicySide::Open,
            statements: vec!["#1".into()],
        });
        for (document, expected) in [
            (named(&json!(OURS)), PolicyVerdict::Bounded),
            (named(&json!([OTHERS, OURS])), PolicyVerdict::Bounded),
            (named(&json!(OTHERS)), other.clone()),
            (
                under(&json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": format!("{OURS}/*")}})),
                PolicyVerdict::Bounded,
            ),
            (under(&json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": format!("{OTHERS}/*")}})), other),
            (under(&json!({"StringEquals": {"aws:PrincipalAccount": "123456789012"}})), PolicyVerdict::Bounded),
            // A condition that bounds nothing names no organization.
            (
                under(&json!({
                    "StringEquals": {"aws:PrincipalAccount": "123456789012"}, "Null": {"aws:PrincipalOrgID": "false"},
                })),
                PolicyVerdict::Bounded,
            ),
            (
                under(&json!({
                    "StringEquals": {"aws:PrincipalAccount": "123456789012"},
                    "StringNotEquals": {"aws:PrincipalOrgID": OTHERS},
                })),
                PolicyVerdict::Bounded,
            ),
            (
                beside_deny(&json!({"Condition": {"StringNotEquals": {"aws:PrincipalOrgID": OURS}}})),
                PolicyVerdict::Bounded,
            ),
        ] {
            assert_eq!(judge(&document, "s3", Some(OURS)), expected, "{document}");
            assert_eq!(judge(&document, "s3", None), PolicyVerdict::Bounded, "{document}");
        }
        let foreign_deny = beside_deny(&json!({"Condition": {"StringNotEquals": {"aws:PrincipalOrgID": OTHERS}}}));
        assert!(matches!(judge(&foreign_deny, "s3", Some(OURS)), PolicyVerdict::OtherOrganization(_)));
    }

    #[test]
    fn an_open_policy_names_its_open_statements() {
        let bounded = with(&json!({"Sid": "Ours", "Condition": {"StringEquals": {"aws:PrincipalOrgID": OURS}}}));
        let document = policy(&[bounded, with(&json!({"Sid": "Legacy"})), with(&json!({}))]);
        let sides = Sides {
            principals: PolicySide::Open,
            resources: PolicySide::Open,
            statements: vec!["Legacy".into(), "#3".into()],
        };
        assert_eq!(judge(&document, "s3", None), PolicyVerdict::Open(sides));
    }

    #[test]
    fn what_is_not_a_policy_is_in_doubt() {
        let changed = |changes: &Value| policy(&[with(changes)]);
        let mut deep = "[".repeat(100_000);
        deep.push_str(&"]".repeat(100_000));
        let documents = [
            String::new(),
            " ".to_owned(),
            "null".to_owned(),
            "[]".to_owned(),
            "{}".to_owned(),
            "\"*\"".to_owned(),
            "{\"Statement\":".to_owned(),
            json!({"Statement": []}).to_string(),
            json!({"Statement": "*"}).to_string(),
            json!({"Statement": [null]}).to_string(),
            json!({"Statement": [[]]}).to_string(),
            json!({"Statement": [{}]}).to_string(),
            json!({"Version": "2012-10-17"}).to_string(),
            changed(&json!({"Effect": null})),
            changed(&json!({"Effect": "allow"})),
            changed(&json!({"Effect": ["Allow"]})),
            changed(&json!({"Principal": null})),
            changed(&json!({"Principal": 7})),
            changed(&json!({"Principal": ["*"]})),
            changed(&json!({"Principal": {"AWS": 7}})),
            changed(&json!({"Principal": {"AWS": {"AWS": "*"}}})),
            changed(&json!({"NotPrincipal": "*"})),
            changed(&json!({"Action": null})),
            changed(&json!({"Action": {"s3": "*"}})),
            changed(&json!({"Action": [true]})),
            changed(&json!({"Action": "*", "NotAction": "*"})),
            changed(&json!({"Resource": null})),
            changed(&json!({"Resource": [["*"]]})),
            changed(&json!({"resource": "*"})),
            changed(&json!({"Sid": 7})),
            changed(&json!({"Condition": []})),
            changed(&json!({"Condition": "none"})),
            changed(&json!({"Condition": {"StringEquals": "aws:PrincipalOrgID"}})),
            changed(&json!({"Condition": {"StringEquals": {"aws:PrincipalOrgID": {"is": OURS}}}})),
            changed(&json!({"Condition": {"StringEquals": {"aws:PrincipalOrgID": [[OURS]]}}})),
            policy(&[with(&json!({})), json!({"Effect": "Deny"})]),
            format!("\u{feff}{}", policy(&[with(&json!({}))])),
            format!("{}x", policy(&[with(&json!({}))])),
            "\0".to_owned(),
            deep,
        ];
        assert!(documents.len() >= 40);
        for document in documents {
            assert_eq!(word(&document), "in doubt", "{document:.300}");
        }
    }

    #[test]
    fn a_policy_of_the_maximum_size_is_judged() {
        let resources: Vec<String> = (0..500).map(|n| format!("arn:aws:s3:::bucket-with-a-long-name-{n}/*")).collect();
        let large = policy(&[with(&json!({"Resource": resources}))]);
        assert!(large.len() > 20_000);
        assert_eq!(word(&large), "bounded");
        let statements: Vec<Value> = (0..300).map(|n| with(&json!({"Sid": format!("Statement{n}")}))).collect();
        assert_eq!(word(&policy(&statements)), "open");
    }

    /// JSON values that are often almost a policy.
    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::String),
            proptest::sample::select(vec![
                "*",
                "Allow",
                "Deny",
                "s3:*",
                "arn:aws:s3:::*",
                "::::::",
                OURS,
                "ForAnyValue:"
            ])
            .prop_map(|text| Value::String(text.to_owned())),
        ];
        let names = [
            "Version",
            "Statement",
            "Sid",
            "Effect",
            "Principal",
            "NotPrincipal",
            "Action",
            "NotAction",
            "Resource",
            "NotResource",
            "Condition",
            "AWS",
            "StringEquals",
            "StringNotEquals",
            "Bool",
            "aws:PrincipalOrgID",
            "aws:PrincipalIsAWSService",
            "aws:ResourceAccount",
        ];
        leaf.prop_recursive(6, 64, 8, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::hash_map(
                    proptest::sample::select(names.to_vec()).prop_map(str::to_owned),
                    inner,
                    0..8
                )
                .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_document_causes_a_panic(
            text in any::<String>(),
            value in any_value(),
            principal in any_value(),
            action in any_value(),
            condition in any_value(),
        ) {
            let statement = json!({
                "Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*", "Condition": condition,
            });
            for document in [text, value.to_string(), policy(&[statement, value])] {
                for (service, organization) in [("s3", None), ("unknown.service", Some(OURS))] {
                    let _ = judge(&document, service, organization);
                }
                let _ = Policy::parse_escaped(&document);
            }
        }
    }
}
