//! The alerts as a plain-text e-mail that is easy to read on a phone: short lines, the most important first. Each
//! command is on a line of its own, so that it can be copied.

use std::{collections::BTreeSet, ops::Range};

use super::{
    alert_group::AlertGroup,
    content::{self, CautionAbout, Group, SharedFix},
    message::{Attribute, MAX_MESSAGE, MAX_SUBJECT, Message, counted, subject},
    prose,
    remediation::exemption,
    service_name::titles,
    untrusted_text::{Line, quoted},
};
use crate::checks::check::CheckName;

/// The maximum number of groups in the overview. The e-mail describes all groups below it.
const MAX_OVERVIEW: usize = 10;

/// One e-mail, or several if one would be too large.
pub(super) fn messages(alerts: &AlertGroup<'_>) -> Vec<Message> {
    let groups = content::groups(alerts);
    let email = Email::new(alerts, &groups);
    let attributes = alerts.attributes();
    let overhead = MAX_SUBJECT
        + attributes.iter().map(Attribute::size).sum::<usize>()
        + email.body(Some((usize::MAX, usize::MAX)), &[]).len();
    let parts = email.parts(MAX_MESSAGE.saturating_sub(overhead));

    let count = parts.len();
    (parts.into_iter().enumerate())
        .map(|(n, Part { blocks, finding_ids, .. })| {
            let part = (count > 1).then_some((n + 1, count));
            Message {
                subject: subject(prose::message::headline(alerts, part, MAX_SUBJECT)),
                body: email.body(part, &blocks),
                attributes: attributes.clone(),
                finding_ids,
            }
        })
        .collect()
}

/// The blocks of one message.
#[derive(Default)]
struct Part {
    /// The size of the blocks in bytes, with the empty line between two blocks.
    size: usize,
    blocks: Vec<String>,
    finding_ids: BTreeSet<String>,
}

/// The content of all parts.
struct Email<'a> {
    alerts: &'a AlertGroup<'a>,
    groups: &'a [Group<'a>],
    /// The fixes for more than one route table. They stand in the head.
    fixes_of_tables: Vec<SharedFix<'a>>,
    /// The fixes for more than one endpoint. Each stands in the block of its first group, and not in the head: there can be
    /// many, and each can be long.
    fixes_of_endpoints: Vec<SharedFix<'a>>,
    /// The cautions that the head says for all commands. Empty if only one group has a command.
    common_cautions: Vec<CautionAbout<'a>>,
    /// Whether a command fixes one of the findings.
    has_command: bool,
}

impl<'a> Email<'a> {
    fn new(alerts: &'a AlertGroup<'a>, groups: &'a [Group<'a>]) -> Self {
        let fixes = content::fixes(groups);
        let open = groups.iter().filter(|group| !group.is_resolved()).count();
        let common_cautions = if open > 1 { content::common_cautions(&fixes) } else { Vec::new() };
        let has_command = content::have_command(&fixes);
        let (fixes_of_tables, fixes_of_endpoints) =
            fixes.into_iter().filter(|fix| fix.count() > 1).partition(SharedFix::is_route);
        Self { alerts, groups, fixes_of_tables, fixes_of_endpoints, common_cautions, has_command }
    }
}

