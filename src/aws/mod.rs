//! AWS: the only code that uses SDK types.

pub mod clients;
pub mod dynamodb;
pub mod ec2;
mod error;
pub mod init_error;
pub mod sns;
