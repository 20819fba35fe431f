//! The size of JSON, and how much of a list fits into a message or an answer.

use serde::Serialize;

/// The size of a value in JSON, in bytes. A value that JSON cannot represent fits nowhere.
pub(super) fn json_size(value: &impl Serialize) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |json| json.len())
}

/// The first members of a list that fit into this many bytes, together with a frame: the same object with an empty list.
#[must_use]
pub fn first_that_fit<T: Serialize>(members: Vec<T>, frame: &impl Serialize, limit: usize) -> Vec<T> {
    let mut room = limit.saturating_sub(json_size(frame));
    let fits = |member: &T| {
        let size = json_size(member) + ",".len();
        let fits = size <= room;
        room = room.saturating_sub(size);
        fits
    };
    members.into_iter().take_while(fits).collect()
}
