//! Connections, their guards, and what every answer has in common.
//!
//! - `connection`: encrypted or not, as one type; `timeouts`: slow and idle browsers; `tls`: handshake
//! - [`cert`]: `ribbit web-cert`; `https_redirect`: from HTTP to HTTPS
//! - `client_origin`: address and encryption; `hosts`: accepted names; `cross_site`: requests from other sites' pages
//! - `body`: reading of bodies; `response`: headers of every response; `compression`: gzip; `files`: static files

pub(in crate::web) mod body;
pub mod cert;
pub(in crate::web) mod client_origin;
pub(in crate::web) mod compression;
pub(in crate::web) mod connection;
pub(in crate::web) mod cross_site;
pub(in crate::web) mod files;
pub(in crate::web) mod hosts;
pub(in crate::web) mod https_redirect;
pub(in crate::web) mod response;
pub(in crate::web) mod timeouts;
pub(in crate::web) mod tls;
