//! `ribbit invite-board`: makes a one-time join code, with which a new server gets the cluster file.
//!
//! The code is derived here and by the members from the cluster key and a random number. Only the number is sent to the cluster.

use super::user::Operator;
use crate::client::arguments::OutputArgs;
use crate::client::session::request_error::RequestError;
use crate::client::verbs::{VerbError, ended, say, usage};
use crate::common::cluster_selection::{ClusterAccess, select_with_key};
use crate::common::failure::Failure;
use crate::common::values;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, ArgMatches, Args};
use ribbit_net::secret::new_request_id;
use ribbit_state::cluster::join_codes::{LETTERS, letter};
use ribbit_state::limits::JOIN_CODE_MS_MAX;
use ribbit_state::query::{JoinCodeItem, OperatorQuery};
use ribbit_state::{Code, OperatorCommand, Page, Reply};
use ribbit_ui::invitations::lasting;
use ribbit_ui::qr::QrCode;
use ribbit_ui::time::shown;
use serde_json::json;
use std::io::{self, IsTerminal};

/// Arguments of `invite-board`.
#[derive(Debug, Args)]
pub(crate) struct InviteBoardArgs {
    /// Time for which the code works, up to 720h
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = expires_ms)]
    pub expires: u64,
    /// Print the QR code of the code also where the output is no terminal
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub qr: bool,
    /// List the codes instead, without the codes themselves
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub list: bool,
    /// Revoke the code that begins with this letter instead
    #[arg(long, value_name = "LETTER", conflicts_with = "list")]
    pub revoke: Option<String>,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Options of `invite-board`.
pub(crate) struct InviteBoardOptions {
    cluster: ClusterAccess,
    arguments: InviteBoardArgs,
}

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
On the new board, with an address of any member or balancer:
  ribbit backend --id 3 --join K7QX2-9MRT4@board1
  sudo ribbit init --join K7QX2-9MRT4@board1 --cluster-file /etc/ribbit/cluster.ribbit

The code is shown only here. It works once. After three wrong tries, its time in
which the cluster is running, `ribbit key rotate` or --revoke it is dead.

Examples:
  ribbit invite-board
  ribbit invite-board --expires 24h --json
    {\"code\":\"…\",\"expires_s\":N}
  ribbit invite-board --list
  ribbit invite-board --revoke K";

fn expires_ms(text: &str) -> Result<u64, String> {
    let ms = values::span(text)?.as_millis().try_into().ok();
    ms.filter(|ms| (1..=JOIN_CODE_MS_MAX).contains(ms)).ok_or("expected from 1s to 720h".to_string())
}

impl InviteBoardArgs {
    /// Returns the options.
    ///
    /// # Errors
    /// As [`select_with_key`].
    pub(crate) fn options(self, matches: &ArgMatches) -> Result<InviteBoardOptions, Failure> {
        let cluster = select_with_key(self.output.cluster.clone(), matches)?;
        Ok(InviteBoardOptions { cluster, arguments: self })
    }
}

/// Makes a code, lists the codes, or revokes one.
///
/// # Errors
/// 1: refused. 2: no letter of a code. 3: no server answers.
pub(crate) async fn run(options: &InviteBoardOptions) -> Result<u8, Failure> {
    let operator = Operator::reach(&options.cluster).await?;
    ended(perform(&operator, options).await)
}

async fn perform(operator: &Operator, options: &InviteBoardOptions) -> Result<(), VerbError> {
    let InviteBoardArgs { expires, qr, list, revoke, output } = &options.arguments;
    if let Some(typed) = revoke {
        let is_typed = |slot: &u8| typed.eq_ignore_ascii_case(&letter(*slot).to_string());
        let slot = (0..LETTERS.len() as u8).find(is_typed);
        let slot = slot.ok_or_else(|| usage("--revoke needs the first letter of a code".to_string()))?;
        operator.write(OperatorCommand::RevokeJoinCode { slot }.into()).await?;
        return say(&format!("revoked the join code that begins with {}", letter(slot)));
    }
    if *list {
        let Page::JoinCodes(items) = operator.read(OperatorQuery::JoinCodes.into(), true).await? else {
            return Err(RequestError::unexpected().into());
        };
        return items.iter().try_for_each(|item| say(&if output.json { json(item) } else { line(item) }));
    }
    let keys = &options.cluster.keys;
    let (nonce, key) = (new_request_id().0, keys.id().tag);
    let command = OperatorCommand::MakeJoinCode { nonce, key, for_ms: *expires };
    let Reply::Invited { invitation: slot } = operator.write(command.into()).await? else {
        return Err(RequestError::unexpected().into());
    };
    let slot = u8::try_from(slot).ok();
    let code = slot.and_then(|slot| keys.join_code(key, nonce, slot)).ok_or_else(RequestError::unexpected)?;
    if output.json {
        return say(&json!({ "code": code.to_string(), "expires_s": expires / 1_000 }).to_string());
    }
    let image = if *qr || io::stdout().is_terminal() { QrCode::of(&code.to_string()) } else { None };
    let image = image.map_or_else(String::new, |image| format!("\n{}", image.half_blocks()));
    say(&format!(
        "{code}\nA new board gets the cluster file with this code, once, within {}: there, run\n  \
         ribbit backend --id N --join {code}@HOST\nwith the host of any member. It gives full access to the cluster.{}",
        lasting(*expires),
        image.trim_end()
    ))
}

fn line(item: &JoinCodeItem) -> String {
    let state = match item.over {
        Some(code) => code.text().split(';').next().unwrap_or_default().to_string(),
        None => format!("{} left, {} wrong tries left", lasting(item.left_ms), item.row.tries_left),
    };
    let made = shown(item.row.made_wall_ms).map_or(String::new(), |time| format!("made {}, ", time.people));
    format!("{}…  {made}{state}", letter(item.slot))
}

fn json(item: &JoinCodeItem) -> String {
    let JoinCodeItem { slot, row, over, left_ms } = item;
    json!({
        "letter": letter(*slot).to_string(),
        "time": shown(row.made_wall_ms).map(|time| time.machine),
        "left_s": left_ms.div_ceil(1_000),
        "tries_left": row.tries_left,
        "over": over.map(Code::number),
    })
    .to_string()
}
