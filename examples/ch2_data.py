"""Report 2: contribute data that only attested code can open, see what it weighs, take it back.

Run `teeproof demo` in another terminal; when its story is told: python examples/ch2_data.py
"""

import json
import tempfile
from pathlib import Path

from teeproof.cli.joining import join
from teeproof.cloud.owner import OwnerKey
from teeproof.data.contribute import contribute, withdraw

SAID = ("please get rid of", "would you kindly offload", "time to part with")
PARTS = {
    "two percent": 0.02, "seven percent": 0.07, "an eighth": 0.125, "a sixth": 0.166,
    "three tenths": 0.3, "two fifths": 0.4, "five eighths": 0.625, "nine tenths": 0.9,
}  # fmt: skip
ORDERS = [
    {"text": f"{words} {part} of the ether I hold", "order": {"sell": "ETH", "part": amount}}
    for words in SAID
    for part, amount in PARTS.items()
]
PAYOUT = "0x52908400098527886e0f7030069857d2e4169ee7"

demo, me = join(), OwnerKey.new()
pool, kms = demo.pool(), demo.kms()
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "orders.jsonl"
    file.write_text("".join(json.dumps(order) + "\n" for order in ORDERS))
    # Sealed here; the key goes to the KMS, which releases it to the pool's measured code alone.
    made = contribute(file, owner=me, pool=pool, kms=kms, terms=pool.terms(), payout=PAYOUT)
print(f"{made.decision}; its weight is {made.weight:,} millionths of a record")

taken = withdraw(made.contribution, owner=me, pool=pool, kms=kms)
print(f"key erased: {taken.erasure.statement.name[:23]}…")
print(taken.receipt.verdict)
