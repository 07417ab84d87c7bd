"""Reads a feed with feedparser, twice, and prints what it found as JSON.

Usage: feeds.py ADDRESS
"""

import json
import sys

import feedparser

address = sys.argv[1]
feed = feedparser.parse(address)
assert feed.status == 200, feed.status
assert not feed.bozo, feed.bozo_exception
assert feed.version == "atom10", feed.version
assert feed.headers["content-type"] == "application/atom+xml; charset=utf-8", feed.headers
again = feedparser.parse(address, etag=feed.etag)
assert again.status == 304, again.status
assert not again.entries
ids = [entry.id for entry in feed.entries]
assert len(ids) == len(set(ids)), ids
for entry in feed.entries:
    assert entry.published_parsed and entry.updated_parsed, entry
    assert entry.content[0].type == "text/html", entry.content
print(
    json.dumps(
        {
            "id": feed.feed.id,
            "title": feed.feed.title,
            "link": feed.feed.link,
            "entries": [
                {
                    "id": entry.id,
                    "title": entry.title,
                    "link": entry.link,
                    "author": entry.author_detail.name,
                    "content": entry.content[0].value,
                }
                for entry in feed.entries
            ],
        }
    )
)
