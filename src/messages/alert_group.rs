//! All alerts of one VPC and one incident for one channel, before a format renders them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::message::{Attribute, string_array};
use crate::{
    alerts::{
        affected::Affected,
        alert::{Alert, Change},
        history::{HistoryState, vpc_of_key},
        plan::Plan,
    },
    channel::Channel,
    checks::severity::Severity,
    coverage::marker::MemberAccount,
    events::record::Trigger,
    network::model::Network,
};

/// All alerts of one VPC and one incident for one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertGroup<'a> {
    /// The account, 12 digits; empty where it is not known.
    pub account: &'a str,
    /// What AWS Organizations says of the account, if a hub knows it: its name and where it is, both untrusted text.
    pub member_account: Option<&'a MemberAccount>,
    /// The Region.
    pub region: &'a str,
    /// The VPC. Empty for REST APIs, which are in no VPC.
    pub vpc_id: &'a str,
    /// The value of its `Name` tag: untrusted text.
    pub vpc_name: Option<&'a str>,
    /// The newest record that affects the VPC.
    pub trigger: Option<&'a Trigger>,
    /// The number of records that affect it.
    pub trigger_count: usize,
    /// Whether the alerts are recorded in the alert history.
    pub history: HistoryState,
    /// When the incident started that the alerts belong to; `None` without an alert history.
    pub incident_started_at: Option<Timestamp>,
    /// The key of the exemption tag.
    pub exempt_tag: &'a str,
    /// The alerts, sorted by subject and service. Never empty.
    pub alerts: Vec<&'a Alert>,
}

/// The facts that all messages of one invocation share.
#[derive(Clone, Copy, Debug)]
pub struct MessageContext<'a> {
    /// What AWS Organizations says of the account, if a hub knows it.
    pub member_account: Option<&'a MemberAccount>,
    /// The network that was checked.
    pub network: &'a Network,
    /// What each record affects.
    pub affected: &'a [Affected<'a>],
    /// Whether the alerts are recorded in the alert history.
    pub history: HistoryState,
    /// The key of the exemption tag.
    pub exempt_tag: &'a str,
}

impl<'a> AlertGroup<'a> {
    /// The alerts that a plan sends on a channel, with one group for each incident, the oldest first.
    #[must_use]
    pub fn of_plan(plan: &'a Plan, channel: Channel, context: &MessageContext<'a>) -> Vec<Self> {
        let mut by_incident = BTreeMap::<Option<Timestamp>, Vec<&'a Alert>>::new();
        for (incident, outgoing) in plan.outgoing().filter(|(_, outgoing)| outgoing.channels.contains(&channel)) {
            by_incident.entry(incident).or_default().push(&outgoing.alert);
        }
        (by_incident.into_iter())
            .filter_map(|(incident, alerts)| Self::new(plan.vpc_id(), incident, alerts, context))
            .collect()
    }

    fn new(
        vpc_id: &'a str,
        incident_started_at: Option<Timestamp>,
        alerts: Vec<&'a Alert>,
        context: &MessageContext<'a>,
    ) -> Option<Self> {
        let MessageContext { member_account, network, affected, history, exempt_tag } = *context;
        let first = alerts.first()?;
        let records =
            || affected.iter().filter(|affected| affected.vpc_ids.contains(vpc_id)).map(|affected| affected.record);
        Some(Self {
            account: first.account(),
            member_account,
            region: first.region(),
            vpc_id: vpc_of_key(vpc_id),
            vpc_name: network.vpcs.iter().find(|vpc| vpc.id == vpc_id).and_then(|vpc| vpc.name.as_deref()),
            // If several records have the same second, or none has a time, the last in the batch counts as the newest.
            trigger: records().max_by_key(|record| record.time).map(|record| &record.trigger),
            trigger_count: records().count(),
            history,
            incident_started_at,
            exempt_tag,
            alerts,
        })
    }

    /// The worst severity of all alerts, including resolved ones: a subscriber that filters by severity also receives
    /// the alert that a finding is resolved.
    pub(super) fn severity(&self) -> Severity {
        self.alerts.iter().map(|alert| alert.severity()).max().unwrap_or(Severity::Low)
    }

    /// The worst severity of the open findings; `None` if all are resolved.
    pub(super) fn open_severity(&self) -> Option<Severity> {
        self.open().map(Alert::severity).max()
    }

