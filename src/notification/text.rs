//! The notice as plain text, for an e-mail that is read on a phone: short lines, the most important first, and commands
//! each on one line, so that they can be copied.

use std::{collections::BTreeSet, ops::Range};

use super::{
    Attribute, MAX_MESSAGE, MAX_SUBJECT, Message, Notification, counted, subject,
    words::{self, Case, Fix, Line, quoted},
};

/// Of more cases the overview names only the first; all are told below it.
const MAX_OVERVIEW: usize = 10;

pub(super) fn messages(told: &Notification<'_>) -> Vec<Message> {
    let cases = words::cases(told);
    let letter = Letter { told, cases: &cases, joint: joint_fixes(&cases) };
    let attributes = told.attributes();
    let overhead = MAX_SUBJECT
        + attributes.iter().map(Attribute::size).sum::<usize>()
        + letter.written(Some((usize::MAX, usize::MAX)), &[]).len();
    let parts = letter.parts(MAX_MESSAGE.saturating_sub(overhead));

    let count = parts.len();
    (parts.into_iter().enumerate())
        .map(|(n, Part { blocks, finding_ids, .. })| {
            let part = (count > 1).then_some((n + 1, count));
            Message {
                subject: subject(words::headline(told, part, MAX_SUBJECT)),
                body: letter.written(part, &blocks),
                attributes: attributes.clone(),
                finding_ids,
            }
        })
        .collect()
}

/// The commands that fix more than one case.
fn joint_fixes<'a>(cases: &[Case<'a>]) -> Vec<Fix<'a>> {
    words::fixes(cases).into_iter().filter(|fix| fix.tables.len() > 1).collect()
}

/// What fits into one message.
#[derive(Default)]
struct Part {
    size: usize,
    blocks: Vec<String>,
    finding_ids: BTreeSet<String>,
}

/// All that is to be written.
struct Letter<'a> {
    told: &'a Notification<'a>,
    cases: &'a [Case<'a>],
    joint: Vec<Fix<'a>>,
}

impl Letter<'_> {
    /// One message: what is in every part, around what is in this one.
    fn written(&self, part: Option<(usize, usize)>, blocks: &[String]) -> String {
        let part = part.map_or(String::new(), |(index, count)| format!(" (part {index} of {count})"));
        let opening = format!("{}{part}", words::opening(self.told, self.cases));
        let pieces: Vec<String> =
            [opening].into_iter().chain(self.head()).chain(blocks.iter().cloned()).chain(self.foot()).collect();
        pieces.join("\n\n") + "\n"
    }

    /// Shares the cases among as many messages as it takes, each with at most so many bytes of them.
    fn parts(&self, room: usize) -> Vec<Part> {
        let mut parts = vec![Part::default()];
        for (n, case) in self.cases.iter().enumerate() {
            for block in self.blocks(n, case, 0..case.subnets().len(), room) {
                let size = block.len() + "\n\n".len();
                if parts.last().is_none_or(|part| part.size > 0 && part.size + size > room) {
                    parts.push(Part::default());
                }
                if let Some(part) = parts.last_mut() {
                    part.size += size;
                    part.blocks.push(block);
                    part.finding_ids.extend(case.finding_ids());
                }
            }
        }
        parts
    }

    /// The case, or, where it alone is too large for a message, copies that share its subnets among them.
    fn blocks(&self, n: usize, case: &Case<'_>, subnets: Range<usize>, room: usize) -> Vec<String> {
        let block = self.block(n, case, subnets.clone());
        if block.len() + "\n\n".len() <= room || subnets.len() < 2 {
            return vec![block];
        }
        let middle = subnets.start + subnets.len() / 2;
        [subnets.start..middle, middle..subnets.end]
            .into_iter()
            .flat_map(|subnets| self.blocks(n, case, subnets, room))
            .collect()
    }

    fn head(&self) -> Vec<String> {
        let mut head: Vec<String> = words::doubt(self.told).map(str::to_owned).into_iter().collect();
        let only = if let [case] = self.cases { Some(case) } else { None };
        let facts = (only.map(Case::table).into_iter())
            .chain(words::place(self.told))
            .chain(only.into_iter().flat_map(Case::history));
        head.push(lines(facts));
        let happened = words::happened(self.told);
        if !happened.is_empty() {
            head.push(format!("WHAT HAPPENED\n{}", lines(happened)));
        }
        if only.is_none() {
            head.push(format!("IN SHORT\n{}", self.overview()));
        }
        head.extend(self.joint.iter().map(|fix| {
            let (tables, service) = (counted(fix.tables.len(), "route table"), fix.service.title());
            format!("TO FIX {service} ON {} AT ONCE\n{}", tables.to_uppercase(), command(fix))
        }));
        head
    }

    fn overview(&self) -> String {
        let mut overview: Vec<String> = (self.cases.iter().take(MAX_OVERVIEW).enumerate())
            .map(|(n, case)| format!("{}. {}", n + 1, words::brief(case)))
            .collect();
        if self.cases.len() > MAX_OVERVIEW {
            overview.push(format!("and {} more, told below", self.cases.len() - MAX_OVERVIEW));
        }
        overview.join("\n")
    }

    fn block(&self, n: usize, case: &Case<'_>, subnets: Range<usize>) -> String {
        let mut block = Vec::new();
        if self.cases.len() > 1 {
            let number = format!("----- {} of {} -----", n + 1, self.cases.len());
            block.push(format!("{number}\n{}: {}", case.label(), case.sentence()));
            block.push(lines([case.table()].into_iter().chain(case.history())));
        }
        let why = case.why();
        if !why.is_empty() {
            block.push(format!("WHY IT MATTERS\n{}", lines(why)));
        }
        block.extend(affected(case, subnets));
        if !case.is_resolved() {
            block.push(self.fix(case));
            block.push(self.exempting(case));
        }
        block.join("\n\n")
    }

    fn fix(&self, case: &Case<'_>) -> String {
        let is_joint = |fix: &Fix<'_>| {
            self.joint.iter().any(|joint| joint.service == fix.service && joint.tables.contains(case.table_id()))
        };
        let (joint, own): (Vec<_>, Vec<_>) = words::fixes(std::slice::from_ref(case)).into_iter().partition(is_joint);
        let mut said = vec!["TO FIX IT".to_owned()];
        for fix in &own {
            if joint.len() + own.len() > 1 || fix.is_to_wait() || fix.command.is_none() {
                said.push(format!("For {}:", fix.service.title()));
            }
            said.push(command(fix));
        }
        if !joint.is_empty() {
            let services: Vec<_> = joint.iter().map(|fix| fix.service).collect();
            said.push(format!("For {} see the top.", words::titles(&services)));
        }
        said.join("\n")
    }

    fn exempting(&self, case: &Case<'_>) -> String {
        let tag = self.told.exempt_tag;
        let how = case.exempting_command(tag).unwrap_or_else(|| {
            let value = case.exempting_value();
            line(&Line { ours: format!("Give it a tag with the value {value} and the key"), theirs: Some(tag) })
        });
        format!("TO EXEMPT IT\n{how}")
    }

    /// What is true of every exemption.
    fn foot(&self) -> Option<String> {
        self.told.standing_severity().map(|_| {
            "The value of the exempting tag may name a last day, such as: s3 until=YYYY-MM-DD\nTagging replaces a value \
             that the tag has already."
                .to_owned()
        })
    }
}

