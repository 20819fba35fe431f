//! Who may call a private REST API?
//!
//! A request passes if an `Allow` of its resource policy matches it and no `Deny` does. Only requests through VPC endpoints
//! arrive, so a policy has to name the VPCs or the endpoints
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-resource-policies-examples.html>).
//!
//! | given an `Allow` of `execute-api:Invoke` | then |
//! |---|---|
//! | with a positive condition on `aws:SourceVpc` or `aws:SourceVpce`, whose value is not `*` | some VPCs |
//! | and a `Deny` of its resources whose conditions are all negated ones on these keys (`StringNotEquals`, …) | some VPCs |
//! | and a `Deny` of its resources without conditions | nobody |
//! | whose condition on these keys has an operator that may hold without the key (`…IfExists`, `ForAllValues:…`) | in doubt |
//! | and a `Deny` with such a negated condition that may not concern all of it | in doubt |
//! | any other, such as one with `StringNotEquals` on these keys | every VPC |
//!
//! | given a policy | then |
//! |---|---|
//! | that is absent, or whose statements let nobody call the API | nobody |
//! | that cannot be read | in doubt |
//! | with a statement for every VPC | every VPC |
//! | with a statement in doubt | in doubt |
//! | any other | some VPCs |
//!
//! A `Deny` of a part of the principals or of the actions shuts out nobody else. A condition on another key bounds nothing:
//! private addresses are the same in many VPCs.

use crate::checks::policy::{Condition, Policy, Statement, Values, matches};

/// Who may call an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Nobody: there is no policy, or it allows nothing.
    Nobody,
    /// The VPCs or endpoints that the policy names.
    SomeVpcs,
    /// Every VPC.
    EveryVpc,
    /// The policy cannot be read, or nobody can say what it allows.
    InDoubt,
}

/// The action that calls an API, in lower case.
const INVOKE: &str = "execute-api:invoke";

/// Who may call an API with this resource policy.
pub(super) fn access(policy: Option<&str>) -> Access {
    let Some(text) = policy.filter(|text| !text.trim().is_empty()) else { return Access::Nobody };
    let Some(policy) = Policy::parse_escaped(text) else { return Access::InDoubt };
    let (allowing, denying): (Vec<&Statement>, Vec<&Statement>) =
        policy.statements.iter().filter(|statement| has_invoke(statement)).partition(|statement| statement.is_allow);
    let each = || allowing.iter().map(|allow| of_statement(allow, &denying));
    [Access::EveryVpc, Access::InDoubt, Access::SomeVpcs]
        .into_iter()
        .find(|access| each().any(|of_one| of_one == *access))
        .unwrap_or(Access::Nobody)
}

/// Whom an `Allow` lets in, next to these `Deny` statements.
fn of_statement(allow: &Statement, denying: &[&Statement]) -> Access {
    let shut = |expected: Shut| denying.iter().any(|deny| shuts(deny, allow) == expected);
    if shut(Shut::Everybody) {
        Access::Nobody
    } else if shut(Shut::OtherSources) || allow.conditions.iter().any(Condition::bounds_source) {
        Access::SomeVpcs
    } else if shut(Shut::Unknown) || allow.conditions.iter().any(Condition::may_bound_source) {
        Access::InDoubt
    } else {
        Access::EveryVpc
    }
}

/// Whom a `Deny` shuts out of what an `Allow` allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shut {
    /// Nobody, or only a part of the requests of every VPC.
    Nobody,
    /// Every VPC but the named ones.
    OtherSources,
    /// Everybody.
    Everybody,
    /// Nobody can say.
    Unknown,
}

fn shuts(deny: &Statement, allow: &Statement) -> Shut {
    if !deny.is_for_everyone {
        return Shut::Nobody;
    }
    let names_some = matches!(&deny.principals, Values::Except(values) if !values.is_empty());
    let reaches_all = !names_some && covers(&deny.resources, &allow.resources);
    let negated = deny.conditions.iter().filter(|condition| condition.shuts_out_sources()).count();
    match (negated, deny.conditions.len() - negated) {
        (0, 0) if reaches_all => Shut::Everybody,
        (0, _) => Shut::Nobody,
        (_, 0) if reaches_all => Shut::OtherSources,
        _ => Shut::Unknown,
    }
}

/// Whether the statement is about calls of the API.
fn has_invoke(statement: &Statement) -> bool {
    let is_invoke = |action: &String| matches(&action.to_ascii_lowercase(), INVOKE);
    match &statement.actions {
        Values::Listed(actions) => actions.iter().any(is_invoke),
        Values::Except(actions) => !actions.iter().any(is_invoke),
    }
}

/// Whether everything that `part` names is in `whole`, beyond doubt.
fn covers(whole: &Values, part: &Values) -> bool {
    let whole = match whole {
        Values::Listed(patterns) => patterns,
        Values::Except(patterns) => return patterns.is_empty(),
    };
    let is_all = whole.iter().any(|pattern| path_of(pattern) == "*");
    match part {
        Values::Listed(parts) => is_all || parts.iter().all(|part| whole.iter().any(|whole| is_within(part, whole))),
        Values::Except(_) => is_all,
    }
}

