//! Splits a notification that is too large for SNS, without losing a finding or a subnet.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    finding::NotifiedFinding,
    notification::{Notification, Part},
    size::json_size,
};
use crate::{alerts::alert::Alert, messages::message::MAX_MESSAGE};

/// The bodies of the messages about these alerts, each with the ids of its findings.
///
/// A body has at most [`MAX_MESSAGE`] bytes minus `overhead`: the size of subject and attributes.
pub(super) fn split(
    notification: &Notification<'_>,
    alerts: &[&Alert],
    overhead: usize,
) -> Vec<(String, BTreeSet<String>)> {
    // Reserves room for the longest `part`, because the number of parts is not known yet.
    let longest = Part { index: usize::MAX, count: usize::MAX };
    let frame = json_size(&Notification { part: Some(longest), ..*notification });
    let room = MAX_MESSAGE.saturating_sub(overhead + frame);

    let mut groups: Vec<(usize, Vec<NotifiedFinding>)> = Vec::new();
    for piece in alerts.iter().flat_map(|&alert| pieces(alert.into(), room)) {
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
            let ids = findings.iter().map(|notified| notified.finding.id().to_owned()).collect();
            (json(&Notification { part, findings, ..*notification }), ids)
        })
        .collect()
}

/// The finding. If it is too large for a message: several copies, each with a part of the subnets.
fn pieces(notified: NotifiedFinding, room: usize) -> Vec<NotifiedFinding> {
    let subnets = notified.finding.subnets();
    if json_size(&notified) < room || subnets.len() < 2 {
        return vec![notified];
    }
    let (left, right) = subnets.split_at(subnets.len() / 2);
    [left, right]
        .into_iter()
        .flat_map(|subnets| {
            let finding = notified.finding.with_subnets(subnets);
            pieces(NotifiedFinding { finding, ..notified.clone() }, room)
        })
        .collect()
}

/// The values contain only text, numbers and lists: JSON can represent all of them.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
