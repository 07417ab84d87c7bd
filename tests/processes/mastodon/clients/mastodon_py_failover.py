"""Mastodon.py posts while the leader dies: each status is there once, in order.

Arguments: address of the site, a token of ada, and tokens that are not used here."""

import sys
import threading

from mastodon import Mastodon

BEFORE, AFTER = 5, 10

ada = Mastodon(access_token=sys.argv[2], api_base_url=sys.argv[1], ratelimit_method="throw")
posted, begun, killed = [], threading.Event(), threading.Event()


def post():
    left = AFTER
    while left > 0:
        text = f"status {len(posted)}"
        posted.append((ada.status_post(text).id, f"<p>{text}</p>"))
        if len(posted) == BEFORE:
            begun.set()
        if killed.is_set():
            left -= 1


poster = threading.Thread(target=post)
poster.start()
assert begun.wait(60)
print("please kill leader", flush=True)
sys.stdin.readline()
killed.set()
poster.join()

me = ada.account_verify_credentials()
page = ada.account_statuses(me.id, limit=40)
found = [(status.id, status.content) for status in ada.fetch_remaining(page)]
found.reverse()
assert len(posted) >= BEFORE + AFTER, posted
assert found == posted, (found, posted)
print("passed")
