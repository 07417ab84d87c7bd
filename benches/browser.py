"""A browser for the scripts of this folder: cookies, forms, and a new connection for each request."""

import http.client
import sys
import urllib.parse


class Browser:
    def __init__(self, address):
        self.host, self.port = address.rsplit(":", 1)
        self.cookies = {}

    def cookie(self):
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def ask(self, method, path, fields=None):
        """Returns the body of the answer. Ends the program when the answer is an error."""
        connection = http.client.HTTPConnection(self.host, int(self.port), timeout=60)
        headers = {"Cookie": self.cookie()}
        if fields is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, fields and urllib.parse.urlencode(fields), headers)
        answer = connection.getresponse()
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, value = line.split(";")[0].split("=", 1)
            self.cookies[name] = value
        body = answer.read()
        connection.close()
        if answer.status >= 400:
            sys.exit(f"{method} {path}: {answer.status} {body.decode()}")
        return body

    def join(self, name):
        """Creates an account and logs in."""
        account = {"name": name, "username": name, "email": "a@b.org", "password": "password"}
        self.ask("POST", "/create", account)
        self.ask("POST", "/login", {"username": name, "password": "password"})
