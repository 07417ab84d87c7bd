"""The machines, the switch and the faults of benches/networks."""

import argparse, ctypes, fcntl, heapq, json, os, random, re, select, shutil, signal, socket, struct, subprocess, sys, tempfile, threading, time

HOSTS = ["backend-1", "backend-2", "backend-3", "coordinator-1", "coordinator-2", "writer"]
MEMBERS, WRITER = HOSTS[:5], 5
PORTS = {"backend-1": 10_001, "backend-2": 10_002, "backend-3": 10_003, "coordinator-1": 9_000, "coordinator-2": 9_001}
# Seconds of writing before a fault, and for the last requests after it.
BEFORE, AFTER = 8, 4
LOCK = "/bench/lock"


def run(*words, **more):
    return subprocess.run(words, check=True, capture_output=True, text=True, **more).stdout


def address(number):
    return f"10.77.0.{number + 1}"


def enter(namespace):
    """Moves the calling thread into a network namespace."""
    with open(f"/run/netns/{namespace}") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0x4000_0000) != 0:
            raise OSError(ctypes.get_errno(), "setns")


class Switch:
    """Passes the packets of all hosts, on a thread of its own process, and breaks them as it is told."""

    PACKET_MAX, BURST = 2048, 64
    TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x4004_54CA, 1, 0x1000

    def __init__(self, namespaces, seed):
        self.control, inner = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.control.close()
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                self.serve(inner, [self.tunnel(name) for name in namespaces], random.Random(seed))
            finally:
                os._exit(0)
        inner.close()
        self.control.recv(16)

    def tunnel(self, namespace):
        enter(namespace)
        device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(device, self.TUNSETIFF, struct.pack("16sH", b"eth0", self.IFF_TUN | self.IFF_NO_PI))
        return device

    def tell(self, **fault):
        self.control.send(json.dumps(fault).encode())

    def end(self):
        self.control.close()
        os.waitpid(self.pid, 0)

    def serve(self, control, devices, chance):
        control.send(b"ready")
        poll, number_of = select.epoll(), {device: number for number, device in enumerate(devices)}
        for device in [control.fileno(), *devices]:
            poll.register(device, select.EPOLLIN)
        fault, late, count = {}, [], 0
        while True:
            wait = max(0.0, late[0][0] - time.monotonic()) if late else -1
            for device, _ in poll.poll(wait):
                if device == control.fileno():
                    told = control.recv(4096)
                    if not told:
                        return
                    fault = json.loads(told)
                    continue
                for _ in range(self.BURST):
                    try:
                        packet = os.read(device, self.PACKET_MAX)
                    except BlockingIOError:
                        break
                    # Only IPv4 is switched, by the last byte of the receiver's address.
                    to = packet[19] - 1
                    if packet[0] >> 4 != 4 or not 0 <= to < len(devices):
                        continue
                    for delay in self.fate(fault, number_of[device], to, len(packet), chance):
                        if delay <= 0:
                            self.give(devices[to], packet)
                        else:
                            count += 1
                            heapq.heappush(late, (time.monotonic() + delay, count, to, packet))
            now = time.monotonic()
            while late and late[0][0] <= now:
                _, _, to, packet = heapq.heappop(late)
                self.give(devices[to], packet)

    def fate(self, fault, source, target, length, chance):
        """Returns the delays of all copies of a packet that arrive."""
        if not fault:
            return (0,)
        if [source, target] in fault.get("cut", ()) or length > fault.get("mtu", {}).get(str(source), 1 << 16):
            return ()
        if source in fault.get("flaps", ()) or target in fault.get("flaps", ()):
            # One second without the link, one with it.
            if int(time.monotonic()) % 2 == 0:
                return ()
        if chance.random() < fault.get("loss", 0):
            return ()
        delay = fault.get("delay", 0) + chance.uniform(-1, 1) * fault.get("jitter", 0)
        if chance.random() < fault.get("reorder", 0):
            delay += fault["by"]
        return (delay, delay) if chance.random() < fault.get("double", 0) else (delay,)

    def give(self, device, packet):
        try:
            os.write(device, packet)
        except OSError:
            pass  # a full queue loses packets, as a switch does


