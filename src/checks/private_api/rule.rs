//! Can the right VPCs reach a private REST API, and only they?
//!
//! | given a REST API of the type `PRIVATE` that names a VPC endpoint | then the endpoint is |
//! |---|---|
//! | that is known to be deleted, or is being deleted | gone |
//! | that exists in the account | there |
//! | any other | not visible: it is gone, or it belongs to another account |
//!
//! | given such an API | then |
//! |---|---|
//! | whose resource policy lets every VPC call it ([`super::access`]) | `policy_without_source_vpc`, `MEDIUM`; the evidence names endpoints that are gone as well |
//! | else that names an endpoint that is gone | `associated_endpoint_gone`, `MEDIUM` |
//! | else whose resource policy names the VPCs or endpoints, or lets nobody call it | in order |
//! | that names an endpoint that is not visible | not assessed: `endpoint_not_visible` |
//! | whose resource policy cannot be read, or depends on what nobody can say | not assessed: `unreadable_policy` |
//!
//! The policy comes first, because only the event of a deletion says that an endpoint is gone: later it is not visible. A
//! finding about the policy is the same before and after.
//!
//! An API belongs to the Region and to no VPC. The check judges nothing if the APIs were not read.

use std::collections::BTreeSet;

use crate::{
    checks::{
        check::CheckName,
        endpoint_context::{Decided, Draft, EndpointContext},
        endpoint_problem::{
            Defect, EndpointCaution, EndpointFix, EndpointVerdict, Evidence, Subject, SubjectKind, Unassessed,
            UnassessedReason,
        },
        needed_facts::NeededFacts,
        private_api::access::{Access, access},
        severity::Severity,
    },
    network::endpoint_facts::{RestApi, RestApis},
};

const CHECK: CheckName = CheckName::PrivateApi;

/// Judges the private REST APIs of the Region.
pub fn evaluate(context: &EndpointContext<'_>, verdict: &mut EndpointVerdict) {
    let Some(apis) = &context.input.facts.rest_apis else { return };
    let deleted = deleted_endpoints(context, apis);
    let service = format!("com.amazonaws.{}.execute-api", context.input.account_region.region);
    let mut private: Vec<&RestApi> = apis.apis.iter().filter(|api| api.is_private()).collect();
    private.sort_by_key(|api| &api.id);
    for api in private {
        let named: BTreeSet<&str> = api.vpc_endpoint_ids.iter().map(String::as_str).collect();
        let (gone, rest): (Vec<&str>, Vec<&str>) = named.into_iter().partition(|id| deleted.contains(id));
        let (there, invisible): (Vec<&str>, Vec<&str>) =
            rest.into_iter().partition(|id| apis.endpoint_ids.contains(*id));
        let access = access(api.policy.as_deref());
        let mut doubt = |reason, ids: &[&str]| {
            let unassessed = Unassessed {
                check: CHECK,
                subject: subject_of(api),
                service: service.clone(),
                vpc_id: None,
                reason,
                in_doubt: texts(ids),
            };
            context.add_doubt(unassessed, api.exemption.as_deref(), verdict);
        };
        if !invisible.is_empty() {
            doubt(UnassessedReason::EndpointNotVisible, &invisible);
        }
        if access == Access::InDoubt {
            doubt(UnassessedReason::UnreadablePolicy, &[]);
        }
        let (defect, fix) = if access == Access::EveryVpc {
            (Defect::PolicyWithoutSourceVpc, EndpointFix::ReviewApiPolicy { api_id: api.id.clone() })
        } else if !gone.is_empty() {
            let fix = EndpointFix::RemoveAssociatedEndpoints { api_id: api.id.clone(), endpoint_ids: texts(&gone) };
            (Defect::AssociatedEndpointGone, fix)
        } else {
            continue;
        };
        let draft = Draft {
            subject: subject_of(api),
            service: &service,
            vpc_id: None,
            owner_id: None,
            exemption: api.exemption.as_deref(),
            decided: Decided {
                defect,
                severity: Severity::Medium,
                subnets: Vec::new(),
                evidence: Evidence::RestApi {
                    endpoint_ids: texts(&there),
                    gone_endpoint_ids: texts(&gone),
                    has_source_condition: match access {
                        Access::SomeVpcs => Some(true),
                        Access::EveryVpc => Some(false),
                        Access::Nobody | Access::InDoubt => None,
                    },
                },
                fix,
                cautions: BTreeSet::from([EndpointCaution::DeployApi]),
            },
        };
        context.report(CHECK, draft, verdict);
    }
}

/// Adds the facts that [`evaluate`] needs.
pub fn needs(context: &EndpointContext<'_>, needed: &mut NeededFacts) {
    needed.rest_apis |= context.input.checks_rest_apis;
}

