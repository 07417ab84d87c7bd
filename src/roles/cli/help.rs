//! Text below the flags in `--help`: examples, and everything that does not fit in one line.

pub(super) const ROOT: &str = "\
Getting started:
  ribbit up                  Run a cluster here; pages on http://127.0.0.1:8080
  ribbit status              Show its members and how many failures it tolerates
  ribbit demo persistence    Watch it recover from a complete power cut

Every flag can also be set by the environment variable shown with it, or in the
--config file under the same name. Precedence: flag, environment, file, default.

Exit codes:
  0   success
  1   refused
  2   wrong usage
  3   no server reachable
  4   not logged in
  5   degraded
  74  disk full or failing
  75  lock lost
  78  wrong configuration, or an operator has to act before a restart";

pub(super) const WEB_CERT: &str = "\
Examples:
  ribbit web-cert board1 board1.local 192.168.7.1
  ribbit client web --listen 0.0.0.0:8443 --tls-cert web.pem --tls-key web.key
  ribbit web-cert --renew board1 board1.local 192.168.7.1 && kill -HUP PID

The certificate is self-signed: each browser asks once whether to accept it. The
command prints the expiry date. `ribbit client web` logs a warning two weeks
before it.";

pub(super) const BACKEND: &str = "\
Default listen address: 0.0.0.0:10000+N. In a data folder of `ribbit up`, the
address that `up` assigned to this member; the last example below restarts a
backend that died under `ribbit up`.

Examples:
  ribbit backend --id 2
  ribbit backend --id 2 --coordinator board1:9000 --advertise board2:10002
  ribbit backend --id 2 --data-dir ribbit-data";

pub(super) const COORDINATOR: &str = "\
Coordinator N announces the Nth coordinator address of the cluster file and
listens on that address's port. If the file has no such address, it listens on
0.0.0.0:8999+N. In a data folder of `ribbit up`, it listens where `up` did.

Examples:
  ribbit coordinator --id 1 --found        First start of a new cluster, once
  ribbit coordinator --id 1 --found-only   The same, then exit
  ribbit coordinator --id 1                Every later start
  ribbit coordinator --id 2 --coordinator board1:9000";

pub(super) const BALANCER: &str = "\
Default listen address: 0.0.0.0:8081. In a data folder of `ribbit up`, the
address of its balancer.

With --floating, the balancers that share an IPv4 address elect a holder with
the lock /floating/ADDR. The holder adds the address to its interface and
announces it to the network. If the holder fails, another balancer takes over
within three seconds. This requires CAP_NET_ADMIN and CAP_NET_RAW, and an
address that no other machine uses and no DHCP server assigns.

Examples:
  ribbit balancer
  ribbit balancer --listen 0.0.0.0:9090 --coordinator board1:9000,board2:9001
  ribbit balancer --floating 192.168.1.50/24 --interface eth0
  ribbit balancer read        Query a running balancer";

pub(super) const CLIENT: &str = "\
Examples:
  ribbit client                          Interactive, with history and completion
  ribbit client -u ada --server board1:8081
  ribbit client create ada
  ribbit client post Rain, at last
  ribbit client feed --follow

Exit codes: 1 refused, 2 wrong usage, 3 no server reachable, 4 not logged in.
With --json, results are printed as one JSON object per line; later versions may
add fields, but do not remove or rename any.";

pub(super) const LOGIN: &str = "\
Examples:
  ribbit client login ada
  ribbit client login ada --server board1:8081 < password-file

The password is asked for at a terminal; otherwise it is the first line of
standard input. It is never taken from an argument or an environment variable,
which other users of the machine can see.

The session is saved in $XDG_CONFIG_HOME/ribbit or ~/.config/ribbit, readable by
you only. There is one session per cluster, valid at every address of it.";

pub(super) const LOGOUT: &str = "\
Ends the session on the cluster and removes it from this machine.

Examples:
  ribbit client logout";

pub(super) const CREATE: &str = "\
Examples:
  ribbit client create ada
  ribbit client create ada --full-name 'Ada L' --email ada@pond < password-file";

