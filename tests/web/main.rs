//! The web pages: over HTTP and HTTPS against servers in this process, and in a real browser.

#![allow(clippy::unwrap_used)]

mod admin;
mod again;
mod announcements;
mod api;
mod bounds;
mod browser;
mod chirper;
mod conversation;
mod feeds;
mod guard;
mod hostile;
mod invitations;
mod notices;
mod pages;
mod people;
mod profile;
mod reset;
mod rooms;
mod safe;
mod tls;
mod views;