/// The stage, method and path of a resource: what follows the id of the API, such as `prod/GET/orders`. `*` for everything.
/// A policy names its own API only, in one of the forms `execute-api:/prod/*`, `arn:aws:execute-api:…:…:<api>/prod/*` and
/// `*`.
fn path_of(resource: &str) -> &str {
    if let Some(path) = resource.strip_prefix("execute-api:/") {
        return path;
    }
    let of_api = resource.splitn(6, ':').nth(5).unwrap_or(resource);
    of_api.split_once('/').map_or(of_api, |(_, path)| path)
}

/// Whether each name that the pattern `part` matches also matches the pattern `whole`, beyond doubt: they are equal, or
/// `whole` matches the text of `part`, so that each wildcard of `part` is in what a `*` of `whole` stands for.
fn is_within(part: &str, whole: &str) -> bool {
    let (part, whole) = (path_of(part), path_of(whole));
    part == whole || (!whole.contains('?') && matches(whole, part))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::checks::testing::with_changes;

    fn statement(effect: &str, changes: &Value) -> Value {
        let statement = json!({
            "Effect": effect, "Principal": "*", "Action": "execute-api:Invoke", "Resource": ["execute-api:/*"],
        });
        with_changes(statement, changes)
    }

    fn of(statements: &[Value]) -> Access {
        access(Some(&json!({"Version": "2012-10-17", "Statement": statements}).to_string()))
    }

    /// Who may call an API whose policy allows everybody everything, next to this `Deny`.
    fn beside_deny(changes: &Value) -> Access {
        of(&[statement("Allow", &json!({})), statement("Deny", changes)])
    }

    fn not_from(key: &str, value: &str) -> Value {
        json!({"Condition": {"StringNotEquals": {key: value}}})
    }

    #[test]
    fn a_positive_condition_on_the_source_bounds_a_statement() {
        for (condition, expected) in [
            (json!({"StringEquals": {"aws:SourceVpc": "vpc-0000000a"}}), Access::SomeVpcs),
            (json!({"stringlike": {"AWS:SOURCEVPCE": ["vpce-*"]}}), Access::SomeVpcs),
            (json!({"ForAnyValue:StringEquals": {"aws:SourceVpce": ["vpce-0000000a"]}}), Access::SomeVpcs),
            (json!({"StringLike": {"aws:SourceVpc": "*"}}), Access::EveryVpc),
            (json!({"StringLike": {"aws:SourceVpc": ["vpc-0000000a", "*"]}}), Access::EveryVpc),
            (json!({"StringNotEquals": {"aws:SourceVpc": "vpc-0000000a"}}), Access::EveryVpc),
            (json!({"StringNotLike": {"aws:SourceVpce": "vpce-0000000a"}}), Access::EveryVpc),
            (json!({"Null": {"aws:SourceVpc": "false"}}), Access::EveryVpc),
            (json!({"IpAddress": {"aws:VpcSourceIp": "10.0.0.0/8"}}), Access::EveryVpc),
            (json!({"Bool": {"aws:SecureTransport": "true"}}), Access::EveryVpc),
            (json!({"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}), Access::EveryVpc),
            (json!({"StringEqualsIfExists": {"aws:SourceVpc": "vpc-0000000a"}}), Access::InDoubt),
            (json!({"ForAllValues:StringEquals": {"aws:SourceVpc": "vpc-0000000a"}}), Access::InDoubt),
            (json!({"ForAnyValue:StringEqualsIfExists": {"aws:SourceVpc": "vpc-0000000a"}}), Access::InDoubt),
        ] {
            assert_eq!(of(&[statement("Allow", &json!({"Condition": condition}))]), expected, "{condition}");
        }
    }

    #[test]
    fn every_allow_has_to_be_bounded() {
        let bounded = statement("Allow", &json!({"Condition": {"StringEquals": {"aws:SourceVpc": "vpc-0000000a"}}}));
        let open = statement("Allow", &json!({}));
        let in_doubt =
            statement("Allow", &json!({"Condition": {"StringEqualsIfExists": {"aws:SourceVpc": "vpc-0000000a"}}}));
        assert_eq!(of(&[bounded.clone(), bounded.clone()]), Access::SomeVpcs);
        assert_eq!(of(&[bounded.clone(), in_doubt.clone()]), Access::InDoubt);
        assert_eq!(of(&[bounded, in_doubt, open]), Access::EveryVpc);
    }

    #[test]
    fn a_deny_shuts_out_the_other_vpcs() {
        let from_mine = not_from("aws:SourceVpc", "vpc-0000000a");
        // The example of AWS, in each form of the resource.
        assert_eq!(beside_deny(&from_mine), Access::SomeVpcs);
        assert_eq!(beside_deny(&not_from("aws:sourceVpce", "vpce-0000000a")), Access::SomeVpcs);
        for (changes, expected) in [
            (json!({"Resource": "*"}), Access::SomeVpcs),
            (json!({"Resource": "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/*"}), Access::SomeVpcs),
            (json!({"Action": "execute-api:*"}), Access::SomeVpcs),
            (json!({"Action": ["*"]}), Access::SomeVpcs),
            (json!({"Principal": {"AWS": "*"}}), Access::SomeVpcs),
            (json!({"Action": null, "NotAction": "execute-api:InvalidateCache"}), Access::SomeVpcs),
            // It leaves something to everybody.
            (json!({"Action": "execute-api:InvalidateCache"}), Access::EveryVpc),
            (json!({"Principal": {"AWS": "123456789012"}}), Access::EveryVpc),
            (json!({"Principal": {"AWS": "arn:aws:iam::*:role/*"}}), Access::EveryVpc),
            (json!({"Principal": {"Federated": "*"}}), Access::EveryVpc),
            (json!({"Resource": "execute-api:/prod/*"}), Access::InDoubt),
            (json!({"Resource": null, "NotResource": "execute-api:/health/*"}), Access::InDoubt),
            (json!({"Principal": null, "NotPrincipal": {"AWS": "123456789012"}}), Access::InDoubt),
        ] {
            let mut deny = changes;
            deny["Condition"] = from_mine["Condition"].clone();
            assert_eq!(beside_deny(&deny), expected, "{deny}");
        }
        for (condition, expected) in [
            (
                json!({"StringNotEquals": {"aws:SourceVpc": "vpc-0000000a", "aws:SourceVpce": "vpce-0000000a"}}),
                Access::SomeVpcs,
            ),
            (json!({"StringNotEqualsIfExists": {"aws:SourceVpc": "vpc-0000000a"}}), Access::SomeVpcs),
            (json!({"StringNotLike": {"aws:SourceVpc": "*"}}), Access::EveryVpc),
            (json!({"StringEquals": {"aws:SourceVpc": "vpc-0000000a"}}), Access::EveryVpc),
            (json!({"NotIpAddress": {"aws:VpcSourceIp": "10.0.0.0/8"}}), Access::EveryVpc),
            (
                json!({"StringNotEquals": {"aws:SourceVpc": "vpc-0000000a"}, "Bool": {"aws:ViaAWSService": "false"}}),
                Access::InDoubt,
            ),
        ] {
            assert_eq!(beside_deny(&json!({"Condition": condition})), expected, "{condition}");
        }
    }

    #[test]
    fn a_deny_has_to_concern_the_resources_of_the_allow() {
        for (allowed, denied, expected) in [
            ("execute-api:/prod/*", "execute-api:/prod/*", Access::SomeVpcs),
            ("execute-api:/prod/GET/orders", "execute-api:/prod/*", Access::SomeVpcs),
            ("arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/prod/*", "execute-api:/prod/*", Access::SomeVpcs),
            ("execute-api:/test/*", "execute-api:/prod/*", Access::InDoubt),
            ("execute-api:/prod/*", "execute-api:/*/GET/*", Access::InDoubt),
            ("execute-api:/prod/GET/orders", "execute-api:/*/GET/*", Access::SomeVpcs),
            ("execute-api:/prod/GET/*", "execute-api:/*/GET/*", Access::SomeVpcs),
            // The `*` of the first one may stand for more than the character of the other one.
            ("execute-api:/prod/*", "execute-api:/prod/?", Access::InDoubt),
            ("execute-api:/*", "*", Access::SomeVpcs),
            ("*", "execute-api:/*", Access::SomeVpcs),
        ] {
            let deny = json!({"Resource": denied, "Condition": {"StringNotEquals": {"aws:SourceVpc": "vpc-0000000a"}}});
            let statements = [statement("Allow", &json!({"Resource": allowed})), statement("Deny", &deny)];
            assert_eq!(of(&statements), expected, "{allowed} {denied}");
        }
    }

    #[test]
    fn nobody_can_call_an_api_without_an_allow_that_counts() {
        assert_eq!([None, Some(""), Some(" ")].map(access), [Access::Nobody; 3]);
        assert_eq!(of(&[statement("Deny", &json!({}))]), Access::Nobody);
        assert_eq!(of(&[statement("Allow", &json!({"Action": "execute-api:InvalidateCache"}))]), Access::Nobody);
        assert_eq!(of(&[statement("Allow", &json!({"Action": null, "NotAction": "execute-api:*"}))]), Access::Nobody);
        assert_eq!(beside_deny(&json!({})), Access::Nobody);
    }

    #[test]
    fn a_policy_that_cannot_be_read_is_in_doubt() {
        assert_eq!(["{}", "null", "{\\\"Statement\\\":", "\\"].map(|text| access(Some(text))), [Access::InDoubt; 4]);
    }
}