    /// The alerts about open findings.
    pub(super) fn open(&self) -> impl Iterator<Item = &'a Alert> {
        self.alerts.iter().copied().filter(|alert| !alert.is_resolved())
    }

    /// The alerts about resolved findings.
    pub(super) fn resolved(&self) -> impl Iterator<Item = &'a Alert> {
        self.alerts.iter().copied().filter(|alert| alert.is_resolved())
    }

    /// The word in brackets at the start of a subject or title: the worst severity of the open findings, or `RESOLVED`.
    pub(super) fn label(&self) -> &'static str {
        self.open_severity().map_or("RESOLVED", Severity::name)
    }

    /// The message attributes, which filter policies match on. Attributes without a value are left out.
    pub(super) fn attributes(&self) -> Vec<Attribute> {
        let string = |name, value: &str| Attribute { name, data_type: "String", value: value.to_owned() };
        let checks = self.alerts.iter().map(|alert| alert.check().name()).collect();
        let services = self.alerts.iter().map(|alert| alert.service_name()).collect();
        let changes = self.alerts.iter().map(|alert| alert.change()).collect::<BTreeSet<Change>>();
        let mut attributes = vec![
            string("severity", self.severity().name()),
            string("account", self.account),
            string("accountName", &self.account_name().map(visible).unwrap_or_default()),
            string("region", self.region),
            string("vpcId", self.vpc_id),
            string_array("services", &services),
            string_array("changes", &changes.into_iter().map(Change::name).collect()),
            string_array("checks", &checks),
        ];
        attributes.retain(|attribute| !attribute.value.is_empty());
        attributes
    }

    /// The name of the account in its organization: untrusted text, cut to the length that AWS allows
    /// (<https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html>).
    pub(super) fn account_name(&self) -> Option<&'a str> {
        const MAX_CHARS: usize = 50;
        let name = self.member_account?.name.as_deref()?;
        Some(name.char_indices().nth(MAX_CHARS).map_or(name, |(end, _)| &name[..end]))
    }

    /// Where the account is in its organization: untrusted text.
    pub(super) fn organizational_unit(&self) -> Option<&'a str> {
        self.member_account?.organizational_unit.as_deref()
    }

    /// The ids of the findings of all alerts.
    pub(super) fn finding_ids(&self) -> BTreeSet<String> {
        self.alerts.iter().map(|alert| alert.finding_id().to_owned()).collect()
    }
}

/// The characters of untrusted text that can be seen. SNS refuses some control characters in an attribute, and a filter
/// policy cannot match what nobody sees.
fn visible(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{NAT, VPC, alert_group, finding, moment, opened, private, since},
        *,
    };
    use crate::{
        alerts::{
            history::AlertRecord,
            plan::{Outgoing, Step, TrackedPlan, UntrackedPlan},
            testing,
        },
        events::{
            record::{AlertRequest, Record},
            scope::Scope,
        },
        network::{model::Vpc, testing::vpc},
    };

    #[test]
    fn a_group_has_the_alerts_of_one_incident_for_one_channel_and_the_newest_trigger() {
        let alert = opened(finding(&private(Some(NAT))));
        let channels = BTreeSet::from([Channel::Json]);
        let step = |started_at, table| {
            let record = AlertRecord { incident_started_at: started_at, ..testing::record(VPC, table, &[]) };
            Step::send(alert.clone(), channels.clone(), record)
        };
        let later = moment("2026-11-23T10:00:00Z");
        let tracked = Plan::Tracked(TrackedPlan {
            vpc_id: VPC.into(),
            version: 1,
            lease_expires_at: None,
            last_incident: None,
            steps: vec![step(later, "rtb-0000000a"), step(since(), "rtb-0000000b"), step(later, "rtb-0000000c")],
        });
        let untracked = Plan::Untracked(UntrackedPlan {
            vpc_id: VPC.into(),
            outgoing: vec![Outgoing { alert: alert.clone(), channels }],
        });
        let record = |trigger: Trigger, time: &str| Record {
            scope: Scope::default(),
            trigger,
            time: Some(time.parse().unwrap()),
            alerts: AlertRequest::Changes,
        };
        let records = [
            record(Trigger::Schedule, "2026-11-20T10:00:00Z"),
            record(Trigger::ConfigItem, "2026-11-20T10:00:05Z"),
            record(Trigger::Manual, "2026-11-20T09:00:00Z"),
            record(Trigger::Manual, "2026-11-20T11:00:00Z"),
        ];
        let affected: Vec<Affected<'_>> = (records.iter().zip([VPC, VPC, VPC, "vpc-0000000b"]))
            .map(|(record, vpc_id)| Affected {
                record,
                route_table_ids: BTreeSet::new().into(),
                endpoint_vpc_ids: BTreeSet::new().into(),
                vpc_ids: BTreeSet::from([vpc_id.to_owned()]).into(),
                receive_count: None,
            })
            .collect();
        let network = Network { vpcs: vec![Vpc { name: Some("prod".into()), ..vpc(VPC) }], ..Network::default() };
        let context = MessageContext {
            member_account: None,
            network: &network,
            affected: &affected,
            history: HistoryState::On,
            exempt_tag: "gatewatch:exempt",
        };

        let alerts = [alert.clone(), alert];
        let of_call = alert_group(&Trigger::ConfigItem, &alerts);
        let two = AlertGroup { trigger_count: 3, incident_started_at: Some(later), ..of_call.clone() };
        let one =
            AlertGroup { incident_started_at: Some(since()), alerts: of_call.alerts[..1].to_vec(), ..two.clone() };
        assert_eq!(AlertGroup::of_plan(&tracked, Channel::Json, &context), [one.clone(), two]);
        assert_eq!(
            AlertGroup::of_plan(&untracked, Channel::Json, &context),
            [AlertGroup { incident_started_at: None, ..one }]
        );
        assert_eq!(AlertGroup::of_plan(&tracked, Channel::Chat, &context), []);
    }
}