pub(super) const POST: &str = "\
Examples:
  ribbit client post Rain, at last
  uptime | ribbit client post
  ribbit client post --json -- '--text that begins with a dash'   {\"id\":N}

Retries are idempotent: a croak is posted at most once, even if a server fails
meanwhile. Exits 3 if no server is reachable; the message then says whether the
croak may have been posted.";

pub(super) const FEED: &str = "\
Examples:
  ribbit client feed --limit 50
  ribbit client feed --before 1234       Older croaks
  ribbit client feed --follow --json | while read -r croak; do …; done

With --json, one line per croak; time is null if the server had no clock:
  {\"id\":N,\"author\":{\"account\":N,\"username\":\"…\",\"name\":\"…\"},\"text\":\"…\",
   \"time\":\"2026-07-01T09:05:00Z\"}";

pub(super) const DM: &str = "\
Examples:
  ribbit client dm bob are you there?
  ribbit client dm bob --json < letter   {\"id\":N,\"to\":\"bob\",\"fate\":\"saved\"}

\"saved\" means that a majority of the servers have the message on disk and bob
has not received it yet.";

pub(super) const INBOX: &str = "\
Examples:
  ribbit client inbox                    Show unread messages, mark them as read
  ribbit client inbox --keep --json      Leave them unread
  ribbit client inbox bob --limit 50     Show the conversation with bob

With --json, one line per message; from or to is null if the account was deleted:
  {\"id\":N,\"from\":{\"account\":N,\"username\":\"…\",\"name\":\"…\"},\"to\":{…},
   \"text\":\"…\",\"time\":…,\"fate\":\"saved\" or \"delivered\" or \"read\"}";

pub(super) const ADD: &str = "\
Examples:
  ribbit client add bob
  ribbit client add bob --json           {\"username\":\"bob\",\"followed\":true}";

pub(super) const REMOVE_FRIEND: &str = "\
Examples:
  ribbit client remove bob";

pub(super) const PEOPLE: &str = "\
Examples:
  ribbit client people
  ribbit client people 'b*' --only followers
  ribbit client people --only friends --json

With --json, one line per person:
  {\"account\":N,\"username\":\"…\",\"name\":\"…\",\"followed\":true,\"follows\":false}";

pub(super) const UNCROAK: &str = "\
Examples:
  ribbit client uncroak 1042";

pub(super) const PROFILE: &str = "\
Examples:
  ribbit client profile --full-name 'Ada Lovelace'
  ribbit client profile --email ada@pond";

pub(super) const PASSWD: &str = "\
If standard input is not a terminal, its first line is the current password and
its second line the new one.

Examples:
  ribbit client passwd";

pub(super) const SESSIONS: &str = "\
Examples:
  ribbit client sessions
  ribbit client sessions --json          {\"opened\":N,\"time\":\"…\",\"this\":true}";

pub(super) const END_SESSION: &str = "\
Examples:
  ribbit client end-session 1042
  ribbit client end-session --others";

pub(super) const EXPORT: &str = "\
Examples:
  ribbit client export > me.json
  ribbit client export --output me.json

Writes one JSON object: ribbit_export (1), account, friends, followers, sessions,
croaks, messages. Croaks and messages have the fields of `feed --json` and
`inbox --json`. Croaks are ordered newest first, messages by conversation.";

pub(super) const DELETE: &str = "\
Asks for your password. This cannot be undone.

Examples:
  ribbit client delete
  ribbit client delete < password-file";

pub(super) const CLIENT_SERVER: &str = "\
The first call requests a client id and saves it in the data folder, in the file
`client`. The client's region is its id modulo the number of regions, plus 1. If
no server of that region is available, a server of the next region is chosen.

Examples:
  ribbit client server
  ribbit client server --id 17 --before board1:10001 --json";

pub(super) const WEB: &str = "\
Examples:
  ribbit client web
  ribbit client web --listen 0.0.0.0:8080 --server board1:8081
  ribbit client web --listen 0.0.0.0:8443 --tls-cert web.pem --tls-key web.key
  ribbit client web --trusted-proxies 127.0.0.1 --host frogs.example.org
  ribbit client web --listen 0.0.0.0:443 --http 0.0.0.0:80 \\
    --tls-cert web.pem --tls-key web.key

The web process stores no data. Without HTTPS, everyone on the network can read
what users type; the pages warn about it. `ribbit web-cert` creates a certificate
for names on your own network. Send SIGHUP after replacing the files.";

pub(super) const MAN: &str = "\
Examples:
  ribbit man | man -l -
  ribbit man > /usr/local/share/man/man1/ribbit.1";
