//! Parts that several roles use.
//!
//! - [`failure`]: how a process ends, and the exit codes
//! - [`server_arguments`]: arguments that all servers share; [`defaults`]: default settings; [`cluster_selection`]: flags
//!   that select a cluster, and its addresses and keys
//! - [`values`]: parsers of single flag values; [`address`]: HOST:PORT; [`network`]: IP networks of trusted proxies
//! - [`command_line`]: command lines shown to users; [`csv`]: tables of spreadsheets
//! - [`address_book`]: addresses at which members were last reached; [`known`]: keys of servers, as first seen
//! - [`discovery`]: servers of one network find each other
//! - [`joining`]: gets the cluster file with a join code
//! - files: [`cluster_file`] and [`ports`], in the syntax of [`env_file`], written by [`write_file`]
//! - [`stop`]: signals that end a process, [`signals`]: waiting for one; [`shutdown`]: the signal to its connections; [`panics`]: a panic ends its
//!   process; [`process`]: age and resources of this process
//! - [`machine`]: host name, boot id and load; [`disk_space`]: free and allocated bytes; [`random`]: random numbers
//! - [`rate_limit`]: token buckets; [`address_rates`]: rates of clients' addresses; [`test_hooks`]: numbers that tests replace
//! - [`survey`]: the members of a cluster and their state; [`probe`]: checks that a cluster or its pages answer
//! - [`tls`]: certificate and key of a server, and their flags
//! - [`descriptors`]: the limit of open files and sockets; [`service`]: clients of protocols over TCP; [`linger`]: closing a
//!   connection
//! - [`systemd`]: messages from and to the service manager
//! - [`output`]: standard output; [`log_lines`]: standard error, without blocking
//! - [`editor`]: the line editor of a terminal; [`secret_input`]: password input; [`script_input`]: lines of standard input

pub mod address;
pub(crate) mod address_book;
pub mod address_rates;
pub mod cluster_file;
pub(crate) mod cluster_selection;
pub(crate) mod command_line;
pub(crate) mod csv;
pub(crate) mod defaults;
pub(crate) mod descriptors;
pub(crate) mod discovery;
pub(crate) mod disk_space;
pub(crate) mod editor;
pub mod env_file;
pub mod failure;
pub(crate) mod joining;
pub(crate) mod key_following;
pub(crate) mod known;
pub(crate) mod linger;
pub(crate) mod log_lines;
pub(crate) mod machine;
pub mod network;
pub(crate) mod output;
pub(crate) mod panics;
pub(crate) mod ports;
pub(crate) mod probe;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod rate_limit;
pub(crate) mod script_input;
pub(crate) mod secret_input;
pub(crate) mod server_arguments;
pub(crate) mod service;
pub(crate) mod shutdown;
pub(crate) mod signals;
pub(crate) mod stop;
pub(crate) mod survey;
pub(crate) mod systemd;
pub(crate) mod test_hooks;
pub(crate) mod tls;
pub mod values;
pub(crate) mod write_file;
