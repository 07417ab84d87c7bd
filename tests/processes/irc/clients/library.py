"""Two people with the PyPI library `irc`. Prints `please …` for what the test has to do, and `passed` at the end.

Usage: library.py HOST PORT
"""

import sys
import time

import irc.client

# The library's own limit of one line in flight does not matter here, but its decoder would stop at bytes that are not UTF-8.
PATIENCE_S = 40
LINES = 20


class Person:
    """One connection, and the events that it got."""

    def __init__(self, reactor, host, port, name):
        self.reactor, self.events = reactor, []
        self.connection = reactor.server()
        self.connection.connect(host, port, name, password=f"{name}:password")
        self.connection.add_global_handler("all_events", self.on_event, -100)

    def on_event(self, connection, event):
        if connection is self.connection and event.type != "all_raw_messages":
            self.events.append((event.type, event.source, event.target, list(event.arguments)))

    def awaits(self, what, wanted):
        """Returns the first event that is wanted, and drops those up to it."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            for position, event in enumerate(self.events):
                if wanted(*event):
                    del self.events[: position + 1]
                    return event
            self.reactor.process_once(0.05)
        raise AssertionError(f"{what}: not among {self.events}")

    def hears(self, source, target, text):
        def wanted(kind, from_, to, arguments):
            is_message = kind in ("pubmsg", "privmsg", "action")
            return is_message and from_.nick == source and to == target and arguments == [text]

        return self.awaits(text, wanted)


def please(what):
    print("please", what, flush=True)
    assert sys.stdin.readline() == "done\n"


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    reactor = irc.client.Reactor()
    # A handler of the reactor's would be called for each connection, so each person filters by its own.
    ada, bob = (Person(reactor, host, port, name) for name in ("ada", "bob"))
    for person in (ada, bob):
        person.awaits("welcome", lambda kind, *_: kind == "welcome")
        assert person.connection.get_nickname() in ("ada", "bob")
        person.connection.join("#pond")
        person.awaits("names", lambda kind, *_: kind == "endofnames")
    assert ada.connection.features.nicklen == 32, vars(ada.connection.features)
    assert ada.connection.features.chantypes == "#&"

    ada.connection.privmsg("#pond", "hello from a library")
    bob.hears("ada", "#pond", "hello from a library")
    bob.connection.action("#pond", "waves")
    ada.hears("bob", "#pond", "waves")
    bob.connection.privmsg("ada", "privately")
    ada.hears("bob", "ada", "privately")
    ada.connection.topic("#pond", "Wet things")
    bob.awaits("topic", lambda kind, _, to, words: kind == "topic" and words == ["Wet things"])
    bob.connection.whois(["ada"])
    bob.awaits("whois", lambda kind, _, to, words: kind == "whoisuser" and words[0] == "ada")
    bob.connection.who("#pond")
    bob.awaits("who", lambda kind, *_: kind == "endofwho")
    bob.connection.ison(["ada"])
    bob.awaits("ison", lambda kind, _, to, words: kind == "ison" and words == ["ada"])
    please("say from a verb")
    for person in (ada, bob):
        person.hears("ada", "#pond", "said with a verb")

    # Each line once and in order, although the leader dies.
    for number in range(LINES):
        ada.connection.privmsg("#pond", f"line {number}")
        if number == LINES // 2:
            please("kill leader")
    heard = []
    while len(heard) < LINES:
        event = bob.awaits("a line", lambda kind, *_: kind == "pubmsg")
        heard.append(event[3][0])
    assert heard == [f"line {number}" for number in range(LINES)], heard
    bob.connection.part("#pond")
    bob.awaits("part", lambda kind, source, *_: kind == "part" and source.nick == "bob")
    ada.connection.quit("bye")
    ada.awaits("the end", lambda kind, *_: kind in ("error", "disconnect"))
    print("passed", flush=True)


main()
