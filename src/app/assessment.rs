//! The steps read, check and plan: what one read of the network leads to.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::try_join;
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::{
    alerts::{
        affected::{Affected, vpcs_with_affected_endpoints, with_history},
        observation::Observation,
        plan::Plan,
        planner::plans,
        policy::Policy,
    },
    app::{
        deadline::Deadline,
        snapshot::{self, Snapshot},
        subscriptions::Subscriptions,
    },
    aws::{
        account_clients::AccountClients,
        dynamodb::history_table::HistoryTable,
        ec2::{known_vpcs::KnownVpcs, list::Lists, reader::Reader},
        endpoint_facts,
    },
    channel::Channel,
    checks::{
        check::CheckName,
        endpoint_context::{EndpointContext, EndpointInput},
        endpoint_problem::EndpointVerdict,
        finding::Finding,
        gateway_endpoint::{
            missing_facts::MissingFacts,
            rule::{Verdict, evaluate},
        },
        list::{evaluate_endpoints, has_endpoint_checks, needed_facts},
    },
    error::Error,
    events::{
        payload::Payload,
        scope::{Scope, TablesInScope},
    },
    network::{
        account::AccountRegion,
        endpoint_facts::{CentralNames, EndpointFacts, RestApis},
        model::Network,
        selection::VpcSelection,
        service::GatewayService,
    },
    settings::Settings,
};

/// The inputs of the three steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Check<'a> {
    pub(super) settings: &'a Settings,
    pub(super) clients: &'a AccountClients,
    pub(super) known_vpcs: &'a KnownVpcs,
    pub(super) payload: &'a Payload,
    /// Maximum number of VPCs of a Region that is checked as a whole.
    pub(super) max_vpcs: Option<usize>,
    pub(super) account_region: &'a AccountRegion,
    pub(super) deadline: &'a Deadline,
    /// When the attempt started, in whole seconds.
    pub(super) now: Timestamp,
}

/// A snapshot, and the result of checking the tables and endpoints in scope.
#[derive(Debug)]
pub(super) struct Assessment<'a> {
    pub(super) snapshot: Snapshot,
    pub(super) tables: TablesInScope,
    /// The result for route tables. Its findings are those of all checks.
    pub(super) verdict: Verdict,
    /// The result for endpoints, without its problems, which are findings now.
    pub(super) endpoints: EndpointVerdict,
    /// What else serves private names, by VPC id. It is read once per invocation: that can take long, and it changes rarely.
    central_names: BTreeMap<String, CentralNames>,
    /// The REST APIs of the Region, if they were read.
    pub(super) rest_apis: Option<RestApis>,
    /// What each record affects.
    pub(super) affected: Vec<Affected<'a>>,
}

