"""A client of the gRPC chat with generated stubs, which moves as the older one does, while servers and its gateway die.

Arguments: folder of the .proto files, address of a gateway."""

import sys
import threading
import time

import grpc
from common import awaited, equal, please, stubs

messages, services = stubs(sys.argv[1], "chat")


class Client:
    """Takes the last server of its list when a command fails, and repeats the command there."""

    def __init__(self, address, user):
        self.connect(address)
        self.backups = [f"{it.host}:{it.port}" for it in self.stub.GetBackups(messages.BackupRequest()).serverinfo]
        self.user, self.got, self.online = user, [], False

    def connect(self, address):
        self.address = address
        self.stub = services.ClientHandlerStub(grpc.insecure_channel(address))

    def ask(self, method, request):
        while True:
            try:
                return getattr(self.stub, method)(request)
            except grpc.RpcError as error:
                assert self.backups, f"no server is left: {error}"
                self.connect(self.backups.pop())

    def login(self):
        reply = self.ask("Login", messages.LoginRequest(user=self.user))
        if reply.status == 0 and not self.online:
            self.online = True
            threading.Thread(target=self.listen, daemon=True).start()
        return reply.status, reply.errormessage

    def listen(self):
        """Polls without a pause, as the older client does."""
        while self.online:
            try:
                reply = self.stub.GetMessages(messages.GetRequest(user=self.user))
                self.got += [f"{it.sender}: {it.message}" for it in reply.message]
            except grpc.RpcError:
                time.sleep(0.05)

    def send(self, target, text):
        reply = self.ask("Send", messages.SendRequest(user=self.user, message=text, target=target))
        equal((reply.user, reply.message, reply.target), (self.user, text, target))
        return reply.status, reply.errormessage

    def gets(self, expected):
        awaited(f"{expected} in {self.got}", lambda: len(self.got) >= len(expected))
        equal(self.got, expected)


awaited("the other gateway is named", lambda: Client(sys.argv[2], "nobody").backups)
ada, bob = Client(sys.argv[2], "ada"), Client(sys.argv[2], "bob")
assert len(ada.backups) >= 4 and ada.address not in ada.backups
equal(ada.login(), (0, ""))
equal(bob.login(), (0, ""))
equal(Client(sys.argv[2], "bob").login(), (1, "user already logged in on different machine"))
equal(ada.send("nobody", "hi"), (1, "user does not exist :("))
expected = []
number = 0


def talk():
    global number
    for _ in range(5):
        equal(ada.send("bob", f"message {number}"), (0, ""))
        expected.append(f"ada: message {number}")
        number += 1
    bob.gets(expected)


talk()
equal(ada.send("bob", "twice"), (0, ""))
equal(ada.send("bob", "twice"), (0, ""))
expected += ["ada: twice"] * 2
bob.gets(expected)
for victim in ["kill leader", "kill follower"]:
    please(victim)
    talk()
wildcard = ada.ask("ListUsers", messages.ListRequest(args=" %B% "))
equal((wildcard.wildcard, list(wildcard.user)), ("%B%", ["bob"]))

# The gateway dies. The listener of bob moves when a command of his fails.
time.sleep(1)
please("kill gateway")
equal(bob.send("ada", "are you there"), (0, ""))
equal(ada.send("bob", "I am"), (0, ""))
expected.append("ada: I am")
bob.gets(expected)
ada.gets(["bob: are you there"])
reply = bob.ask("Logout", messages.LogoutRequest(user="bob"))
bob.online = False
equal((reply.status, reply.user), (0, "bob"))
equal(bob.ask("Logout", messages.LogoutRequest(user="bob")).errormessage, "user not currently logged in")
print("passed", flush=True)
