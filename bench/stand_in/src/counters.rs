//! What a function has called so far.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use crate::place::Place;

/// The counters since the last reset.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Counters {
    /// The answered calls of each operation, with those that were throttled.
    pub calls: BTreeMap<String, usize>,
    /// How often each VPC and each security group was asked for by its id.
    pub named: BTreeMap<String, usize>,
    /// The accounts and Regions whose network was read.
    #[serde(serialize_with = "count")]
    pub places: BTreeSet<Place>,
    /// The calls that an EC2 bucket refused.
    pub throttled: usize,
    /// The TCP connections to each service that were opened, each with a TLS handshake.
    pub connections: BTreeMap<&'static str, usize>,
    /// The TLS handshakes that were completed.
    pub handshakes: usize,
    /// The length of the longest chain of calls of which each began after the end of the one before.
    pub in_sequence: usize,
    /// The messages that were published.
    pub messages: usize,
    /// The bytes of all answers.
    pub bytes: usize,
}

impl Counters {
    /// A call has arrived. Returns its position in the chain.
    pub fn begin(&mut self, operation: &str) -> usize {
        *self.calls.entry(operation.to_owned()).or_default() += 1;
        self.in_sequence + 1
    }

    /// These ids were named in a call.
    pub fn name(&mut self, ids: Vec<String>) {
        for id in ids {
            *self.named.entry(id).or_default() += 1;
        }
    }

    /// The network of an account and Region was read.
    pub fn read(&mut self, place: &Place) {
        if !self.places.contains(place) {
            self.places.insert(place.clone());
        }
    }

    /// The call at this position was answered.
    pub fn end(&mut self, position: usize, bytes: usize) {
        self.in_sequence = self.in_sequence.max(position);
        self.bytes += bytes;
    }
}

/// Of a sweep, only the number matters, and there are thousands.
fn count<S: Serializer>(places: &BTreeSet<Place>, serializer: S) -> Result<S::Ok, S::Error> {
    places.len().serialize(serializer)
}
