//! The identity of a person in answers.

use super::ids::AccountId;
use serde::{Deserialize, Serialize};

/// Identity of a live account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub account: AccountId,
    pub username: String,
    pub name: String,
}
