//! What stands under the flags in `--help`: examples, and what cannot be said in a line.

pub(super) const ROOT: &str = "\
Try it out:
  ribbit up        a whole group on this machine, http://127.0.0.1:8080
  ribbit status    who is there, and how many more may be lost
  ribbit demo persistence    everything off while messages wait, then on

Every flag may also stand in the environment or in the --config file, under
the name shown with it. A flag counts before the environment, the environment
before the file.

Exit codes: 0 fine, 1 refused, 2 wrong usage, 3 nobody reachable,
4 not logged in, 5 degraded, 74 disk full or failing, 75 a lock was lost,
78 wrong configuration, or somebody has to look first.";

pub(super) const UP: &str = "\
Examples:
  ribbit up                                 three backends, two coordinators
  ribbit up --backends 1 --coordinators 0   the smallest
  ribbit up --web 127.0.0.1:0 --ephemeral   leave nothing behind, take any port
  ribbit up --restart never                 what dies stays dead until you start it

Ctrl-C stops everything. What is in the data folder stays.";

pub(super) const KEY: &str = "\
It is no secret. A laptop or a web process that has no cluster file is told it:
  ribbit client web --server board1:8081 --public-key $(ssh board1 ribbit key)
Without it they trust the servers that they meet first, and refuse any other
key from then on.";

pub(super) const WEB_CERT: &str = "\
Examples:
  ribbit web-cert board1 board1.local 192.168.7.1
  ribbit client web --listen 0.0.0.0:8443 --tls-cert web.pem --tls-key web.key
  ribbit web-cert --renew board1 board1.local 192.168.7.1 && kill -HUP PID

It is of no authority: browsers ask about it once, on each device. It says until
when it is valid, and the log of the pages does so two weeks before.";

pub(super) const INIT: &str = "\
Examples:
  ribbit init --name frogs --coordinator board1:9000,board2:9001
  ribbit init --coordinator 10.0.0.4:9000 --cluster-file frogs.ribbit

The file holds the cluster's key: copy it to every board by a way that nobody
else can read.";

pub(super) const BACKEND: &str = "\
Listens on 0.0.0.0:10000+N, or where `up` had it if the data folder is one of
`up`: so the last example brings back what died under `ribbit up`.

Examples:
  ribbit backend --id 2
  ribbit backend --id 2 --coordinator board1:9000 --advertise board2:10002
  ribbit backend --id 2 --data-dir ribbit-data";

pub(super) const COORDINATOR: &str = "\
Listens on the port that the cluster file gives its address, the Nth, and tells
others that address; where the file has none, on 0.0.0.0:8999+N. Or where `up`
had it if the data folder is one of `up`.

Examples:
  ribbit coordinator --id 1 --found      the first start of a new group, once
  ribbit coordinator --id 1 --found-only the same, and ends: ribbit-found@1.service
  ribbit coordinator --id 1              every start after it
  ribbit coordinator --id 2 --coordinator board1:9000";

pub(super) const BALANCER: &str = "\
Listens on 0.0.0.0:8081, or where `up` had it if the data folder is one of
`up`.

With --floating it also holds an address: of all balancers that name it, the one
that holds the lock /floating/ADDR has it on its interface and tells the
neighbours so; when it dies, the next one has both within three seconds. IPv4
only. It needs CAP_NET_ADMIN and CAP_NET_RAW, and an address that no other
machine uses and no DHCP server gives away.

Examples:
  ribbit balancer
  ribbit balancer --listen 0.0.0.0:9090 --coordinator board1:9000,board2:9001
  ribbit balancer --floating 192.168.1.50/24 --interface eth0
  ribbit balancer read        ask the one that runs, as programs can";

pub(super) const READ: &str = "\
Examples:
  ribbit balancer read
  ribbit balancer read --client 17 --json --server board1:8081

You count as a client of that backend for a minute, or until you say `ribbit
balancer left`: ask again to stay. Exits 3 when no backend serves people.";

pub(super) const WRITE: &str = "\
Examples:
  ribbit balancer write
  ribbit balancer write --json --server board1:8081

Exits 1 while nobody leads, 3 when no backend serves people.";

pub(super) const DOWN: &str = "\
Examples:
  ribbit balancer down board2:10002

A backend that answers the balancer stays in use: a wrong report changes
nothing, and exits 1.";

pub(super) const LEFT: &str = "\
Examples:
  ribbit balancer left 17";

