//! The check `gateway-route`: every route table needs a gateway route to every required service.

pub mod cautions;
pub mod egress;
pub mod missing_facts;
pub mod rule;
