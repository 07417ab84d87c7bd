"""The streams of ribbit's API with Mastodon.py, by three people: Server-Sent Events on threads of the library.

Arguments: address of the site, then a token of dora, bobby and carla each."""

import queue
import sys
import time

from mastodon import Mastodon, StreamListener

PATIENCE_S = 60


class Listener(StreamListener):
    """Keeps what arrives, in its order."""

    def __init__(self):
        self.events = queue.Queue()

    def on_update(self, status):
        self.events.put(("update", status))

    def on_delete(self, status_id):
        self.events.put(("delete", status_id))

    def on_notification(self, notification):
        self.events.put(("notification", notification))

    def on_conversation(self, conversation):
        self.events.put(("conversation", conversation))

    def on_abort(self, err):
        self.events.put(("abort", err))

    def on_unknown_event(self, name, unknown_event=None):
        self.events.put(("unknown", name))

    def next(self, kind):
        got, what = self.events.get(timeout=PATIENCE_S)
        assert got == kind, f"{got} {what!r} instead of {kind}"
        return what


address = sys.argv[1]
dora, bobby, carla = (
    Mastodon(access_token=token, api_base_url=address, ratelimit_method="throw") for token in sys.argv[2:5]
)
assert dora.stream_healthy()
me = dora.account_verify_credentials()
bobby.account_follow(me.id)

streams = []


def opened(open_stream, *arguments):
    listener = Listener()
    handle = open_stream(*arguments, listener, run_async=True)
    streams.append(handle)
    end = time.monotonic() + PATIENCE_S
    while not handle.is_receiving():
        assert handle.is_alive() and time.monotonic() < end, "no stream"
        time.sleep(0.01)
    return listener


of_bobby, of_dora = opened(bobby.stream_user), opened(dora.stream_user)
of_all, of_tag = opened(carla.stream_public), opened(carla.stream_hashtag, "pond")
letters = opened(bobby.stream_direct)

status = dora.status_post("rain at the #Pond, @bobby")
for listener in (of_bobby, of_all, of_tag):
    assert listener.next("update").id == status.id
# The author's own croak is in their feed, too.
assert of_dora.next("update").id == status.id
told = of_bobby.next("notification")
assert (told.type, told.account.id, told.status.id) == ("mention", me.id, status.id), told

dora.status_post("for followers", visibility="private")
assert of_bobby.next("update").content == "<p>for followers</p>"
of_dora.next("update")

carla.status_favourite(status.id)
assert of_dora.next("notification").type == "favourite"

dora.status_post("@bobby meet me", visibility="direct")
letter = letters.next("conversation")
assert "meet me" in letter.last_status.content and letter.unread, letter

dora.status_delete(status.id)
for listener in (of_bobby, of_all, of_tag):
    assert str(listener.next("delete")) == str(status.id)

for stream in streams:
    stream.close()
print("passed")
