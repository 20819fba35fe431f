//! Every sentence of the messages about findings: as one sentence for the JSON field `reason`, and as lines for e-mail and
//! chat.

pub(super) mod caution;
mod endpoint;
pub(super) mod finding;
pub(super) mod message;
mod missing_route;
mod time;
