//! Texts of the files of one board, pure. Words of people are quoted for YAML and for shells here.

use std::fmt::Write;

/// Words for cmdline.txt of Raspberry Pi OS before cloud-init; on Bullseye and older the boot partition is `/boot`.
pub(super) const CMDLINE: &str = "systemd.run=/boot/firmware/firstrun.sh systemd.run_success_action=reboot \
                                  systemd.unit=kernel-command-line.target\n";

/// Name of the user that logs in with the key for SSH: the first user of Raspberry Pi OS.
const USER: &str = "pi";

/// One board of a new cluster.
#[derive(Debug)]
pub(super) struct BoardFiles {
    pub(super) board: u32,
    /// Number of boards.
    pub(super) of: u32,
    pub(super) host: String,
    /// Id of the cluster, as text.
    pub(super) cluster: String,
    /// Public key of the cluster, as text.
    pub(super) key: String,
    pub(super) time_zone: Option<String>,
    pub(super) ssh_keys: Vec<String>,
    pub(super) wifi: Option<Wifi>,
}

/// A network that boards join by radio.
#[derive(Clone)]
pub(super) struct Wifi {
    pub(super) ssid: String,
    pub(super) password: String,
    pub(super) country: String,
}

/// Leaves out the password.
impl std::fmt::Debug for Wifi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wifi").field("ssid", &self.ssid).finish_non_exhaustive()
    }
}

impl BoardFiles {
    /// Returns the roles of the board, as units. Docs: `docs/boards.md`, "What survives what".
    pub(super) fn units(&self) -> Vec<String> {
        let (board, of) = (self.board, self.of);
        let mut units: Vec<String> = coordinators(of)
            .filter(|(_, at)| *at == board)
            .map(|(id, _)| format!("ribbit-coordinator@{id}"))
            .collect();
        if has_backend(board, of) {
            units.push(format!("ribbit-backend@{board}"));
        }
        units.extend(["ribbit-balancer".to_string(), "ribbit-web".to_string()]);
        if board == of {
            units.push("ribbit-backup.timer".to_string());
        }
        units
    }

    /// Returns `user-data` of cloud-init.
    pub(super) fn user_data(&self) -> String {
        let mut more = String::new();
        if let Some(zone) = &self.time_zone {
            let _ = writeln!(more, "timezone: {}", yaml(zone));
        }
        if !self.ssh_keys.is_empty() {
            let _ = write!(
                more,
                "users:\n  - name: {USER}\n    groups: [sudo]\n    sudo: 'ALL=(ALL) NOPASSWD:ALL'\n    shell: /bin/bash\n    \
                 lock_passwd: true\n    ssh_authorized_keys:\n"
            );
            for key in &self.ssh_keys {
                let _ = writeln!(more, "      - {}", yaml(key));
            }
            more.push_str("ssh_pwauth: false\nruncmd:\n  - [systemctl, enable, --now, ssh]\n");
        }
        include_str!("user-data").replace("@HOST@", &yaml(&self.host)).replace("@MORE@", &more)
    }

    /// Returns `meta-data` of cloud-init.
    pub(super) fn meta_data(&self) -> String {
        let host = &self.host;
        format!(
            "instance-id: {}\nlocal-hostname: {}\n",
            yaml(&format!("ribbit-{}-{host}", self.cluster)),
            yaml(host)
        )
    }

    /// Returns `network-config` of cloud-init.
    pub(super) fn network_config(&self) -> String {
        let mut text = "version: 2\nethernets:\n  eth0:\n    dhcp4: true\n    optional: true\n".to_string();
        if let Some(Wifi { ssid, password, country }) = &self.wifi {
            let (ssid, password, country) = (yaml(ssid), yaml(password), yaml(country));
            let _ = write!(
                text,
                "wifis:\n  wlan0:\n    dhcp4: true\n    optional: true\n    regulatory-domain: {country}\n    \
                 access-points:\n      {ssid}:\n        password: {password}\n"
            );
        }
        text
    }

    /// Returns the script that installs ribbit.
    pub(super) fn first_boot(&self) -> String {
        let servers = founding_servers(self.of).to_string();
        let founds = coordinators(self.of).any(|it| it == (1, self.board));
        let found =
            if founds { include_str!("found.sh").replace("@SERVERS@", &servers) } else { String::new() };
        let text = include_str!("first-boot.sh").replace("@KEY@", &self.key).replace("@FOUND@", &found);
        text.replace("@UNITS@", &self.units().join(" "))
    }

    /// Returns `firstrun.sh` of Raspberry Pi OS before cloud-init.
    pub(super) fn firstrun(&self) -> String {
        let mut custom = String::new();
        let mut add = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(|word| shell_words::quote(word)).collect();
            let _ = writeln!(custom, "$custom {}", words.join(" "));
        };
        if let Some(zone) = &self.time_zone {
            add(&["set_timezone", zone]);
        }
        for key in &self.ssh_keys {
            add(&["enable_ssh", "-k", key]);
        }
        if let Some(Wifi { ssid, password, country }) = &self.wifi {
            add(&["set_wlan", &keyfile(ssid), &keyfile(password), country]);
        }
        include_str!("firstrun.sh").replace("@HOST@", &self.host).replace("@CUSTOM@", &custom)
    }
}