class Cluster:
    """Five members, each on a host of its own, and a host of the writers."""

    made = 0

    def __init__(self, binary, seed, probing=False):
        Cluster.made += 1
        self.binary, self.folder = os.path.abspath(binary), tempfile.mkdtemp(prefix="ribbit-networks-")
        self.name, self.processes = f"rn{os.getpid()}-{Cluster.made}", []
        for host in HOSTS:
            run("ip", "netns", "add", self.host(host))
        self.switch = Switch([self.host(host) for host in HOSTS], seed)
        for number, host in enumerate(HOSTS):
            for words in (["link", "set", "lo", "up"], ["address", "add", f"{address(number)}/24", "dev", "eth0"], ["link", "set", "eth0", "up"]):
                run("ip", "-n", self.host(host), *words)
            if probing:
                run(*self.there(host, "sysctl", "-q", "-w", "net.ipv4.tcp_mtu_probing=2"))
        run(self.binary, "init", "--coordinator", f"{address(3)}:9000,{address(4)}:9001", "--data-dir", self.folder)
        self.files = [it for it in os.listdir(self.folder) if os.path.isfile(os.path.join(self.folder, it))]
        for number, host in enumerate(MEMBERS):
            self.start(host, number)

    def host(self, name):
        return f"{self.name}-{name}"

    def there(self, name, *words):
        return ("ip", "netns", "exec", self.host(name), *words)

    def start(self, name, number):
        folder, (role, id) = os.path.join(self.folder, name), name.split("-")
        os.mkdir(folder)
        for file in self.files:
            shutil.copy2(os.path.join(self.folder, file), folder)
        words = [role, "--id", id, "--data-dir", folder, "--advertise", f"{address(number)}:{PORTS[name]}"]
        words += ["--posts-per-minute", "0"] if role == "backend" else []
        words += ["--found"] if name == "coordinator-1" else []
        log = open(os.path.join(folder, "log"), "w")
        self.processes.append(subprocess.Popen(self.there(name, self.binary, *words), stdout=log, stderr=log))

    def members(self):
        return json.loads(run(*self.there("writer", self.binary, "members", "--json", "--data-dir", self.folder)))

    def whole(self):
        """Waits until all members are up and in sync, and a backend leads. Returns the number of the leader's host."""
        end = time.time() + 120
        while time.time() < end:
            try:
                found = self.members()
            except (subprocess.CalledProcessError, json.JSONDecodeError):
                found = {"members": [], "leader": None}
            fine = len(found["members"]) == 5 and all(it["alive"] and it["in_sync"] and it["has_lease"] for it in found["members"])
            if fine and (found["leader"] or "").startswith("backend"):
                return HOSTS.index(found["leader"])
            time.sleep(0.2)
        raise SystemExit(f"the cluster did not come to rest; its logs are in {self.folder}")

    def end(self, keep):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()
        self.switch.end()
        for host in HOSTS:
            run("ip", "netns", "delete", self.host(host))
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)


class Watch(threading.Thread):
    """Asks each member for its metrics, on its own host, which no fault reaches: term, leader, applied index, clients."""

    def __init__(self, cluster, number):
        super().__init__(daemon=True)
        self.cluster, self.number, self.seen, self.over = cluster, number, [], False
        self.start()

    def run(self):
        name = HOSTS[self.number]
        enter(self.cluster.host(name))
        while not self.over:
            try:
                with socket.create_connection((address(self.number), PORTS[name]), timeout=1) as stream:
                    stream.sendall(b"GET /metrics HTTP/1.1\r\nhost: member\r\n\r\n")
                    text = b"".join(iter(lambda: stream.recv(65536), b"")).decode()
                figure = lambda of: int(re.search(rf"^ribbit_{of} (\d+)", text, re.M)[1])
                self.seen.append((time.monotonic(), figure("term"), figure("leads"), figure("applied_index"), figure("clients")))
            except (OSError, TypeError):
                pass
            time.sleep(0.1)


