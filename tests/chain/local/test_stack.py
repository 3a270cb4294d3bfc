"""An EVM in the process leaves its parsers standing."""

import subprocess
import sys

PROGRAM = """
import threading
import web3  # it raises the limit too
import teeproof.chain.local.osaka
import json, msgspec, tomllib
from teeproof.core.strictjson import loads

def climb():
    for parse, text in (
        (msgspec.msgpack.decode, b"\\x91" * (1 << 20)), (msgspec.json.decode, "[" * (1 << 20)),
        (json.loads, '{"a":' * (1 << 20)), (tomllib.loads, "a=" + "[" * (1 << 20)),
        (lambda text: loads(text, limit=1 << 20), "[" * 60_000),
    ):
        try:
            parse(text)
        except Exception:
            print("refused")

climb()
thread = threading.Thread(target=climb)
thread.start()
thread.join()
"""


def test_a_tower_of_brackets_crashes_no_process_that_holds_an_evm():
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=False, capture_output=True, text=True
    )
    assert (told.returncode, told.stdout.split()) == (0, ["refused"] * 10), told.stderr
