"""The calls of ribbit's API with Mastodon.py, by three people.

Arguments: address of the site, then a token of ada, bob and carl each."""

import sys
from datetime import datetime, timedelta, timezone

import requests
from mastodon import Mastodon, MastodonAPIError, MastodonNotFoundError, MastodonUnauthorizedError

address = sys.argv[1]


def equal(got, expected):
    assert got == expected, f"{got!r} instead of {expected!r}"


def refused(error, call, *arguments, words=None, **named):
    try:
        got = call(*arguments, **named)
    except error as refusal:
        assert words is None or words in str(refusal), f"{words!r} is not in {refusal}"
        return
    raise AssertionError(f"not refused: {got!r}")


def ids(items):
    return [item.id for item in items]


ada, bob, carl = (
    Mastodon(access_token=token, api_base_url=address, ratelimit_method="throw") for token in sys.argv[2:5]
)

# Who one is.
me = ada.account_verify_credentials()
equal((me.username, me.acct, me.source.privacy), ("ada", "ada", "public"))
assert me.created_at.year > 2000 and me.url == f"{address}/@ada", me
changed = ada.account_update_credentials(
    display_name="Ada L.", note="I like #frogs & <ponds>", fields=[("Site", "https://pond.example/a?b=1&c=2")]
)
equal((changed.display_name, changed.source.note), ("Ada L.", "I like #frogs & <ponds>"))
assert "&lt;ponds&gt;" in changed.note and "/tag/frogs" in changed.note, changed.note
equal([field.value for field in changed.source.fields], ["https://pond.example/a?b=1&c=2"])
refused(MastodonAPIError, ada.account_update_credentials, display_name="x" * 65, words="64")
refused(MastodonAPIError, ada.account_update_credentials, locked=True, words="locked")
refused(
    MastodonAPIError,
    ada.account_update_credentials,
    note="a picture",
    avatar=b"GIF89a",
    avatar_mime_type="image/gif",
    words="no pictures",
)
equal(ada.account_verify_credentials().source.note, "I like #frogs & <ponds>")
preferences = ada.preferences()
equal(preferences["posting:default:visibility"], "public")
anyone = Mastodon(api_base_url=address)
refused(MastodonAPIError, anyone.account_verify_credentials)
wrong = Mastodon(access_token="0" * 64, api_base_url=address)
refused(MastodonUnauthorizedError, wrong.timeline_home)

# People.
bob_id, carl_id = bob.me().id, carl.me().id
equal(ada.account(bob_id).acct, "bob")
equal(ada.account_lookup("bob").id, bob_id)
equal(ada.account_lookup(f"bob@{address.split('/')[2]}").id, bob_id)
refused(MastodonNotFoundError, ada.account_lookup, "nobody")
refused(MastodonNotFoundError, ada.account_lookup, "bob@elsewhere.example")
refused(MastodonNotFoundError, ada.account, 999999999)
equal(ids(ada.account_search("bo")), [bob_id])
equal(ada.account_search("?!"), [])
relation = bob.account_follow(me.id)
assert relation.following and not relation.followed_by, relation
assert bob.account_follow(me.id).following
equal(ids(ada.account_followers(me.id)), [bob_id])
equal(ids(carl.account_followers(me.id)), [bob_id])
equal(ids(ada.account_following(bob_id)), [me.id])
equal(ada.account_following(me.id), [])
relations = ada.account_relationships([bob_id, carl_id, 999999999])
equal([(one.id, one.followed_by) for one in relations], [(bob_id, True), (carl_id, False)])
refused(MastodonAPIError, ada.account_follow, me.id)

