//! How to fix or exempt a finding, as text to copy: for the AWS CLI, CloudFormation and Terraform.

mod endpoint;
pub(super) mod exemption;
pub(super) mod finding;
mod missing_route;
mod rendered;
mod restrict_private_dns;
