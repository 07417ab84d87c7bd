//! Placeholder.
use super::protocol::MemberInfo;

#[derive(Debug, Clone, Default)]
pub struct Survey {
    pub leader: Option<String>,
    pub term: u64,
    pub can_lose_processes: u32,
    pub can_lose_machines: u32,
    pub members: Vec<MemberView>,
}
#[derive(Debug, Clone)]
pub struct MemberView {
    pub info: MemberInfo,
    pub alive: bool,
    pub voter: bool,
    pub in_sync: bool,
}
pub async fn survey(_seeds: &[String]) -> Survey {
    Survey::default()
}
