"""toot posts while the leader dies: each status is there once, in order.

    toot_failover.py BASE_URL

ada exists. Asks on stdout for the death of the leader ("please kill leader") and reads the answer as a line.
"""

import sys
import threading

from toot import App, User, api, auth

BEFORE, AFTER = 5, 10

base = sys.argv[1]
instance = auth.find_instance(base)
registered = api.create_app(base)
app = App(instance.uri, base, registered["client_id"], registered["client_secret"])
user = User(app.instance, "ada", api.login(app, "ada", "password")["access_token"])
posted, begun, killed = [], threading.Event(), threading.Event()


def post():
    left = AFTER
    while left > 0:
        text = f"status {len(posted)}"
        status = api.post_status(app, user, text).json()
        posted.append((status["id"], f"<p>{text}</p>"))
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

found = [(status["id"], status["content"]) for page in api.home_timeline_generator(app, user) for status in page]
found.reverse()
assert len(posted) >= BEFORE + AFTER, posted
assert found == posted, (found, posted)
print("passed")
