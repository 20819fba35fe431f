//! The steps read, check and plan: what one read of the network leads to.

use std::collections::BTreeSet;

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    alerts::{
        affected::{Affected, with_history},
        history::AlertHistory,
        observation::Observation,
        plan::Plan,
        planner::plans,
        policy::Policy,
    },
    app::{
        handler::{Gatewatch, Invocation, policy},
        snapshot::{self, Snapshot},
        subscriptions::Subscriptions,
    },
    aws::{dynamodb::history_table::HistoryTable, ec2::reader::Reader},
    channel::Channel,
    checks::gateway_endpoint::rule::{Verdict, evaluate},
    error::Error,
    events::{payload::Payload, scope::TablesInScope},
};

/// The inputs of the three steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Check<'a> {
    pub(super) gatewatch: &'a Gatewatch,
    pub(super) payload: &'a Payload,
    pub(super) invocation: &'a Invocation,
    /// When the attempt started, in whole seconds.
    pub(super) now: Timestamp,
}

/// A snapshot, and the result of checking the tables in scope.
#[derive(Debug)]
pub(super) struct Assessment<'a> {
    pub(super) snapshot: Snapshot,
    pub(super) tables: TablesInScope,
    pub(super) verdict: Verdict,
    /// What each record affects.
    pub(super) affected: Vec<Affected<'a>>,
}

impl<'a> Check<'a> {
    /// Reads the network and the alert history.
    pub(super) async fn read(&self, history_table: Option<&HistoryTable<'_>>) -> Result<Snapshot, Error> {
        let deadline = &self.invocation.deadline;
        let (scope, recent) = (self.payload.scope(), self.payload.recent_scope(self.now));
        deadline.read(snapshot::take(&self.reader(), history_table, &scope, &recent, deadline)).await
    }

    /// Reads the network of one VPC again. The part of the alert history about it stays as it was read.
    pub(super) async fn read_again(&self, vpc_id: &str, history: &AlertHistory) -> Result<Snapshot, Error> {
        self.invocation.deadline.read_again(snapshot::take_again(&self.reader(), vpc_id, history)).await
    }

    fn reader(&self) -> Reader<'a> {
        Reader { client: &self.gatewatch.clients.ec2, exempt_tag: &self.gatewatch.settings.exempt_tag }
    }

    /// Checks the tables in scope.
    pub(super) fn assess(&self, snapshot: Snapshot) -> Assessment<'a> {
        let Snapshot { network, history, .. } = &snapshot;
        let account_region = &self.invocation.account_region;
        let tables = with_history(&self.payload.scope(), history, network).tables_in(network, account_region);
        let today = self.now.to_zoned(TimeZone::UTC).date();
        let required = &self.gatewatch.settings.required_services;
        let verdict = evaluate(network, &tables.route_table_ids, required, account_region, today);
        let affected = Affected::of_records(self.payload, network, history, account_region);
        Assessment { snapshot, tables, verdict, affected }
    }

    /// Plans the alerts. If there is something to send, looks up which topics have subscribers, and plans again without the
    /// others.
    pub(super) async fn plan(&self, assessment: &Assessment<'_>, subscriptions: &Subscriptions<'_>) -> Vec<Plan> {
        let policy = policy(&self.gatewatch.settings);
        let planned = self.plan_with(assessment, &policy);
        let channels: BTreeSet<Channel> = planned.iter().flat_map(Plan::channels).collect();
        let without_subscribers = subscriptions.missing(&channels).await;
        if without_subscribers.is_empty() {
            return planned;
        }
        self.plan_with(assessment, &policy.without(without_subscribers))
    }

    fn plan_with(&self, assessment: &Assessment<'_>, policy: &Policy) -> Vec<Plan> {
        let Assessment { snapshot, verdict, affected, .. } = assessment;
        let observation = Observation {
            network: &snapshot.network,
            findings: &verdict.findings,
            exempt: &verdict.exempt,
            affected,
            account_region: &self.invocation.account_region,
            now: self.now,
        };
        plans(&observation, &snapshot.history, policy)
    }
}
