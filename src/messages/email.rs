//! The message as plain text, for an e-mail that is read on a phone: short lines, the most important first, each command
//! on one line of its own, so that it can be copied.

use std::{collections::BTreeSet, ops::Range};

use super::{
    alert_group::AlertGroup,
    content::{self, Group, TableFix},
    message::{Attribute, MAX_MESSAGE, MAX_SUBJECT, Message, counted, subject},
    prose, remediation,
    untrusted_text::{Line, quoted},
};

/// The maximum number of groups in the overview. All of them are described below it.
const MAX_OVERVIEW: usize = 10;

pub(super) fn messages(alerts: &AlertGroup<'_>) -> Vec<Message> {
    let groups = content::groups(alerts);
    let email = Email { alerts, groups: &groups, joint_fixes: joint_fixes(&groups) };
    let attributes = alerts.attributes();
    let overhead = MAX_SUBJECT
        + attributes.iter().map(Attribute::size).sum::<usize>()
        + email.written(Some((usize::MAX, usize::MAX)), &[]).len();
    let parts = email.parts(MAX_MESSAGE.saturating_sub(overhead));

    let count = parts.len();
    (parts.into_iter().enumerate())
        .map(|(n, Part { blocks, finding_ids, .. })| {
            let part = (count > 1).then_some((n + 1, count));
            Message {
                subject: subject(prose::headline(alerts, part, MAX_SUBJECT)),
                body: email.written(part, &blocks),
                attributes: attributes.clone(),
                finding_ids,
            }
        })
        .collect()
}

/// The fixes that are for more than one route table.
fn joint_fixes<'a>(groups: &[Group<'a>]) -> Vec<TableFix<'a>> {
    content::fixes(groups).into_iter().filter(|fix| fix.tables.len() > 1).collect()
}

/// What fits into one message.
#[derive(Default)]
struct Part {
    size: usize,
    blocks: Vec<String>,
    finding_ids: BTreeSet<String>,
}

/// Everything that the messages are about.
struct Email<'a> {
    alerts: &'a AlertGroup<'a>,
    groups: &'a [Group<'a>],
    joint_fixes: Vec<TableFix<'a>>,
}

impl Email<'_> {
    /// The body of one message: what every part contains, around the blocks of this one.
    fn written(&self, part: Option<(usize, usize)>, blocks: &[String]) -> String {
        let part = part.map_or(String::new(), |(index, count)| format!(" (part {index} of {count})"));
        let opening = format!("{}{part}", prose::opening(self.alerts, self.groups));
        let pieces: Vec<String> =
            [opening].into_iter().chain(self.head()).chain(blocks.iter().cloned()).chain(self.foot()).collect();
        pieces.join("\n\n") + "\n"
    }

    /// Distributes the groups over as many messages as necessary, each with at most `room` bytes of them.
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

    /// The group; or, if it alone is too large for a message, copies of it that share its subnets.
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

    fn head(&self) -> Vec<String> {
        let mut head: Vec<String> = prose::caveat(self.alerts).map(str::to_owned).into_iter().collect();
        let only = if let [group] = self.groups { Some(group) } else { None };
        let facts = (only.map(prose::table).into_iter())
            .chain(prose::place(self.alerts))
            .chain(only.into_iter().flat_map(prose::history));
        head.push(lines(facts));
        let happened = prose::happened(self.alerts);
        if !happened.is_empty() {
            head.push(format!("WHAT HAPPENED\n{}", lines(happened)));
        }
        if only.is_none() {
            head.push(format!("IN SHORT\n{}", self.overview()));
        }
        head.extend(self.joint_fixes.iter().map(|fix| {
            let (tables, service) = (counted(fix.tables.len(), "route table"), fix.service().title());
            format!("TO FIX {service} ON {} AT ONCE\n{}", tables.to_uppercase(), how_to_fix(fix, fix.commands()))
        }));
        head
    }

    fn overview(&self) -> String {
        let mut overview: Vec<String> = (self.groups.iter().take(MAX_OVERVIEW).enumerate())
            .map(|(n, group)| format!("{}. {}", n + 1, prose::brief(group)))
            .collect();
        if self.groups.len() > MAX_OVERVIEW {
            overview.push(format!("and {} more, told below", self.groups.len() - MAX_OVERVIEW));
        }
        overview.join("\n")
    }

    fn block(&self, n: usize, group: &Group<'_>, subnets: Range<usize>) -> String {
        let mut block = Vec::new();
        if self.groups.len() > 1 {
            let number = format!("----- {} of {} -----", n + 1, self.groups.len());
            block.push(format!("{number}\n{}: {}", group.label(), prose::sentence(group)));
            block.push(lines([prose::table(group)].into_iter().chain(prose::history(group))));
        }
        let why = prose::why(group);
        if !why.is_empty() {
            block.push(format!("WHY IT MATTERS\n{}", lines(why)));
        }
        block.extend(affected(group, subnets));
        if !group.is_resolved() {
            block.push(self.fix(group));
            block.push(self.exempting(group));
        }
        block.join("\n\n")
    }

    fn fix(&self, group: &Group<'_>) -> String {
        let is_joint = |fix: &TableFix<'_>| {
            self.joint_fixes
                .iter()
                .any(|joint| joint.service() == fix.service() && joint.tables.contains(&group.table_id()))
        };
        let fixes = content::fixes(std::slice::from_ref(group));
        let (joint, own): (Vec<_>, Vec<_>) = fixes.iter().partition(|fix| is_joint(fix));
        let mut said = vec!["TO FIX IT".to_owned()];
        for fix in &own {
            let command = fix.commands();
            if fixes.len() > 1 || fix.is_wait() || command.is_none() {
                said.push(format!("For {}:", fix.service().title()));
            }
            said.push(how_to_fix(fix, command));
        }
        if !joint.is_empty() {
            let services: Vec<_> = joint.iter().map(|fix| fix.service()).collect();
            said.push(format!("For {} see the top.", prose::titles(&services)));
        }
        said.join("\n")
    }

    fn exempting(&self, group: &Group<'_>) -> String {
        let tag = self.alerts.exempt_tag;
        let value = remediation::exempt_value(&group.services());
        let command = remediation::exempt_command(group.table_id(), group.first().region(), tag, &value);
        let how = command.unwrap_or_else(|| {
            line(&Line { ours: format!("Give it a tag with the value {value} and the key"), theirs: Some(tag) })
        });
        format!("TO EXEMPT IT\n{how}")
    }

    /// What applies to every exemption.
    fn foot(&self) -> Option<String> {
        self.alerts.open_severity().map(|_| {
            "The value of the exempting tag may name a last day, such as: s3 until=YYYY-MM-DD\nTagging replaces a value \
             that the tag has already."
                .to_owned()
        })
    }
}

