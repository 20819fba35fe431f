//! Reads and writes the alert history in DynamoDB.

mod attribute_value;
pub mod history_table;
pub mod marker_table;
mod row;