# Statuses.
first = ada.status_post("rain at the #Pond, @bob", idempotency_key="first")
equal(ada.status_post("rain at the #Pond, @bob", idempotency_key="first").id, first.id)
equal((first.visibility, first.account.acct, first.tags[0].name), ("public", "ada", "pond"))
equal(ids(first.mentions), [bob_id])
refused(MastodonAPIError, ada.status_post, "x" * 101, words="100 characters")
refused(MastodonAPIError, ada.status_post, "")
refused(MastodonAPIError, ada.status_post, "later", scheduled_at=datetime.now(timezone.utc) + timedelta(hours=1), words="cannot post later")
refused(MastodonAPIError, ada.status_post, "soft", spoiler_text="ponds", words="content warnings")
poll = ada.make_poll(["yes", "no"], 3600)
refused(MastodonAPIError, ada.status_post, "which?", poll=poll, words="no polls")
refused(MastodonAPIError, ada.media_post, b"GIF89a", mime_type="image/gif", words="no pictures")
private = ada.status_post("for followers", visibility="private")
equal(private.visibility, "private")
refused(MastodonNotFoundError, carl.status, private.id)
equal(bob.status(private.id).content, "<p>for followers</p>")
unlisted = ada.status_post("hushed", visibility="unlisted")
equal(unlisted.visibility, "public")
reply = bob.status_post("I know", in_reply_to_id=first.id)
equal((reply.in_reply_to_id, reply.in_reply_to_account_id), (first.id, me.id))
answer = ada.status_reply(reply, "so it is")
around = carl.status_context(reply.id)
equal((ids(around.ancestors), ids(around.descendants)), ([first.id], [answer.id]))
equal(ids(ada.status_context(first.id).descendants), [reply.id, answer.id])
equal(ada.status_source(first.id).text, "rain at the #Pond, @bob")
refused(MastodonNotFoundError, ada.status, 999999999)
refused(MastodonNotFoundError, bob.status_delete, 999999999)
refused(MastodonAPIError, bob.status_delete, first.id)

# Likes and shares.
liked = bob.status_favourite(first.id)
assert liked.favourited and liked.favourites_count == 1, liked
equal(ids(carl.status_favourited_by(first.id)), [bob_id])
equal(ids(bob.favourites()), [first.id])
share = carl.status_reblog(first.id)
assert share.id != first.id and share.reblog.id == first.id and share.reblog.reblogged, share
equal(carl.status_reblog(first.id).id, share.id)
equal(carl.status(share.id).reblog.id, first.id)
equal(ids(ada.status_reblogged_by(first.id)), [carl_id])
equal(ids(carl.account_statuses(carl_id)), [share.id])
equal(carl.account_statuses(carl_id, exclude_reblogs=True), [])
refused(MastodonAPIError, carl.status_reblog, private.id)
refused(MastodonAPIError, ada.status_reblog, first.id)
assert ada.status_pin(first.id).pinned
equal(ids(carl.account_statuses(me.id, pinned=True)), [first.id])
assert not ada.status_unpin(first.id).pinned
refused(MastodonAPIError, bob.status_pin, first.id)
refused(MastodonAPIError, bob.status_bookmark, first.id, words="bookmarks")

# Timelines.
equal(ids(bob.timeline_home()), [answer.id, reply.id, unlisted.id, private.id, first.id])
equal(ids(carl.timeline_public()), [answer.id, reply.id, unlisted.id, first.id])
equal(ids(carl.timeline_local()), [answer.id, reply.id, unlisted.id, first.id])
equal(carl.timeline_public(remote=True), [])
equal(ids(carl.timeline_hashtag("pond")), [first.id])
equal(ids(carl.account_statuses(me.id)), [answer.id, unlisted.id, first.id])
equal(ids(carl.account_statuses(me.id, exclude_replies=True)), [unlisted.id, first.id])
equal(carl.account_statuses(me.id, only_media=True), [])
equal(ids(carl.account_statuses(me.id, tagged="pond")), [first.id])