/// The endpoints that are deleted, or are being deleted. Two reads know of some: that of the network, which may be newer, and
/// that of the endpoints which the APIs name. The second one also knows the event of a deletion.
fn deleted_endpoints<'a>(context: &EndpointContext<'a>, apis: &'a RestApis) -> BTreeSet<&'a str> {
    let listed = context.input.network.endpoints.iter().filter(|endpoint| endpoint.is_deleted());
    listed.map(|endpoint| endpoint.id.as_str()).chain(apis.deleted_endpoint_ids.iter().map(String::as_str)).collect()
}

fn subject_of(api: &RestApi) -> Subject {
    Subject { kind: SubjectKind::RestApi, id: api.id.clone(), name: api.name.clone() }
}

fn texts(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checks::{
            endpoint_problem::{EndpointProblem, ExemptProblem, problem_id},
            endpoint_testing::{VPC, World, doubts, only},
        },
        network::{
            model::Endpoint,
            testing::{REGION, account_region, interface_endpoint},
        },
    };

    const SERVICE: &str = "com.amazonaws.eu-west-1.execute-api";

    const BOUNDED: &str = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"*"},
        {"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"*",
        "Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-0000000a"}}}]}"#;
    const FOR_ALL: &str = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*"}]}"#;

    fn api(endpoints: &[&str], policy: Option<&str>) -> RestApi {
        RestApi {
            id: "a1b2c3d4e5".into(),
            name: Some("orders".into()),
            endpoint_types: vec!["PRIVATE".into()],
            vpc_endpoint_ids: texts(endpoints),
            policy: policy.map(str::to_owned),
            ..RestApi::default()
        }
    }

    /// A Region with these APIs, an endpoint that exists, and one that is deleted.
    fn world(apis: &[RestApi]) -> World {
        let mut world = World::new(&[], &[interface_endpoint("vpce-0000000a", VPC, "execute-api")]);
        world.facts.rest_apis = Some(RestApis {
            apis: apis.to_vec(),
            endpoint_ids: BTreeSet::from(["vpce-0000000a".to_owned()]),
            deleted_endpoint_ids: BTreeSet::from(["vpce-0000000d".to_owned()]),
        });
        world
    }

    fn subject() -> Subject {
        Subject { kind: SubjectKind::RestApi, id: "a1b2c3d4e5".into(), name: Some("orders".into()) }
    }

    fn expected(defect: Defect, evidence: Evidence, fix: EndpointFix) -> EndpointVerdict {
        only(EndpointProblem {
            id: problem_id(&account_region(), "123456789012", CHECK, "a1b2c3d4e5", SERVICE),
            check: CHECK,
            subject: subject(),
            service: SERVICE.into(),
            defect,
            severity: Severity::Medium,
            account: "123456789012".into(),
            region: REGION.into(),
            vpc_id: None,
            subnets: Vec::new(),
            exemption: None,
            evidence,
            fix,
            cautions: BTreeSet::from([EndpointCaution::DeployApi]),
        })
    }

    fn gone(there: &[&str], gone: &[&str], has_source_condition: Option<bool>) -> EndpointVerdict {
        let evidence =
            Evidence::RestApi { endpoint_ids: texts(there), gone_endpoint_ids: texts(gone), has_source_condition };
        let api_id = "a1b2c3d4e5".into();
        let fix = EndpointFix::RemoveAssociatedEndpoints { api_id, endpoint_ids: texts(gone) };
        expected(Defect::AssociatedEndpointGone, evidence, fix)
    }

    fn for_all(there: &[&str], gone: &[&str]) -> EndpointVerdict {
        let evidence = Evidence::RestApi {
            endpoint_ids: texts(there),
            gone_endpoint_ids: texts(gone),
            has_source_condition: Some(false),
        };
        let fix = EndpointFix::ReviewApiPolicy { api_id: "a1b2c3d4e5".into() };
        expected(Defect::PolicyWithoutSourceVpc, evidence, fix)
    }

    fn in_doubt(reason: UnassessedReason, ids: &[&str]) -> Unassessed {
        Unassessed {
            check: CHECK,
            subject: subject(),
            service: SERVICE.into(),
            vpc_id: None,
            reason,
            in_doubt: texts(ids),
        }
    }

    #[test]
    fn an_api_that_names_a_deleted_endpoint_is_a_problem() {
        let named = ["vpce-0000000d", "vpce-0000000a", "vpce-0000000d"];
        let expected = gone(&["vpce-0000000a"], &["vpce-0000000d"], Some(true));
        assert_eq!(world(&[api(&named, Some(BOUNDED))]).verdict(evaluate), expected);
        let mut deleting = world(&[api(&["vpce-0000000e"], None)]);
        let endpoint = interface_endpoint("vpce-0000000e", VPC, "execute-api");
        deleting.network.endpoints.push(Endpoint { state: "Deleting".into(), ..endpoint });
        assert_eq!(deleting.verdict(evaluate), gone(&[], &["vpce-0000000e"], None));
    }

    /// The next sweep does not know that the endpoint is gone.
    #[test]
    fn a_policy_for_every_vpc_is_the_same_problem_before_and_after_a_sweep() {
        let mut both = world(&[api(&["vpce-0000000d"], Some(FOR_ALL))]);
        assert_eq!(both.verdict(evaluate), for_all(&[], &["vpce-0000000d"]));
        both.facts.rest_apis.as_mut().unwrap().deleted_endpoint_ids.clear();
        let mut at_the_sweep = for_all(&[], &[]);
        at_the_sweep.unassessed.insert(in_doubt(UnassessedReason::EndpointNotVisible, &["vpce-0000000d"]));
        assert_eq!(both.verdict(evaluate), at_the_sweep);
    }

    #[test]
    fn an_endpoint_that_is_not_visible_may_belong_to_another_account() {
        let world_with = |policy| world(&[api(&["vpce-0000000f"], Some(policy))]);
        let not_visible = in_doubt(UnassessedReason::EndpointNotVisible, &["vpce-0000000f"]);
        assert_eq!(world_with(BOUNDED).verdict(evaluate), doubts([not_visible.clone()]));
        let mut both = for_all(&[], &[]);
        both.unassessed.insert(not_visible);
        assert_eq!(world_with(FOR_ALL).verdict(evaluate), both);
    }

    #[test]
    fn a_policy_without_a_condition_on_the_source_lets_every_vpc_in() {
        assert_eq!(
            world(&[api(&["vpce-0000000a"], Some(FOR_ALL))]).verdict(evaluate),
            for_all(&["vpce-0000000a"], &[])
        );
        for condition in
            [r#""StringEquals":{"aws:SourceVpc":"vpc-0000000a"}"#, r#""stringlike":{"AWS:SOURCEVPCE":["vpce-*"]}"#]
        {
            let policy = FOR_ALL.replace("\"Effect\"", &format!("\"Condition\":{{{condition}}},\"Effect\""));
            assert_eq!(world(&[api(&[], Some(&policy))]).verdict(evaluate), EndpointVerdict::default(), "{policy}");
        }
        for condition in [r#""IpAddress":{"aws:VpcSourceIp":"10.0.0.0/8"}"#, r#""Bool":{"aws:SecureTransport":"true"}"#]
        {
            let policy = FOR_ALL.replace("\"Effect\"", &format!("\"Condition\":{{{condition}}},\"Effect\""));
            assert_eq!(world(&[api(&[], Some(&policy))]).verdict(evaluate), for_all(&[], &[]), "{policy}");
        }
    }

    #[test]
    fn the_policy_may_be_escaped_once_more() {
        let escape = |text: &str| text.replace('\n', "").replace('/', "\\/").replace('"', "\\\"");
        assert_eq!(world(&[api(&[], Some(&escape(FOR_ALL)))]).verdict(evaluate), for_all(&[], &[]));
        assert_eq!(world(&[api(&[], Some(&escape(BOUNDED)))]).verdict(evaluate), EndpointVerdict::default());
        let quoted = format!("\"{}\"", escape(FOR_ALL));
        assert_eq!(world(&[api(&[], Some(&quoted))]).verdict(evaluate), for_all(&[], &[]));
    }

    #[test]
    fn nobody_can_call_an_api_without_a_policy() {
        let deny = FOR_ALL.replace("Allow", "Deny");
        for policy in [None, Some(""), Some(" "), Some(deny.as_str())] {
            assert_eq!(world(&[api(&[], policy)]).verdict(evaluate), EndpointVerdict::default(), "{policy:?}");
        }
    }

    #[test]
    fn a_policy_that_cannot_be_read_is_not_assessed() {
        for policy in ["{}", "null", "{\\\"Statement\\\":", "\\"] {
            let expected = doubts([in_doubt(UnassessedReason::UnreadablePolicy, &[])]);
            assert_eq!(world(&[api(&[], Some(policy))]).verdict(evaluate), expected, "{policy}");
        }
    }

    #[test]
    fn only_private_apis_are_judged_if_they_were_read() {
        for (kind, is_judged) in [("PRIVATE", true), ("private", true), ("REGIONAL", false), ("EDGE", false)] {
            let mut world = world(&[RestApi { endpoint_types: vec![kind.into()], ..api(&[], Some(FOR_ALL)) }]);
            assert_eq!(world.verdict(evaluate).problems.len(), usize::from(is_judged), "{kind}");
            world.facts.rest_apis = None;
            assert_eq!(world.verdict(evaluate), EndpointVerdict::default());
        }
    }

    #[test]
    fn a_tag_exempts_the_api() {
        let tagged = |policy| RestApi { exemption: Some("private-api".into()), ..api(&["vpce-0000000f"], policy) };
        let problem = ExemptProblem {
            check: CHECK,
            subject: subject(),
            service: SERVICE.into(),
            vpc_id: None,
            exempted_by: vec!["a1b2c3d4e5".into()],
        };
        let exempt = EndpointVerdict { exempt: vec![problem], ..EndpointVerdict::default() };
        for policy in [FOR_ALL, "{}"] {
            assert_eq!(world(&[tagged(Some(policy))]).verdict(evaluate), exempt, "{policy}");
        }
    }
}