impl<'a> Check<'a> {
    /// Reads the network and the alert history, and checks the tables in scope.
    pub(super) async fn read_and_check(
        &self,
        history_table: Option<&HistoryTable<'_>>,
    ) -> Result<Assessment<'a>, Error> {
        let (scope, recent) = (self.payload.scope(), self.payload.recent_scope(self.now));
        let reading = async {
            let snapshot = snapshot::take(&self.reader(), history_table, &scope, &recent, self.deadline).await?;
            self.check(snapshot, &BTreeMap::new()).await
        };
        self.deadline.read(reading).await
    }

    /// Reads and checks VPCs of an earlier assessment again. The part of the alert history about them stays as it was read.
    pub(super) async fn read_and_check_again(
        &self,
        vpc_ids: &BTreeSet<String>,
        earlier: &Assessment<'_>,
    ) -> Result<Assessment<'a>, Error> {
        let reading = async {
            let snapshot = snapshot::take_again(&self.reader(), vpc_ids, &earlier.snapshot.history).await?;
            self.check(snapshot, &earlier.central_names).await
        };
        self.deadline.read_again(reading).await
    }

    /// Reads the network.
    pub(super) fn reader(&self) -> Reader<'a> {
        let lists = Lists {
            client: &self.clients.ec2,
            bucket: &self.clients.ec2_bucket,
            exempt_tag: &self.settings.exempt_tag,
            keeps_policies: self.settings.checks.contains(&CheckName::EndpointPolicy),
        };
        Reader {
            lists,
            known_vpcs: self.known_vpcs,
            known_services: &self.clients.known_services,
            checks_endpoints: has_endpoint_checks(&self.settings.checks),
            max_vpcs: self.max_vpcs,
        }
    }

    /// Checks the tables and endpoints in scope. If a finding depends on something that the lists of EC2 do not say, reads
    /// that as well and checks again. What the checks of endpoints need is read at the same time, except for the central names
    /// that are known.
    async fn check(
        &self,
        mut snapshot: Snapshot,
        known: &BTreeMap<String, CentralNames>,
    ) -> Result<Assessment<'a>, Error> {
        let (checks, scope) = (&self.settings.checks, self.payload.scope());
        let vpcs = vpcs_with_endpoints(&scope, &snapshot);
        let (mut tables, mut verdict) = self.evaluate(&scope, &snapshot);
        let missing = MissingFacts::of(&snapshot.network, &verdict.findings, &scope.nat_gateways);
        let mut facts = EndpointFacts::default();
        let mut needed = needed_facts(checks, &self.endpoints(&scope, &snapshot.network, &facts, &vpcs));
        needed.central_names_of.retain(|vpc_id| !known.contains_key(vpc_id));
        if !missing.is_empty() || !needed.is_empty() {
            let reader = self.reader();
            ((), facts) = try_join!(
                reader.complete(&mut snapshot.network, &missing),
                endpoint_facts::read(&reader, self.clients, &needed, &scope.deleted),
            )?;
        }
        facts.central_names.extend(known.clone());
        if !missing.is_empty() {
            (tables, verdict) = self.evaluate(&scope, &snapshot);
        }
        let mut endpoints = evaluate_endpoints(checks, &self.endpoints(&scope, &snapshot.network, &facts, &vpcs));
        verdict.findings.extend(std::mem::take(&mut endpoints.problems).into_iter().map(Finding::from));
        verdict.findings.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        let affected = Affected::of_records(self.payload, &snapshot.network, &snapshot.history, self.account_region);
        let EndpointFacts { central_names, rest_apis, .. } = facts;
        Ok(Assessment { snapshot, tables, verdict, endpoints, central_names, rest_apis, affected })
    }

    fn evaluate(&self, scope: &Scope, Snapshot { network, history, .. }: &Snapshot) -> (TablesInScope, Verdict) {
        let tables = with_history(scope, history, network).tables_in(network, self.account_region);
        if !self.settings.checks.contains(&CheckName::GatewayRoute) {
            // No table is checked. What is not found is reported all the same.
            let tables = TablesInScope { not_found: tables.not_found, ..TablesInScope::default() };
            return (tables, Verdict::default());
        }
        let required = &self.settings.required_services;
        let verdict = evaluate(network, &tables.route_table_ids, required, self.account_region, self.today());
        (tables, verdict)
    }

    fn endpoints<'b>(
        &'b self,
        scope: &Scope,
        network: &'b Network,
        facts: &'b EndpointFacts,
        vpcs: &'b VpcSelection,
    ) -> EndpointContext<'b> {
        EndpointContext::new(EndpointInput {
            network,
            facts,
            account_region: self.account_region,
            vpcs,
            checks_rest_apis: scope.concerns_rest_apis(),
            route_table_services: self.route_table_services(),
            min_severity: self.settings.min_severity,
            required_interfaces: &self.settings.required_interfaces,
            organization_id: self.settings.organization_id.as_deref(),
            today: self.today(),
        })
    }

    /// The services that route tables are judged for.
    fn route_table_services(&self) -> &BTreeSet<GatewayService> {
        static NONE: BTreeSet<GatewayService> = BTreeSet::new();
        let is_on = self.settings.checks.contains(&CheckName::GatewayRoute);
        if is_on { &self.settings.required_services } else { &NONE }
    }

    /// The current day in UTC.
    fn today(&self) -> Date {
        self.now.to_zoned(TimeZone::UTC).date()
    }

    /// Plans the alerts. If there is something to send, plans again without the topics that have no subscribers.
    pub(super) async fn plan(&self, assessment: &Assessment<'_>, subscriptions: &Subscriptions<'_>) -> Vec<Plan> {
        let policy = policy(self.settings);
        let planned = self.plan_with(assessment, &policy);
        let channels: BTreeSet<Channel> = planned.iter().flat_map(Plan::channels).collect();
        let without_subscribers = subscriptions.without_subscribers(&channels).await;
        if without_subscribers.is_empty() {
            return planned;
        }
        self.plan_with(assessment, &policy.without(without_subscribers))
    }

    fn plan_with(&self, assessment: &Assessment<'_>, policy: &Policy) -> Vec<Plan> {
        let Assessment { snapshot, verdict, endpoints, rest_apis, affected, .. } = assessment;
        let observation = Observation {
            network: &snapshot.network,
            findings: &verdict.findings,
            exempt: &verdict.exempt,
            exempt_problems: &endpoints.exempt,
            unassessed: &endpoints.unassessed,
            rest_apis: rest_apis.as_ref(),
            affected,
            account_region: self.account_region,
            now: self.now,
        };
        plans(&observation, &snapshot.history, policy)
    }
}

/// The VPCs whose endpoints are judged. They are those that [`Affected`] names for all records together: a finding of a VPC
/// that was not judged must not be resolved.
fn vpcs_with_endpoints(scope: &Scope, Snapshot { network, history, .. }: &Snapshot) -> VpcSelection {
    if scope.region {
        VpcSelection::Region
    } else {
        VpcSelection::Vpcs(vpcs_with_affected_endpoints(scope, network, history))
    }
}

/// The part of the settings that the planner needs.
fn policy(settings: &Settings) -> Policy {
    Policy {
        checks: settings.checks.clone(),
        required_services: settings.required_services.clone(),
        required_interfaces: settings.required_interfaces.clone(),
        min_severity: settings.min_severity,
        remind_after: settings.remind_after,
        channels: settings.channels(),
        without_subscribers: BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::{channel::Channel, checks::severity::Severity};

    #[test]
    fn the_policy_has_the_values_of_the_settings() {
        const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:gatewatch";
        let settings = Settings::read(|name| {
            let value = match name {
                "AWS_REGION" => "eu-west-1",
                "TOPIC_ARN" | "CHAT_TOPIC_ARN" => TOPIC,
                "MIN_SEVERITY" => "MEDIUM",
                "REMIND_DAYS" => "1",
                "CHECKS" => "endpoint-dns,gateway-route",
                "REQUIRED_INTERFACES" => "ssm",
                _ => return None,
            };
            Some(value.to_owned())
        });
        assert_eq!(
            policy(&settings.unwrap()),
            Policy {
                checks: BTreeSet::from([CheckName::GatewayRoute, CheckName::EndpointDns]),
                required_services: BTreeSet::from([GatewayService::S3, GatewayService::DynamoDb]),
                required_interfaces: BTreeSet::from(["ssm".to_owned()]),
                min_severity: Severity::Medium,
                remind_after: Some(SignedDuration::from_hours(24)),
                channels: BTreeSet::from([Channel::Json, Channel::Chat]),
                without_subscribers: BTreeSet::new(),
            }
        );
    }
}