# Pages.
page = bob.timeline_home(limit=2)
equal(ids(page), [answer.id, reply.id])
older = bob.fetch_next(page)
equal(ids(older), [unlisted.id, private.id])
equal(ids(bob.fetch_previous(older)), [answer.id, reply.id])
equal(ids(bob.fetch_next(older)), [first.id])
equal(ids(bob.fetch_remaining(page)), [answer.id, reply.id, unlisted.id, private.id, first.id])
equal(ids(bob.timeline_home(min_id=first.id, limit=2)), [unlisted.id, private.id])
equal(ids(bob.timeline_home(since_id=unlisted.id)), [answer.id, reply.id])
equal(ids(bob.timeline_home(max_id=private.id)), [first.id])
equal(len(bob.timeline_home(limit=100000)), 5)

# Notifications.
told = ada.notifications()
equal([(one.type, one.account.acct) for one in told],
      [("reblog", "carl"), ("favourite", "bob"), ("mention", "bob"), ("follow", "bob")])
equal((told[0].status.id, told[2].status.id), (first.id, reply.id))
equal(ids(ada.notifications(types=["follow"])), [told[3].id])
equal(ids(ada.notifications(exclude_types=["follow", "reblog"])), [told[1].id, told[2].id])
equal(ids(ada.notifications(account_id=carl_id)), [told[0].id])
equal(ids(ada.notifications(min_id=told[2].id)), [told[0].id, told[1].id])
equal(ada.notifications(told[1].id).type, "favourite")
refused(MastodonNotFoundError, bob.notifications, told[1].id)
equal(ada.markers_get(["home", "notifications"])["notifications"].last_read_id, "0")
set_to = ada.markers_set(["home", "notifications"], [first.id, told[1].id])
equal(str(set_to["notifications"].last_read_id), str(told[1].id))
equal(str(ada.markers_get(["home"])["home"].last_read_id), str(first.id))
ada.notifications_dismiss(told[1].id)
equal(ids(ada.notifications()), [told[0].id, told[2].id, told[3].id])
bob.notifications_dismiss(told[0].id)
ada.notifications_clear()
equal(ada.notifications(), [])

# Direct messages.
letter = ada.status_post("@bob meet me at the pond", visibility="direct", idempotency_key="letter")
equal(ada.status_post("@bob meet me at the pond", visibility="direct", idempotency_key="letter").id, letter.id)
equal((letter.visibility, ids(letter.mentions)), ("direct", [bob_id]))
refused(MastodonAPIError, ada.status_post, "to whom?", visibility="direct", words="recipient")
refused(MastodonAPIError, ada.status_post, "@nobody hello", visibility="direct")
refused(MastodonNotFoundError, carl.status, letter.id)
refused(MastodonAPIError, bob.status_favourite, letter.id, words="direct messages")
talk = bob.conversations()[0]
assert talk.unread and ids(talk.accounts) == [me.id] and talk.last_status.id == letter.id, talk
assert not bob.conversations_read(talk.id).unread
assert not bob.conversations()[0].unread
back = bob.status_post("yes", in_reply_to_id=letter.id, visibility="direct")
equal(ids(back.mentions), [me.id])
equal(ids(ada.status_context(letter.id).descendants), [back.id])
equal(ids(ada.status_context(back.id).ancestors), [letter.id])
both = ada.status_post("@bob @carl hello", visibility="direct")
equal([one.accounts[0].acct for one in ada.conversations()], ["carl", "bob"])
newest = ada.conversations(limit=1)
equal([one.accounts[0].acct for one in ada.fetch_next(newest)], ["bob"])
equal(carl.conversations()[0].last_status.content, bob.conversations()[0].last_status.content)
refused(MastodonAPIError, ada.status_delete, letter.id, words="direct message")

# Search.
found = carl.search("rain")
equal((ids(found.statuses), found.accounts, [tag.name for tag in found.hashtags]), ([first.id], [], ["rain"]))
found = carl.search("#pond", result_type="hashtags")
equal((found.statuses, [tag.name for tag in found.hashtags]), ([], ["pond"]))
equal(ids(carl.search("ad", result_type="accounts").accounts), [me.id])
equal(ids(carl.search(f"{address}/croak/{first.id}", result_type="statuses").statuses), [first.id])
equal(carl.search("followers", result_type="statuses").statuses, [])
equal(ids(carl.search(f"{address}/@ada", result_type="accounts").accounts), [me.id])

