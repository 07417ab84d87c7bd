"""toot's own command line, unmodified, against a running site: each command is a process, and what it prints is read.

    toot_commands.py BASE_URL

ada, bob and carl exist. toot keeps its tokens in the folder of XDG_CONFIG_HOME. Asks on stdout
("please page NAME PATH WORDS") whether a page says the same, and waits for the answer as a line.
"""

import json
import re
import subprocess
import sys

base = sys.argv[1]
instance = base.split("://")[1]


def please(what):
    print("please", what, flush=True)
    assert sys.stdin.readline() == "\n"


def run(*arguments):
    command = [sys.executable, "-m", "toot", "--no-color", "--max-width", "80", *arguments]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)


def toot(*arguments):
    """Returns what a command prints."""
    ended = run(*arguments)
    assert ended.returncode == 0, (arguments, ended.stdout, ended.stderr)
    return ended.stdout


def says(words, *arguments):
    printed = toot(*arguments)
    assert words in printed, (arguments, words, printed)


def refused(words, *arguments):
    ended = run(*arguments)
    assert ended.returncode != 0 and words in ended.stderr, (arguments, words, ended)


def post(*arguments):
    """Posts and returns the id."""
    printed = toot("post", *arguments)
    return re.search(r"Toot posted: http\S*?(\d+)\s", printed).group(1)


def timeline(which, *arguments):
    return toot("timelines", which, "--no-pager", "--no-clear", *arguments)


# Accounts
refused("Login failed", "login_cli", "--instance", base, "--email", "ada", "--password", "wrong password")
for name in ["bob", "ada"]:
    says("Successfully logged in.", "login_cli", "--instance", base, "--email", name, "--password", "password")
says(f"ada@{instance} ACTIVE", "auth")
says("@ada", "whoami")
says("@bob", "whois", "bob")
says("@carl", "search", "carl")
refused("Account not found", "whois", "nobody")
says("You are now following carl", "follow", "carl")
says("You are now following bob", "follow", "bob")
please("page bob /notifications ada")
says("@bob", "following")
says("You are no longer following carl", "unfollow", "carl")
toot("update-account", "--display-name", "Ada of the pond", "--note", "I count frogs")
assert json.loads(toot("whoami", "--json"))["source"]["note"] == "I count frogs"

# Statuses
root = post("who is at the pond?", "--using", f"bob@{instance}")
assert "who is at the pond?" in timeline("home")
assert "who is at the pond?" in timeline("public")
reply = post("--reply-to", root, "@bob I am")
says("@bob I am", "thread", root)
says(f"In reply to {root}", "status", reply)
says("favourited", "favourite", root)
says("reblogged", "reblog", root)
says("Ada of the pond", "reblogged-by", root)
please(f"page carl /croak/{root} I am")
last = post("--visibility", "private", "for followers only")
assert "for followers only" not in timeline("public")
refused("100", "post", "quak " * 40)
refused("Ribbit has no pictures", "post", "look", "--media", sys.argv[0])
says("deleted", "delete", last)
refused("no such croak", "status", last)
assert "for followers only" not in timeline("home")

# What bob is told
says(f"bob@{instance} activated", "activate", f"bob@{instance}")
told = toot("notifications")
for words in ["@ada", "now follows you", "favourited your status", "boosted your status", "mentioned you", "I am"]:
    assert words in told, (words, told)
says("Notifications cleared", "notifications", "--clear")
says("You have no notifications", "notifications")

# Muting and blocking
says("You have muted ada", "mute", "ada")
says("ada", "muted")
please("page bob /muted ada")
assert "I am" not in timeline("public")
says("ada is no longer muted", "unmute", "ada")
assert "I am" in timeline("public")
says("You are now blocking ada", "block", "ada")
says("ada", "blocked")
please("page bob /blocked ada")
says(f"ada@{instance} activated", "activate", f"ada@{instance}")
assert "who is at the pond?" not in timeline("public")
says("bob", "logout", f"bob@{instance}")
print("passed", flush=True)