fn how_to_fix(fix: &TableFix<'_>, commands: Option<Vec<String>>) -> String {
    match commands.map(|commands| commands.join(" && ")) {
        Some(command) if fix.is_wait() => {
            format!("There is nothing to change yet. To look at the endpoint again:\n{command}")
        }
        Some(command) => command,
        None => "There is no command: an id is not what AWS would give.".to_owned(),
    }
}

fn affected(group: &Group<'_>, subnets: Range<usize>) -> Option<String> {
    let all = group.subnets().len();
    let affected = group.subnets().get(subnets.clone()).filter(|affected| !affected.is_empty())?;
    let heading = if group.is_resolved() { "SUBNETS THAT WERE AFFECTED" } else { "SUBNETS AFFECTED" };
    let which = if affected.len() < all {
        format!("{} to {} of {all}", subnets.start + 1, subnets.end)
    } else {
        all.to_string()
    };
    let list: Vec<String> = affected.iter().map(|subnet| format!("- {}", line(&prose::subnet(subnet)))).collect();
    Some(format!("{heading} ({which})\n{}", list.join("\n")))
}

fn line(Line { ours, theirs }: &Line<'_>) -> String {
    theirs.map_or_else(|| ours.clone(), |theirs| format!("{ours} {}", quoted(theirs)))
}

fn lines<'a>(lines: impl IntoIterator<Item = Line<'a>>) -> String {
    lines.into_iter().map(|said| line(&said)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::{super::tests as scenarios, *};
    use crate::alerts::alert::Alert;

    /// How the groups of these notices are shared out: how many blocks are in each part.
    fn shared_out(notices: &[Alert], room: impl Fn(&Email<'_>) -> usize) -> Vec<usize> {
        let call = scenarios::api_call();
        let alerts = scenarios::told(&call, notices);
        let groups = content::groups(&alerts);
        let email = Email { alerts: &alerts, groups: &groups, joint_fixes: joint_fixes(&groups) };
        email.parts(room(&email)).iter().map(|part| part.blocks.len()).collect()
    }

    /// What the case takes, with what stands between it and the next.
    fn size(email: &Email<'_>, n: usize) -> usize {
        let group = &email.groups[n];
        email.block(n, group, 0..group.subnets().len()).len() + "\n\n".len()
    }

    #[test]
    fn a_part_is_filled_to_the_byte() {
        let one = scenarios::opened(scenarios::finding(&scenarios::private(Some(scenarios::NAT))));
        let mut other = scenarios::finding(&scenarios::private(Some(scenarios::NAT)));
        other.route_table.id = "rtb-0a1b2c3d4e5f60007".into();
        let other = scenarios::opened(other);
        let two = [one, other];
        assert_eq!(shared_out(&two, |email| size(email, 0) + size(email, 1)), [2]);
        assert_eq!(shared_out(&two, |email| size(email, 0) + size(email, 1) - 1), [1, 1]);
    }

    #[test]
    fn a_case_is_shared_out_when_it_is_a_byte_too_large_down_to_one_subnet() {
        let one = [scenarios::opened(scenarios::finding(&scenarios::private(Some(scenarios::NAT))))];
        assert_eq!(one[0].subnets().len(), 2);
        assert_eq!(shared_out(&one, |email| size(email, 0)), [1]);
        assert_eq!(shared_out(&one, |email| size(email, 0) - 1), [1, 1]);
        assert_eq!(
            shared_out(&one, |_| 0),
            [1, 1],
            "what cannot be smaller is sent as it is, and nothing empty before it"
        );
    }
}
