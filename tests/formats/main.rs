//! Bytes that must not change ([`records`], [`wire`], [`ribbit_tcp`]), inputs that once broke something ([`corpora`]), and the scope that
//! each command needs of an app ([`scopes`]), and rules about the sources ([`house`]).

// A test that cannot go on may panic where it stands.
#![allow(clippy::unwrap_used)]

mod apps;
mod audit;
mod corpora;
mod house;
mod records;
mod ribbit_tcp;
mod rooms;
mod scopes;
mod wire;
