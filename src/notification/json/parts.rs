//! Keeps every message within what SNS takes, without losing a finding or a subnet.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{super::MAX_MESSAGE, Body};
use crate::{finding::Finding, notice::Notice};

/// Which part of a notice a message is.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Part {
    /// From 1.
    index: usize,
    /// How many there are.
    count: usize,
}

/// The bodies that hold all these findings, each within [`MAX_MESSAGE`] together with `overhead` bytes, and the ids of
/// the findings in each.
pub(super) fn split(body: Body<'_>, findings: &[&Notice], overhead: usize) -> Vec<(String, BTreeSet<String>)> {
    let widest = Part { index: usize::MAX, count: usize::MAX };
    let frame = json_size(&Body { part: Some(widest), ..body });
    let room = MAX_MESSAGE.saturating_sub(overhead + frame);

    let mut groups: Vec<(usize, Vec<Notice>)> = Vec::new();
    for piece in findings.iter().flat_map(|finding| pieces(finding, room)) {
        let size = json_size(&piece) + ",".len();
        match groups.last_mut() {
            Some((used, group)) if *used + size <= room => {
                *used += size;
                group.push(piece);
            }
            _ => groups.push((size, vec![piece])),
        }
    }

    let count = groups.len();
    groups
        .iter()
        .enumerate()
        .map(|(n, (_, findings))| {
            let part = (count > 1).then_some(Part { index: n + 1, count });
            let ids = findings.iter().map(|notice| notice.finding.id.clone()).collect();
            (json(&Body { part, findings, ..body }), ids)
        })
        .collect()
}

/// The finding, or, where it alone is too large for a message, copies that share its subnets among them.
fn pieces(notice: &Notice, room: usize) -> Vec<Notice> {
    let subnets = &notice.finding.subnets;
    if json_size(notice) < room || subnets.len() < 2 {
        return vec![notice.clone()];
    }
    let (left, right) = subnets.split_at(subnets.len() / 2);
    [left, right]
        .into_iter()
        .flat_map(|subnets| {
            let finding = Finding { subnets: subnets.to_vec(), ..notice.finding.clone() };
            pieces(&Notice { finding, ..notice.clone() }, room)
        })
        .collect()
}

fn json_size(value: &impl Serialize) -> usize {
    json(value).len()
}

/// These values hold text, numbers and lists: there is nothing in them that JSON cannot say.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