# Keeping away.
assert carl.account_mute(me.id).muting
equal(ids(carl.mutes()), [me.id])
assert first.id not in ids(carl.timeline_public())
assert not carl.account_unmute(me.id).muting
assert carl.account_block(me.id).blocking
equal(ids(carl.blocks()), [me.id])
assert ada.account_relationships(carl_id)[0].blocked_by
refused(MastodonNotFoundError, carl.status, first.id)
refused(MastodonAPIError, ada.account_follow, carl_id)
assert not carl.account_unblock(me.id).blocking
report = carl.report(me.id, status_ids=[first.id], comment="wet")
equal((report.comment, report.target_account.id), ("wet", me.id))
equal(carl.report(bob_id).status_ids, [])
refused(MastodonAPIError, carl.report, bob_id, status_ids=[first.id])
refused(MastodonNotFoundError, carl.report, 999999999)

# What there is none of.
for empty in (ada.bookmarks, ada.lists, ada.custom_emojis, ada.filters, ada.filters_v2, ada.follow_requests, ada.suggestions,
              ada.scheduled_statuses, ada.featured_tags, ada.followed_tags, ada.endorsements, ada.domain_blocks,
              ada.announcements):
    equal(list(empty()), [])
equal(ada.timeline_list(1), [])
refused(MastodonNotFoundError, ada.poll, 1)

# Undone.
assert not bob.status_unfavourite(first.id).favourited
assert not carl.status_unreblog(first.id).reblogged
assert not bob.account_unfollow(me.id).following
gone = ada.status_delete(first.id)
equal((gone.id, gone.text), (first.id, "rain at the #Pond, @bob"))
refused(MastodonNotFoundError, ada.status, first.id)

# Wrong types and sizes.
headers = {"Authorization": f"Bearer {sys.argv[2]}"}


def raw(method, path, **named):
    return requests.request(method, f"{address}/api/v1/{path}", headers=headers, timeout=10, **named)


for path in ("statuses/x", "statuses/-1", "statuses/99999999999999999999999", "accounts/x", "notifications/0", "accounts/x/statuses",
             "statuses/%00", "statuses/1%2F2"):
    answer = raw("GET", path)
    assert answer.status_code == 404 and answer.json()["error"], (path, answer.status_code, answer.text)
for query in ("max_id=x", "limit=-1", "limit=99999999999999999999", "min_id=99999999999999999999999", "since_id=&max_id=",
              "max_id=18446744073709551615&min_id=18446744073709551615"):
    answer = raw("GET", f"timelines/home?{query}")
    assert answer.status_code == 200 and isinstance(answer.json(), list), (query, answer.text)
for body in ({"status": {"a": 1}}, {"status": None}, {"status": "x", "visibility": 7},
             {"status": "x", "in_reply_to_id": "nothing"}, {"status": "x", "in_reply_to_id": 999999999}, [1, 2], "text"):
    answer = raw("POST", "statuses", json=body)
    assert 400 <= answer.status_code < 500 and answer.json()["error"], (body, answer.status_code, answer.text)
for data in (b"{", b"\xff\xfe", b"[" * 5000):
    kind = {"Content-Type": "application/json"}
    answer = requests.post(f"{address}/api/v1/statuses", data=data, headers=headers | kind, timeout=10)
    assert 400 <= answer.status_code < 500 and answer.json()["error"], (data[:9], answer.status_code, answer.text)
many = "&".join(f"id[]={number}" for number in range(1, 60))
answer = raw("GET", f"accounts/relationships?{many}")
equal(answer.status_code, 422)

print("passed")