impl Email<'_> {
    /// The body of one message: the head and foot that every part contains, and the blocks of this part.
    fn body(&self, part: Option<(usize, usize)>, blocks: &[String]) -> String {
        let part = part.map_or(String::new(), |(index, count)| format!(" (part {index} of {count})"));
        let first_line = format!("{}{part}", prose::message::first_line(self.alerts, self.groups));
        let pieces: Vec<String> =
            [first_line].into_iter().chain(self.head()).chain(blocks.iter().cloned()).chain(self.foot()).collect();
        pieces.join("\n\n") + "\n"
    }

    /// Distributes the groups over as many messages as necessary. The blocks of each message have at most `room` bytes.
    fn parts(&self, room: usize) -> Vec<Part> {
        let mut parts = vec![Part::default()];
        for (n, group) in self.groups.iter().enumerate() {
            for block in self.blocks(n, group, 0..group.subnets().len(), room) {
                let size = block.len() + "\n\n".len();
                if parts.last().is_none_or(|part| part.size > 0 && part.size + size > room) {
                    parts.push(Part::default());
                }
                if let Some(part) = parts.last_mut() {
                    part.size += size;
                    part.blocks.push(block);
                    part.finding_ids.extend(group.finding_ids());
                }
            }
        }
        parts
    }

    /// One block for the group. If it is too large for a message: several blocks, each with a part of the subnets.
    fn blocks(&self, n: usize, group: &Group<'_>, subnets: Range<usize>, room: usize) -> Vec<String> {
        let block = self.block(n, group, subnets.clone());
        if block.len() + "\n\n".len() <= room || subnets.len() < 2 {
            return vec![block];
        }
        let middle = subnets.start + subnets.len() / 2;
        [subnets.start..middle, middle..subnets.end]
            .into_iter()
            .flat_map(|subnets| self.blocks(n, group, subnets, room))
            .collect()
    }

    /// What every part contains above its blocks: caveat, location, trigger, overview, and the cautions and fixes that
    /// several route tables share.
    fn head(&self) -> Vec<String> {
        let mut head: Vec<String> = prose::message::caveat(self.alerts).map(str::to_owned).into_iter().collect();
        let only = if let [group] = self.groups { Some(group) } else { None };
        let facts = (only.and_then(prose::finding::only_subject).into_iter())
            .chain(prose::message::location(self.alerts))
            .chain(only.into_iter().flat_map(prose::finding::change));
        head.push(lines(facts));
        let what_happened = prose::message::what_happened(self.alerts);
        if !what_happened.is_empty() {
            head.push(format!("WHAT HAPPENED\n{}", lines(what_happened)));
        }
        if only.is_none() {
            head.push(format!("IN SHORT\n{}", self.overview()));
        }
        head.extend(before(self.has_command, Some("For all fixes below:"), &self.common_cautions));
        for fix in &self.fixes_of_tables {
            let cautions = content::other_cautions(std::slice::from_ref(fix), &self.common_cautions);
            head.extend(before(true, None, &cautions));
            let (tables, service) = (counted(fix.count(), "route table"), titles(&fix.services()));
            head.push(format!(
                "TO FIX {service} ON {} TOGETHER\n{}",
                tables.to_uppercase(),
                how_to_fix(fix, fix.commands())
            ));
        }
        head
    }

    /// The groups as a numbered list.
    fn overview(&self) -> String {
        let mut overview: Vec<String> = (self.groups.iter().take(MAX_OVERVIEW).enumerate())
            .map(|(n, group)| format!("{}. {}", n + 1, prose::finding::short_line(self.alerts, group)))
            .collect();
        if self.groups.len() > MAX_OVERVIEW {
            overview.push(format!("and {} more, described below", self.groups.len() - MAX_OVERVIEW));
        }
        overview.join("\n")
    }

    /// A group with these of its subnets.
    fn block(&self, n: usize, group: &Group<'_>, subnets: Range<usize>) -> String {
        let mut block = Vec::new();
        if self.groups.len() > 1 {
            let number = format!("----- {} of {} -----", n + 1, self.groups.len());
            block.push(format!("{number}\n{}: {}", group.label(), prose::finding::sentence(group)));
            block.push(lines([prose::finding::subject(group)].into_iter().chain(prose::finding::change(group))));
        }
        let why = prose::finding::why_it_matters(group);
        if !why.is_empty() {
            block.push(format!("WHY IT MATTERS\n{}", lines(why)));
        }
        block.extend(affected(group, subnets));
        if !group.is_resolved() {
            block.extend(self.fix_sections(n, group));
            block.push(self.exemption(group));
        }
        block.join("\n\n")
    }

    /// How to fix the group, and what to know before. If groups share a fix, it is in the head (route tables) or in the block
    /// of the first of these groups (endpoints), and the other blocks say where.
    fn fix_sections(&self, n: usize, group: &Group<'_>) -> Vec<String> {
        let (in_head, mut own): (Vec<_>, Vec<_>) = (content::fixes(std::slice::from_ref(group)).into_iter())
            .partition(|fix| self.fixes_of_tables.iter().any(|shared| shared.fixes(fix.first())));
        // A group about an endpoint has one fix.
        let shared = self.fixes_of_endpoints.iter().find(|shared| own.iter().any(|fix| shared.fixes(fix.first())));
        if let Some(shared) = shared {
            let is_first = |group: &Group<'_>| group.open_findings().any(|finding| finding.id == shared.first().id);
            let first = self.groups.iter().position(is_first).unwrap_or(n);
            if first < n {
                let at = format!("{} of {}", first + 1, self.groups.len());
                return vec![format!(
                    "TO FIX IT\nThe command at {at} fixes this too. Read what stands above it first."
                )];
            }
            own = vec![shared.clone()];
        }
        let cautions = content::other_cautions(&own, &self.common_cautions);
        let before = before(content::have_command(&own), None, &cautions);
        before.into_iter().chain([fix(group.check(), &in_head, &own)]).collect()
    }

    /// How to exempt the route table.
    fn exemption(&self, group: &Group<'_>) -> String {
        let tag = self.alerts.exempt_tag;
        let value = exemption::exempt_value(group.check(), &group.services(), group.exemption_in_force());
        let how = self
            .exempt_command(group, &value)
            .unwrap_or_else(|| line(&Line::with(format!("Add a tag with the value {value} and the key"), Some(tag))));
        format!("TO EXEMPT IT\n{how}")
    }

    /// The command that exempts the subject. `None` if there is none, such as for a REST API.
    fn exempt_command(&self, group: &Group<'_>, value: &str) -> Option<String> {
        exemption::exempt_command(group.subject(), group.first().region(), self.alerts.exempt_tag, value)
    }

    /// What every part contains below its blocks: notes about exemptions. `None` if all findings are resolved.
    fn foot(&self) -> Option<String> {
        let example = content::example_exemption(self.alerts)?;
        let joint = content::joint_exemption(self.groups).map(|value| {
            format!("One tag can exempt from several findings about the same resource, with a value such as: {value}")
        });
        let has_command = |group: &Group<'_>| !group.is_resolved() && self.exempt_command(group, "").is_some();
        let keeps = self.groups.iter().any(has_command).then(|| {
            "The command keeps what the tag said at the time of the check. It replaces a value that has expired or that gatewatch \
             cannot read."
                .to_owned()
        });
        let last_day = format!(
            "The value of the exempting tag may name the last day of the exemption, such as: {example} until=YYYY-MM-DD"
        );
        Some([last_day].into_iter().chain(keeps).chain(joint).collect::<Vec<_>>().join("\n"))
    }
}

