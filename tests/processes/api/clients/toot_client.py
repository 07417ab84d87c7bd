"""toot, unmodified, against a cluster: registers, logs in with the password and in the browser, and revokes nothing by itself.

    toot_client.py BASE_URL

Asks on stdout for what it cannot do itself ("please …") and reads the answer as a line.
"""

import sys

from toot import App, User, api, auth, http


def please(what):
    print("please", what, flush=True)
    return sys.stdin.readline().strip()


base = sys.argv[1]
instance = auth.find_instance(base)
assert instance.version.startswith("4.2.0 (compatible; ribbit "), instance.version
registered = api.create_app(base)
app = App(instance.uri, base, registered["client_id"], registered["client_secret"])


def whose(token):
    user = User(app.instance, None, token)
    return http.get(app, user, "/api/v1/apps/verify_credentials").json()["name"]


# `toot login_cli`
by_password = api.login(app, "ada", "password")
assert by_password["scope"] == "read write follow", by_password
assert whose(by_password["access_token"]) == "toot - a Mastodon CLI client"
try:
    api.login(app, "ada", "wrong password")
    raise SystemExit("a wrong password logs in")
except Exception as error:
    assert "password is wrong" in str(error), error

# `toot login`
code = please("consent " + api.get_browser_login_url(app))
by_code = api.request_access_token(app, code)
assert whose(by_code["access_token"]) == "toot - a Mastodon CLI client"

# A leader that dies in the middle: one token.
code = please("consent " + api.get_browser_login_url(app))
please("kill leader")
by_failover = api.request_access_token(app, code)
assert whose(by_failover["access_token"]) == "toot - a Mastodon CLI client"
print("passed", flush=True)
