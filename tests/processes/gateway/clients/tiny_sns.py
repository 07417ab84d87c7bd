"""A client of Tiny SNS with generated stubs: coordinator, service and timeline, while servers and a gateway die.

Arguments: folder of the .proto files, addresses of the two coordinators."""

import queue
import sys
import threading
import time

import grpc
from common import awaited, equal, please, stubs

messages, services = stubs(sys.argv[1], "sns")
coordinators = sys.argv[2:4]
from google.protobuf.timestamp_pb2 import Timestamp  # noqa: E402


class Client:
    """As the older client does it: a channel to the coordinators, and a new one to each answer of GetServer."""

    def __init__(self, username):
        first, second = coordinators
        self.username = username
        self.coordinator = services.CoordServiceStub(grpc.insecure_channel(f"ipv4:{first},{second}"))
        self.id = self.coordinator.GetUniqueClientID(messages.Empty())
        self.move()
        self.login = self.ask("Login")

    def move(self):
        self.info = self.coordinator.GetServer(self.id)
        self.service = services.SNSServiceStub(grpc.insecure_channel(f"{self.info.hostname}:{self.info.port}"))

    def ask(self, method, *arguments):
        request = messages.Request(username=self.username, arguments=arguments)
        return getattr(self.service, method)(request)

    def says(self, method, *arguments):
        reply = self.ask(method, *arguments)
        return reply.status, reply.msg


class Timeline:
    def __init__(self, client):
        self.username = client.username
        self.shown, self.end = [], None
        self.typed = queue.Queue()
        self.typed.put(messages.Message(username=self.username))
        self.call = client.service.Timeline(iter(self.typed.get, None))
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            for post in self.call:
                assert post.timestamp.seconds > 0
                self.shown.append(f"{post.username}: {post.msg}")
            self.end = self.call.code()
        except grpc.RpcError as error:
            self.end = error.code()

    def post(self, text):
        stamp = Timestamp(seconds=int(time.time()))
        self.typed.put(messages.Message(username=self.username, msg=text, timestamp=stamp))

    def shows(self, expected):
        awaited(f"{expected} in {self.shown}", lambda: len(self.shown) >= len(expected))
        equal(self.shown, expected)


ada, bob = Client("ada"), Client("bob")
equal((ada.login.status, ada.login.msg), (messages.SUCCESS, "User ada successfully logged in!"))
equal(ada.says("Login"), (messages.SUCCESS, "Welcome back, ada"))
equal(ada.says("Follow", "bob"), (messages.SUCCESS, "Successfully followed bob"))
equal(ada.says("Follow", "bob"), (messages.ALREADY_EXISTS, "You already follow this user"))
equal(ada.says("Follow", "ada"), (messages.INVALID, "You cannot follow yourself."))
equal(ada.says("Follow", "nobody"), (messages.NOT_EXISTS, "The specified user does not exist."))
equal(bob.says("UnFollow", "ada"), (messages.NOT_A_FOLLOWER, "You already do not follow this user..."))
lists = ada.ask("List")
equal((list(lists.all_users), list(lists.followers), list(lists.following)), (["ada", "bob"], [], ["bob"]))

adas, bobs = Timeline(ada), Timeline(bob)
expected = []
number = 0


def talk(posts=5):
    global number
    for _ in range(posts):
        bobs.post(f"post {number}")
        expected.append(f"bob: post {number}")
        number += 1
    adas.shows(expected)


talk()
bobs.post("x" * 101)
bobs.shows(["ribbit: Your post is longer than 100 characters, so it was not posted."])
flood = Timeline(ada)
for _ in range(1_100):
    flood.typed.put(messages.Message(username="ada"))
awaited("the end of the flood", lambda: flood.end == grpc.StatusCode.OK)
for victim in ["kill leader", "kill follower"]:
    please(victim)
    talk()

# The gateway of the client dies: the next calls go to the other one, and GetServer names it.
awaited("two addresses", lambda: ada.move() or "," in ada.info.hostname)
bob.move()
please("kill gateway")
awaited("calls go on", lambda: ada.says("Login") == (messages.SUCCESS, "Welcome back, ada"))
awaited("one address", lambda: ada.move() or "," not in ada.info.hostname)
bob.move()
adas, bobs = Timeline(ada), Timeline(bob)
adas.shows(list(reversed(expected))[:20])
bobs.post("through the other one")
awaited("a new post", lambda: adas.shown[-1] == "bob: through the other one")
equal(adas.shown[:-1], list(reversed(expected))[:20])

# Reflection tells tools the same as the .proto file.
from google.protobuf.descriptor_pool import DescriptorPool  # noqa: E402
from google.protobuf.descriptor_pb2 import FileDescriptorProto  # noqa: E402
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase  # noqa: E402

target = f"{ada.info.hostname}:{ada.info.port}"
database = ProtoReflectionDescriptorDatabase(grpc.insecure_channel(target))
assert "SNS.SNSService" in database.get_services()
pool = DescriptorPool(database)
pool.FindServiceByName("SNS.SNSService")
told, written = FileDescriptorProto(), FileDescriptorProto()
pool.FindFileByName("sns.proto").CopyToProto(told)
messages.DESCRIPTOR.CopyToProto(written)
fields = {m.name: [(f.name, f.number, f.type, f.label, f.type_name) for f in m.field] for m in written.message_type}
for message in told.message_type:
    equal([(f.name, f.number, f.type, f.label, f.type_name) for f in message.field], fields[message.name])
equal(told.enum_type, written.enum_type)
print("passed", flush=True)
