"""Shared by the clients: stubs of proto/, waiting, and asking the test to do something to the cluster."""

import importlib
import subprocess
import sys
import tempfile
import time


def stubs(proto_folder, name):
    """Returns the messages and the stubs of a file of proto/."""
    out = tempfile.mkdtemp()
    arguments = ["-I", proto_folder, "--python_out", out, "--grpc_python_out", out, name + ".proto"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *arguments], check=True)
    sys.path.insert(0, out)
    return importlib.import_module(name + "_pb2"), importlib.import_module(name + "_pb2_grpc")


def please(what):
    """Asks the test for something, and waits until it is done."""
    print("please", what, flush=True)
    answer = sys.stdin.readline().strip()
    assert answer == "done", answer


def awaited(what, look, seconds=60):
    """Looks until there is something, and returns it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seen = look()
        if seen:
            return seen
        time.sleep(0.05)
    raise AssertionError("not in time: " + what)


def equal(a, b):
    assert a == b, f"{a!r} is not {b!r}"