/// What to know before running a command, or before a change without a command. `None` without cautions.
fn before(has_command: bool, intro: Option<&str>, cautions: &[CautionAbout<'_>]) -> Option<String> {
    let items = prose::caution::cautions(cautions).into_iter().map(|caution| format!("- {caution}"));
    let heading = prose::caution::heading(has_command).to_uppercase();
    let intro = intro.map(str::to_owned);
    (!cautions.is_empty()).then(|| [heading].into_iter().chain(intro).chain(items).collect::<Vec<_>>().join("\n"))
}

/// How to fix a group with these fixes. Shared fixes are only in the head. Only route tables have several services.
fn fix(check: CheckName, shared: &[SharedFix<'_>], own: &[SharedFix<'_>]) -> String {
    let mut lines = vec!["TO FIX IT".to_owned()];
    for fix in own {
        let command = fix.commands();
        let is_route = check == CheckName::GatewayRoute;
        if is_route && (shared.len() + own.len() > 1 || fix.is_wait() || command.is_none()) {
            lines.push(format!("For {}:", titles(&fix.services())));
        }
        lines.push(how_to_fix(fix, command));
    }
    if !shared.is_empty() {
        let services: Vec<_> = shared.iter().flat_map(SharedFix::services).collect();
        lines.push(format!("For {}, see the top of this message.", titles(&services)));
    }
    lines.join("\n")
}

fn how_to_fix(fix: &SharedFix<'_>, commands: Option<Vec<String>>) -> String {
    match commands.map(|commands| commands.join(" && ")) {
        Some(command) if fix.is_wait() => {
            format!("{}\n{command}", prose::finding::wait(fix.first()))
        }
        Some(command) => command,
        None => prose::finding::without_command(fix.first()).join("\n"),
    }
}

/// These subnets of the group.
fn affected(group: &Group<'_>, subnets: Range<usize>) -> Option<String> {
    let all = group.subnets().len();
    let affected = group.subnets().get(subnets.clone()).filter(|affected| !affected.is_empty())?;
    let heading = if group.is_resolved() { "SUBNETS THAT WERE AFFECTED" } else { "SUBNETS AFFECTED" };
    let which = if affected.len() < all {
        format!("{} to {} of {all}", subnets.start + 1, subnets.end)
    } else {
        all.to_string()
    };
    let list: Vec<String> =
        affected.iter().map(|subnet| format!("- {}", line(&prose::finding::subnet(subnet)))).collect();
    Some(format!("{heading} ({which})\n{}", list.join("\n")))
}

fn line(Line { text, untrusted }: &Line<'_>) -> String {
    untrusted.map_or_else(|| text.clone(), |untrusted| format!("{text} {}", quoted(untrusted)))
}

fn lines<'a>(lines: impl IntoIterator<Item = Line<'a>>) -> String {
    lines.into_iter().map(|each| line(&each)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::{super::tests as scenarios, *};
    use crate::{alerts::alert::Alert, checks::finding::Finding, network::service::GatewayService};

    /// The number of blocks in each part of the e-mail about these alerts.
    fn block_counts(alerts: &[Alert], room: impl Fn(&Email<'_>) -> usize) -> Vec<usize> {
        let call = scenarios::api_call();
        let alerts = scenarios::alert_group(&call, alerts);
        let groups = content::groups(&alerts);
        let email = Email::new(&alerts, &groups);
        email.parts(room(&email)).iter().map(|part| part.blocks.len()).collect()
    }

    /// The size of this group in bytes, with the empty line after it.
    fn size(email: &Email<'_>, n: usize) -> usize {
        let group = &email.groups[n];
        email.block(n, group, 0..group.subnets().len()).len() + "\n\n".len()
    }

    #[test]
    fn a_part_takes_the_groups_that_fit_to_the_byte() {
        let one = scenarios::opened(scenarios::finding(&scenarios::private(Some(scenarios::NAT))));
        let mut other = scenarios::finding(&scenarios::private(Some(scenarios::NAT)));
        other.subject.id = "rtb-0a1b2c3d4e5f60007".into();
        let other = scenarios::opened(other);
        let two = [one, other];
        assert_eq!(block_counts(&two, |email| size(email, 0) + size(email, 1)), [2]);
        assert_eq!(block_counts(&two, |email| size(email, 0) + size(email, 1) - 1), [1, 1]);
    }

    #[test]
    fn a_group_that_is_a_byte_too_large_is_split_by_subnets_down_to_one() {
        let one = [scenarios::opened(scenarios::finding(&scenarios::private(Some(scenarios::NAT))))];
        assert_eq!(one[0].subnets().len(), 2);
        assert_eq!(block_counts(&one, |email| size(email, 0)), [1]);
        assert_eq!(block_counts(&one, |email| size(email, 0) - 1), [1, 1]);
        assert_eq!(
            block_counts(&one, |_| 0),
            [1, 1],
            "a block with one subnet is sent although it is too large, and no part is empty"
        );
    }

    /// The body of the e-mail about these alerts.
    fn body(alerts: &[Alert]) -> String {
        let call = scenarios::api_call();
        messages(&scenarios::alert_group(&call, alerts)).remove(0).body
    }

    /// A finding about this service on this table.
    fn finding_on(table: &str, service: GatewayService) -> Finding {
        let [mut finding] =
            scenarios::findings(&scenarios::private(Some(scenarios::NAT)), &[service]).try_into().unwrap();
        finding.subject.id = table.into();
        finding
    }

    #[test]
    fn the_overview_names_ten_groups_and_counts_the_others() {
        for (tables, more) in [(10, None), (11, Some("and 1 more, described below"))] {
            let alerts: Vec<Alert> = (0..tables)
                .map(|n| scenarios::opened(finding_on(&format!("rtb-0a1b2c3d4e5f7{n:04}"), GatewayService::S3)))
                .collect();
            let body = body(&alerts);
            assert_eq!(body.lines().find(|line| line.starts_with("and ")), more, "{tables}");
            assert!(body.contains("\n10. HIGH rtb-0a1b2c3d4e5f70009: S3\n"), "{body}");
        }
    }

    #[test]
    fn a_shared_fix_for_one_service_leaves_the_fix_for_the_other_service_at_the_table() {
        let (a, b) = ("rtb-0a1b2c3d4e5f60004", "rtb-0a1b2c3d4e5f60007");
        let alerts = [(a, GatewayService::DynamoDb), (a, GatewayService::S3), (b, GatewayService::S3)]
            .map(|(table, service)| scenarios::opened(finding_on(table, service)));
        let body = body(&alerts);
        let create = "aws ec2 create-vpc-endpoint --region eu-west-1 --vpc-endpoint-type Gateway --vpc-id \
                      vpc-0a1b2c3d4e5f60001 --service-name com.amazonaws.eu-west-1";
        assert!(
            body.contains(&format!("TO FIX S3 ON 2 ROUTE TABLES TOGETHER\n{create}.s3 --route-table-ids {a} {b}\n"))
        );
        let own = format!(
            "TO FIX IT\nFor DynamoDB:\n{create}.dynamodb --route-table-ids {a}\nFor S3, see the top of this message.\n"
        );
        assert!(body.contains(&own), "{body}");
    }
}