class Holder:
    """Takes one lock again and again on a host, and writes down when it had it, by the clock that all hosts share."""

    def __init__(self, cluster, name):
        self.file = os.path.join(cluster.folder, f"held-{name}")
        held = f"""import time; began = time.monotonic(); time.sleep(0.2)
print(__import__("os").environ["RIBBIT_FENCE"], began, time.monotonic(), flush=True)"""
        once = f"{cluster.binary} lock {LOCK} --lease 2s --data-dir {cluster.folder} -- python3 -c '{held}' >>{self.file} 2>>{self.file}.errors"
        self.process = subprocess.Popen(cluster.there(name, "sh", "-c", f"while :; do {once}; done"), start_new_session=True)

    def end(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        with open(self.file) as file:
            return [(int(fence), float(began), float(ended)) for fence, began, ended in (line.split() for line in file if line.count(" ") == 2)]


FAULTS = {
    "none": lambda leader: {},
    "loss-10": lambda leader: {"loss": 0.1},
    "loss-30": lambda leader: {"loss": 0.3},
    "delay": lambda leader: {"delay": 0.25, "jitter": 0.1},
    "reorder": lambda leader: {"reorder": 0.25, "by": 0.02, "double": 0.1},
    "mtu-leader": lambda leader: {"mtu": {leader: 600}},
    "mtu-1300": lambda leader: {"mtu": {number: 1300 for number in range(len(HOSTS))}},
    "mtu-all": lambda leader: {"mtu": {number: 600 for number in range(len(HOSTS))}},
    "mtu-tunnel": lambda leader: {"mtu": {number: 1400 for number in range(len(HOSTS))}},
    "not-heard": lambda leader: {"cut": [[leader, to] for to in range(len(HOSTS))]},
    "deaf": lambda leader: {"cut": [[source, leader] for source in range(len(HOSTS))]},
    "one-way": lambda leader: {"cut": [[(leader + 1) % 3, leader]]},
    "flap": lambda leader: {"flaps": [leader]},
}


def rate(watches, begin, end):
    """Entries applied a second, by the member that was furthest at each end."""
    at = lambda moment: max((seen[3] for watch in watches for seen in watch.seen if seen[0] <= moment), default=0)
    return (at(end) - at(begin)) / (end - begin)


def elections(watches, begin, end):
    """Terms in which a member led for the first time, and the distance of the terms."""
    inside = [seen for watch in watches for seen in watch.seen if begin <= seen[0] <= end]
    before = {seen[1] for watch in watches for seen in watch.seen if seen[0] < begin and seen[2]}
    led = {seen[1] for seen in inside if seen[2]} - before
    terms = [seen[1] for seen in inside]
    return len(led), max(terms) - min(terms) if terms else 0


def gap(watches, begin, end):
    """The longest time in which no member applied anything."""
    moments = sorted((seen[0], seen[3]) for watch in watches for seen in watch.seen if begin <= seen[0] <= end)
    last, newest, longest = begin, 0, 0.0
    for moment, applied in moments:
        if applied > newest:
            longest, last, newest = max(longest, moment - last) if newest else longest, moment, applied
    return max(longest, end - last)


def measure(options, cluster, fault):
    leader = cluster.whole()
    watches = [Watch(cluster, number) for number in range(5)]
    seconds = BEFORE + options.seconds + AFTER
    words = [cluster.binary, "bench", "--data-dir", cluster.folder, "--json", "--op", "post", "--clients", str(options.clients), "--pause", str(options.pause), "--seconds", str(seconds), "--direct"]
    bench = subprocess.Popen(cluster.there("writer", *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    # The accounts are made first, slowly. Then each client has a connection of its own.
    while sum(watch.seen[-1][4] for watch in watches if watch.seen) < options.clients and bench.poll() is None:
        time.sleep(0.1)
    holders = [Holder(cluster, name) for name in ("backend-2", "coordinator-2")]
    begin = time.monotonic() + 1
    time.sleep(BEFORE - 2)
    start = time.monotonic()
    cluster.switch.tell(**FAULTS[fault](leader))
    time.sleep(options.seconds)
    end = time.monotonic()
    cluster.switch.tell()
    text, errors = bench.communicate()
    held = sorted(turn for holder in holders for turn in holder.end())
    for watch in watches:
        watch.over = True
        watch.join()
    double = sum(1 for (_, _, ended), (_, began, _) in zip(held, held[1:]) if began < ended)
    healthy, during = rate(watches, begin, start), rate(watches, start, end)
    led, terms = elections(watches, start, end)
    figures = json.loads(text) if bench.returncode == 0 else {"gap_max_ms": 0, "max_ms": 0, "last_error": errors[-200:]}
    print(f"{fault:>11} {healthy:>9.0f} {during:>9.1f} {100 * during / max(healthy, 1):>6.1f} % {gap(watches, start, end):>7.1f} {led:>5} {terms:>6} "
          f"{figures['gap_max_ms'] / 1000:>8.1f} {figures['max_ms'] / 1000:>8.1f} {len(held):>6} {double:>4}  {figures['last_error'] or ''}", flush=True)
    return double


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--pause", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mtu-probing", action="store_true", help="let the kernel begin with small packets and look for larger ones that pass")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("what", nargs="*")
    options = parser.parse_args()
    binaries = [it.split("=", 1) for it in options.what if "=" in it]
    faults = [it for it in options.what if "=" not in it] or [it for it in FAULTS if it != "none"]
    doubles = 0
    for name, binary in binaries:
        print(f"{name}: {options.clients} clients, {options.pause} ms between an answer and the next write, {options.seconds} s of each fault, seed {options.seed}")
        print(f"{'':>11} {'writes a second':>19} {'':>8} {'no write':>7} {'':>5} {'':>6} {'client waited, s':>17} {'lock':>6}")
        print(f"{'fault':>11} {'healthy':>9} {'during':>9} {'':>8} {'for s':>7} {'led':>5} {'terms':>6} {'all':>8} {'one':>8} {'turns':>6} {'two':>4}")
        cluster = Cluster(binary, options.seed, options.mtu_probing)
        try:
            for fault in faults:
                doubles += measure(options, cluster, fault)
        finally:
            cluster.end(options.keep)
    sys.exit(1 if doubles else 0)


main()