/// Returns the coordinators of so many boards, as (number, board).
fn coordinators(of: u32) -> impl Iterator<Item = (u32, u32)> {
    let all: &[(u32, u32)] = match of {
        1 | 2 => &[(1, 1)],
        3 => &[(1, 1), (2, 2)],
        4 => &[(1, 4), (2, 4)],
        _ => &[(1, 4), (2, 5)],
    };
    all.iter().copied()
}

fn has_backend(board: u32, of: u32) -> bool {
    of < 4 || !(4..=5).contains(&board)
}

/// Returns the number of servers that have to wait with empty stores before one of them founds the cluster: more than half of them,
/// and more than are on one board.
pub(super) fn founding_servers(of: u32) -> u32 {
    let backends = (1..=of).filter(|board| has_backend(*board, of)).count();
    let all = u32::try_from(backends + coordinators(of).count()).unwrap_or(u32::MAX);
    if of == 2 { all } else { all / 2 + 1 }
}

/// Quotes a text for YAML: in double quotes, with an escape for all but printable ASCII.
fn yaml(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            ' '..='~' => quoted.push(letter),
            _ => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(letter));
            }
        }
    }
    quoted.push('"');
    quoted
}

/// Escapes a text for a key file of NetworkManager.
fn keyfile(text: &str) -> String {
    text.replace('\\', "\\\\").replace(' ', "\\s")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    fn files(board: u32, of: u32) -> BoardFiles {
        BoardFiles {
            board,
            of,
            host: format!("board{board}"),
            cluster: "2f".into(),
            key: "9c".into(),
            time_zone: None,
            ssh_keys: Vec::new(),
            wifi: None,
        }
    }

    #[test]
    fn every_server_has_one_board_and_no_board_founds_alone() {
        for of in 1..=9 {
            let boards: Vec<Vec<String>> = (1..=of).map(|board| files(board, of).units()).collect();
            let mut servers: Vec<&String> =
                boards.iter().flatten().filter(|unit| unit.contains('@')).collect();
            let all = servers.len();
            servers.sort();
            servers.dedup();
            assert_eq!(servers.len(), all, "{boards:?}");
            let founders: Vec<u32> =
                (1..=of).filter(|board| files(*board, of).first_boot().contains("FOUND")).collect();
            assert_eq!(founders.len(), 1, "{of}");
            let on_founder = &boards[founders[0] as usize - 1];
            let own = on_founder.iter().filter(|unit| unit.contains('@')).count();
            let needed = founding_servers(of) as usize;
            assert!(
                needed * 2 > all && needed <= all && (of == 1 || needed > own),
                "{of}: {needed} of {all}"
            );
        }
        assert_eq!(
            files(1, 3).units(),
            ["ribbit-coordinator@1", "ribbit-backend@1", "ribbit-balancer", "ribbit-web"]
        );
    }

    /// Undoes the escapes that `yaml` makes.
    fn unquoted(quoted: &str) -> String {
        let mut letters = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap().chars();
        let mut text = String::new();
        while let Some(letter) = letters.next() {
            assert!((' '..='~').contains(&letter) && letter != '"', "{quoted}");
            match (letter == '\\').then(|| letters.next().unwrap()) {
                None => text.push(letter),
                Some('U') => {
                    let digits: String = letters.by_ref().take(8).collect();
                    text.extend(char::from_u32(u32::from_str_radix(&digits, 16).unwrap()));
                }
                Some(plain) => text.push(plain),
            }
        }
        text
    }

    proptest! {
        #[test]
        fn texts_of_people_stay_inside_their_quotes(text in any::<String>()) {
            prop_assert_eq!(unquoted(&yaml(&text)), text.clone());
            let wifi = Wifi { ssid: text.clone(), password: text.clone(), country: "AT".into() };
            let files = BoardFiles { ssh_keys: vec![text], wifi: Some(wifi), ..files(1, 3) };
            let plain = files.network_config().lines().count();
            prop_assert_eq!(plain, 13);
            prop_assert!(files.user_data().is_ascii());
        }
    }

    #[test]
    fn a_shell_reads_the_same_words() {
        let odd = r#"it's "$(id)" \ `x` *; # @CUSTOM@"#;
        let wifi = Wifi { ssid: odd.into(), password: odd.into(), country: "AT".into() };
        let files = BoardFiles { ssh_keys: vec![odd.into()], wifi: Some(wifi), ..files(1, 3) };
        let script = files.firstrun().replace("/usr/lib/raspberrypi-sys-mods/imager_custom", "printf '<%s>'");
        let lines: String =
            script.lines().filter(|line| line.contains("custom")).map(|line| format!("{line}\n")).collect();
        let output =
            Command::new("sh").args(["-c", &lines.replace("$custom", "printf '<%s>'")]).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let escaped = keyfile(odd);
        assert_eq!(
            said,
            format!("<set_hostname><board1><enable_ssh><-k><{odd}><set_wlan><{escaped}><{escaped}><AT>")
        );
    }
}