fn command(fix: &Fix<'_>) -> String {
    match &fix.command {
        Some(command) if fix.is_to_wait() => {
            format!("There is nothing to change yet. To look at the endpoint again:\n{command}")
        }
        Some(command) => command.clone(),
        None => "There is no command: an id is not what AWS would give.".to_owned(),
    }
}

fn affected(case: &Case<'_>, subnets: Range<usize>) -> Option<String> {
    let all = case.subnets().len();
    let affected = case.subnets().get(subnets.clone()).filter(|affected| !affected.is_empty())?;
    let heading = if case.is_resolved() { "SUBNETS THAT WERE AFFECTED" } else { "SUBNETS AFFECTED" };
    let which = if affected.len() < all {
        format!("{} to {} of {all}", subnets.start + 1, subnets.end)
    } else {
        all.to_string()
    };
    let list: Vec<String> = affected.iter().map(|subnet| format!("- {}", line(&words::subnet(subnet)))).collect();
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
    use super::{super::people, *};
    use crate::notice::Notice;

    /// How the cases of these notices are shared out: how many blocks are in each part.
    fn shared_out(notices: &[Notice], room: impl Fn(&Letter<'_>) -> usize) -> Vec<usize> {
        let call = people::api_call();
        let told = people::told(&call, notices);
        let cases = words::cases(&told);
        let letter = Letter { told: &told, cases: &cases, joint: joint_fixes(&cases) };
        letter.parts(room(&letter)).iter().map(|part| part.blocks.len()).collect()
    }

    /// What the case takes, with what stands between it and the next.
    fn size(letter: &Letter<'_>, n: usize) -> usize {
        let case = &letter.cases[n];
        letter.block(n, case, 0..case.subnets().len()).len() + "\n\n".len()
    }

    #[test]
    fn a_part_is_filled_to_the_byte() {
        let one = people::opened(people::finding(&people::private(Some(people::NAT))));
        let mut other = one.clone();
        other.finding.route_table.id = "rtb-0a1b2c3d4e5f60007".into();
        let two = [one, other];
        assert_eq!(shared_out(&two, |letter| size(letter, 0) + size(letter, 1)), [2]);
        assert_eq!(shared_out(&two, |letter| size(letter, 0) + size(letter, 1) - 1), [1, 1]);
    }

    #[test]
    fn a_case_is_shared_out_when_it_is_a_byte_too_large_down_to_one_subnet() {
        let one = [people::opened(people::finding(&people::private(Some(people::NAT))))];
        assert_eq!(one[0].finding.subnets.len(), 2);
        assert_eq!(shared_out(&one, |letter| size(letter, 0)), [1]);
        assert_eq!(shared_out(&one, |letter| size(letter, 0) - 1), [1, 1]);
        assert_eq!(
            shared_out(&one, |_| 0),
            [1, 1],
            "what cannot be smaller is sent as it is, and nothing empty before it"
        );
    }
}