pub(super) const CLIENT: &str = "\
Examples:
  ribbit client                          talk: a prompt with history and completion
  ribbit client -u ada --server board1:8081
  ribbit client create ada
  ribbit client post Rain, at last
  ribbit client feed --follow

Exit codes: 1 refused, 2 wrong usage, 3 nobody answers, 4 not logged in.
With --json results are one JSON object a line; fields are only ever added.";

pub(super) const LOGIN: &str = "\
Examples:
  ribbit client login ada
  ribbit client login ada --server board1:8081 < password-file

The session is kept in $XDG_CONFIG_HOME/ribbit or ~/.config/ribbit, readable by
you alone, one for each cluster, whichever address it is reached at. A password
is never taken from an argument or from the environment, where others see it.";

pub(super) const LOGOUT: &str = "\
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

Whatever dies meanwhile, it is done once. Exits 3 when nobody answers; then it
says whether it may have been done.";

pub(super) const FEED: &str = "\
Examples:
  ribbit client feed --limit 50
  ribbit client feed --before 1234       older ones
  ribbit client feed --follow --json | while read -r croak; do …; done

With --json one line a croak:
  {\"id\":N,\"author\":{\"account\":N,\"username\":\"…\",\"name\":\"…\"},\"text\":\"…\",
   \"time\":\"2026-07-01T09:05:00Z\"}    null where a board had no clock";

pub(super) const DM: &str = "\
Examples:
  ribbit client dm bob are you there?
  ribbit client dm bob --json < letter   {\"id\":N,\"to\":\"bob\",\"fate\":\"saved\"}

Saved means: on a majority of the servers' disks, waiting for bob.";

pub(super) const INBOX: &str = "\
Examples:
  ribbit client inbox                    what waits to be read; then it was read
  ribbit client inbox --keep --json
  ribbit client inbox bob --limit 50

With --json one line a message; from or to is null when they were deleted:
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

With --json one line a person:
  {\"account\":N,\"username\":\"…\",\"name\":\"…\",\"followed\":true,\"follows\":false}";

pub(super) const UNCROAK: &str = "\
Examples:
  ribbit client uncroak 1042";

pub(super) const PROFILE: &str = "\
Examples:
  ribbit client profile --full-name 'Ada Lovelace'
  ribbit client profile --email ada@pond";

pub(super) const PASSWD: &str = "\
Where standard input is no terminal, its first line is the password of now, its
second one the new one.

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

One object: ribbit_export (1), account, friends, followers, sessions, croaks,
messages; croaks and messages as `feed --json` and `inbox --json` show them,
croaks newest first, messages talk by talk.";

pub(super) const DELETE: &str = "\
Examples:
  ribbit client delete
  ribbit client delete < password-file";

pub(super) const USER_LIST: &str = "\
Examples:
  ribbit user list
  ribbit user list 'b*' --json
    {\"account\":N,\"username\":\"…\",\"name\":\"…\",\"email\":\"…\",\"created\":\"…\",
     \"suspended\":false,\"sessions\":N}";

pub(super) const USER_PASSWD: &str = "\
Examples:
  ribbit user passwd ada
  ribbit user passwd ada < password-file";

pub(super) const USER_SUSPEND: &str = "\
Examples:
  ribbit user suspend bob

`ribbit user resume bob` lets them log in again.";

pub(super) const USER_RESUME: &str = "\
Examples:
  ribbit user resume bob";

pub(super) const USER_DELETE: &str = "\
Examples:
  ribbit user delete bob
  ribbit user delete bob --yes           in a script";

pub(super) const USER_UNCROAK: &str = "\
Examples:
  ribbit user uncroak 1234               http://board1:8080/croak/1234";

pub(super) const USER_REGISTRATION: &str = "\
Examples:
  ribbit user registration closed
  ribbit user registration open";

pub(super) const CLIENT_SERVER: &str = "\
A client asks for its id once; it is kept in the data folder, in the file
`client`. Its own cluster is its id modulo the number of clusters, plus 1.

Examples:
  ribbit client server
  ribbit client server --id 17 --before board1:10001 --json";

pub(super) const WEB: &str = "\
Examples:
  ribbit client web
  ribbit client web --listen 0.0.0.0:8080 --server board1:8081
  ribbit client web --listen 0.0.0.0:8443 --tls-cert web.pem --tls-key web.key
  ribbit client web --trusted-proxies 127.0.0.1 --host frogs.example.org

  ribbit client web --listen 0.0.0.0:443 --http 0.0.0.0:80 --tls-cert web.pem \\
    --tls-key web.key

`ribbit web-cert` makes a certificate for names on your own network. After a new one
was written to the same files: kill -HUP. Without HTTPS whoever is on the network can
read what people type; the pages say so.";

pub(super) const STATUS: &str = "\
Examples:
  ribbit status
  ribbit status --json --server board1:10001
  ribbit status --cluster-file frogs.ribbit

Exits 0 whenever anybody answers, 3 when nobody does.";

pub(super) const WATCH: &str = "\
Examples:
  ribbit watch
  ribbit watch --once --server board1:8081
  ribbit watch | tee frogs.log        lines are appended where there is no terminal

BEAT says when a member last answered, LEASE whether the leader has heard it
lately. Ends on Ctrl-C and at the end of its input.";

pub(super) const HEALTH: &str = "\
Examples:
  ribbit health
  ribbit health --json --server board1:8081
  ribbit health || echo look at the frogs | mail club@example.org

Exits 0 when all is well, 5 when it works but somebody should look (a member
is missing or behind, a disk is full, nothing more may be lost), 3 when it is
down (nobody answers, nobody leads, or no backend serves people).";

pub(super) const MEMBERS: &str = "\
Examples:
  ribbit members
  ribbit members --json --data-dir ribbit-data

A voter decides what is written, a learner has all the same data and no say.
A Raft id is one life of a member: who comes back with nothing gets another.";

pub(super) const REMOVE: &str = "\
Examples:
  ribbit member remove backend-3         it is dead and does not come back
  ribbit member remove backend-3 --yes   it is alive; its process then ends

A removed member that has its store still is not taken back: delete the folder
of its name, and it joins as a new one.";

pub(super) const DRAIN: &str = "\
Examples:
  ribbit member drain backend-2

It goes on serving people. `ribbit member undrain backend-2` takes it back.";

pub(super) const UNDRAIN: &str = "\
Examples:
  ribbit member undrain backend-2";

pub(super) const TRANSFER: &str = "\
Examples:
  ribbit transfer backend-2";

pub(super) const RECOVER: &str = "\
Only when the stores of a majority are gone for good. As long as they may come
back, wait for them: what they acknowledged and FOLDER does not hold would be
lost. Stop every member first, and take the FOLDER of the one that was last in
sync (`ribbit status` shows what each has applied).

Examples:
  ribbit recover --from ribbit-data/backend-3 --id 1
  ribbit recover --from /mnt/card/backend-2 --id 2 --data-dir ribbit-data

It says what FOLDER holds, and what to do on the other boards.";

pub(super) const BACKUP: &str = "\
Examples:
  ribbit backup ribbit.backup
  ribbit backup --server board1:10001 /mnt/card/ribbit.backup
  ribbit backup - | ssh elsewhere 'cat > ribbit.backup'

It holds everything that was acknowledged before it began. FILE is there once it
is whole, for its owner alone, and takes the place of what had its name. No
member's log and no keys are in it, but hashes of passwords are: keep it secret.";

pub(super) const RESTORE: &str = "\
Examples:
  ribbit restore ribbit.backup --data-dir restored
  ssh elsewhere 'cat ribbit.backup' | ribbit restore - --data-dir restored
  ribbit restore ribbit.backup --coordinator board1:9000,board2:9001

A file that is damaged, cut off or foreign is refused before anything is made.
Everybody has to log in again.";

pub(super) const VERIFY: &str = "\
Examples:
  ribbit verify
  ribbit verify --json --server board1:8081

Reads every row of every member that answers, as of one index, while people go
on writing. Exits 0 when all are the same, 1 when not (the first row that differs
is named), 5 when a member that answers could not be compared, 3 when nobody
answers.";

pub(super) const MAN: &str = "\
Examples:
  ribbit man | man -l -
  ribbit man > /usr/local/share/man/man1/ribbit.1";

pub(super) const BENCH: &str = "\
Examples:
  ribbit bench --op post --clients 64 --seconds 10
  ribbit bench --op feed --direct --json
  ribbit bench --op post --leader --clients 1
  ribbit bench --op lock --clients 16

gap_max_ms is the longest time in which no client got an answer: kill the
leader meanwhile to see it.";
