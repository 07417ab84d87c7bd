//! Parsed output of `ribbit status --json`.

use serde::Deserialize;

/// The whole output; an additional or missing field is an error.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    pub leader: Option<String>,
    pub term: u64,
    pub can_lose_processes: u32,
    pub can_lose_machines: u32,
    pub members: Vec<MemberStatus>,
    pub floating: Vec<FloatingStatus>,
    pub gateways: Vec<GatewayStatus>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayStatus {
    pub name: String,
    pub serves: String,
    pub old: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FloatingStatus {
    pub address: String,
    pub holder: String,
    pub old: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberStatus {
    pub name: String,
    pub role: String,
    pub cluster: u32,
    pub id: u32,
    pub pid: u32,
    pub address: String,
    pub machine: String,
    pub alive: bool,
    pub voter: bool,
    pub in_sync: bool,
    pub applied: u64,
    pub lag: u64,
    pub clients: u32,
    pub disk_bytes: u64,
    pub disk_quota_bytes: u64,
    pub disk_free_bytes: u64,
    pub disk_full: bool,
    pub scrubbed_s: Option<u64>,
}

impl Status {
    #[track_caller]
    pub fn member(&self, name: &str) -> &MemberStatus {
        let found = self.members.iter().find(|member| member.name == name);
        found.unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    pub fn backends(&self) -> impl Iterator<Item = &MemberStatus> {
        self.members.iter().filter(|member| member.role == "backend")
    }

    /// Returns true if all members are alive, vote and have applied the same index.
    pub fn is_whole(&self) -> bool {
        let well = |member: &MemberStatus| member.alive && member.voter && member.in_sync && member.lag == 0;
        self.leader.is_some() && self.members.iter().all(well)
    }
}
