//! Reads the CloudFormation templates as text, in the few forms that they use.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use gatewatch::checks::check::CheckName;

/// The text of a template.
#[derive(Clone, Copy)]
pub struct Template(pub &'static str);

impl Template {
    /// The text of the resource or parameter with this logical id.
    #[must_use]
    pub fn resource(self, id: &str) -> String {
        let lines = self.0.lines().skip_while(|line| *line != format!("  {id}:")).skip(1);
        lines.take_while(|line| line.is_empty() || line.starts_with("   ")).collect::<Vec<_>>().join("\n")
    }

    /// Whether a condition of the template holds if these checks run.
    #[must_use]
    pub fn holds(self, condition: &str, checks: &BTreeSet<CheckName>) -> bool {
        let line = self.0.lines().find_map(|line| line.strip_prefix(&format!("  {condition}: "))).unwrap();
        if let Some(alternatives) = line.strip_prefix("!Or [") {
            let names = alternatives.trim_end_matches(']').split(", ");
            return names.map(|name| name.strip_prefix("!Condition ").unwrap()).any(|name| self.holds(name, checks));
        }
        let head = "!Not [!Equals [!Join [\"\", !Split [";
        let name =
            line.strip_prefix(head).and_then(|rest| rest.strip_suffix(", !Ref Checks]], !Ref Checks]]")).unwrap();
        checks.contains(&CheckName::from_name(name).unwrap())
    }

    /// The actions of the role's statements, each with the conditions of the template that it depends on.
    #[must_use]
    pub fn granted_actions(self, role: &str) -> Vec<(String, Vec<String>)> {
        let role = self.resource(role);
        let mut actions = Vec::new();
        let (mut of_statement, mut in_list) = (Vec::new(), false);
        for line in role.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            let item = line.strip_prefix("- ").unwrap_or(line);
            if line == "- !If" {
                of_statement = vec![String::new()];
            } else if of_statement == [String::new()] {
                of_statement = vec![item.to_owned()];
            } else if let Some(list) = line.strip_prefix("Action: [") {
                actions
                    .extend(list.trim_end_matches(']').split(", ").map(|one| (one.to_owned(), of_statement.clone())));
            } else if let Some(action) = line.strip_prefix("Action:") {
                in_list = action.is_empty();
                let one = Some(action.trim()).filter(|one| !one.is_empty());
                actions.extend(one.map(|one| (one.to_owned(), of_statement.clone())));
            } else if line == "- !Ref AWS::NoValue" {
                of_statement.clear();
            } else if in_list && line.starts_with("- ") {
                let conditional = item.strip_prefix("!If [").and_then(|rest| rest.strip_suffix(", !Ref AWS::NoValue]"));
                let (condition, action) = conditional.and_then(|rest| rest.split_once(", ")).unzip();
                let conditions = of_statement.iter().cloned().chain(condition.map(str::to_owned)).collect();
                actions.push((action.unwrap_or(item).to_owned(), conditions));
            } else {
                in_list = false;
            }
        }
        actions
    }

    /// The actions that a role has if these checks run, and each of these other conditions holds.
    #[must_use]
    pub fn actions_with(self, role: &str, checks: &BTreeSet<CheckName>, others: &[&str]) -> BTreeSet<String> {
        let granted = self.granted_actions(role).into_iter();
        let given = granted.filter(|(_, conditions)| {
            conditions.iter().all(|name| others.contains(&name.as_str()) || self.holds(name, checks))
        });
        given.map(|(action, _)| action).collect()
    }
}

/// The values of every list with this key: `key: [A, B]`, or one `- A` or `- !If [Condition, A, …]` per line. A member
/// that begins a map (`- A:`) ends the list.
#[must_use]
pub fn lists(text: &str, key: &str) -> Vec<BTreeSet<String>> {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.starts_with('#')).collect();
    let heads = lines.iter().enumerate().filter(|(_, line)| line.starts_with(&format!("{key}:")));
    heads
        .map(|(n, head)| {
            let inline = head.split_once(": [").map(|(_, list)| list.trim_end_matches(']').split(", "));
            let items = lines[n + 1..].iter().map_while(|line| line.strip_prefix("- "));
            let items = items.take_while(|item| !item.ends_with(':')).map(|item| {
                let value = item.strip_prefix("!If [").and_then(|list| list.split(", ").nth(1));
                value.unwrap_or(item)
            });
            inline.map_or_else(|| items.map(str::to_owned).collect(), |list| list.map(str::to_owned).collect())
        })
        .collect()
}

/// Every set of checks that a stack may run.
pub fn sets_of_checks() -> impl Iterator<Item = BTreeSet<CheckName>> {
    (1..1_u32 << CheckName::ALL.len()).map(|set| {
        let members = CheckName::ALL.into_iter().enumerate().filter(move |(n, _)| set >> n & 1 == 1);
        members.map(|(_, name)| name).collect()
    })
}

/// What every check reads.
pub const ALWAYS: [&str; 6] = [
    "ec2:DescribeNatGateways",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcEndpoints",
    "ec2:DescribeVpcs",
    "ec2:GetManagedPrefixListEntries",
];
