"""Threads that decode a type for the first time, all at once, do not end the process."""

from __future__ import annotations

import subprocess
import sys

import msgspec

from teeproof.core.types import settle_types

# Each round makes types that msgspec has not seen, and has threads meet them together. Without
# settle_types the process soon ends by a signal.
ROUNDS = """
import sys, threading, types
import msgspec
from teeproof.core.types import settle_types

sys.setswitchinterval(1e-6)
inner = {f"a{i}": i for i in range(12)}
value = {f"b{i}": [inner] * 2 for i in range(8)}
text = "from __future__ import annotations\\nimport msgspec\\n"
text += "class Inner(msgspec.Struct):\\n" + "".join(f"    a{i}: int\\n" for i in range(12))
text += "class Outer(msgspec.Struct):\\n"
text += "".join(f"    b{i}: tuple[Inner, ...]\\n" for i in range(8))
for number in range(150):
    module = types.ModuleType(f"teeproof.made{number}")
    sys.modules[module.__name__] = module
    exec(text, module.__dict__)
    settle_types()
    gate = threading.Barrier(6)
    def meet():
        gate.wait()
        msgspec.convert(value, module.Outer)
    threads = [threading.Thread(target=meet) for _ in range(6)]
    [one.start() for one in threads]
    [one.join() for one in threads]
    del sys.modules[module.__name__]
"""


def test_clients_who_all_come_first_do_not_end_the_server():
    done = subprocess.run([sys.executable, "-c", ROUNDS], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_every_loaded_type_of_ours_is_settled():
    before = settle_types()

    class Later(msgspec.Struct):
        a: int

    Later.__module__ = "teeproof.later"
    assert settle_types() == before + 1
