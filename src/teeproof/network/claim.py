"""A node's claim: what it has, what it costs, where it stands, and who is paid for it.

The node signs it with a key that its hardware commits to, beside the market's challenge. That binds
the words to the machine; it does not make them true: what of a claim can be checked, ``admission``
checks, and what nobody can check yet is refused rather than believed.

Trusts: nothing.  Does not trust: the node's owner, who wrote it.
"""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

from teeproof.core.digests import named, parse_named, sha256
from teeproof.network.forms import (
    check_count,
    check_labels,
    check_name,
    check_payout,
    check_region,
    money,
    require,
    several,
)
from teeproof.proof import canonical
from teeproof.proof.links import Integer

__all__ = ["CLAIM_TYPE", "MAX_CLAIM_BYTES", "Gpus", "Hardware", "NodeClaim", "check_gpus"]

CLAIM_TYPE: Final = "urn:teeproof:node-claim:v1"
MAX_CLAIM_BYTES = 16 << 10
MAX_MODELS = 8
MAX_GPUS = 64  # of one model in one machine
MAX_CPUS = 4096
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}", re.ASCII)


class Gpus(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """GPUs of one model.

    Attributes:
        model: such as ``H100``.
        count: how many.
    """

    model: str
    count: Integer

    def __str__(self) -> str:
        """Return ``8 H100``."""
        return f"{self.count} {self.model}"


class Hardware(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """What a machine has.

    Attributes:
        cpus: cores that a workload may use.
        memory_mib: memory in MiB.
        gpus: by model, in the order of their names.
    """

    cpus: Integer
    memory_mib: Integer
    gpus: tuple[Gpus, ...] = ()

    def check(self) -> None:
        """Raise Malformed unless everything can be counted."""
        check_count(self.cpus, "cores", most=MAX_CPUS)
        check_count(self.memory_mib, "memory")
        check_gpus(self.gpus)

    def has(self, wanted: tuple[Gpus, ...]) -> bool:
        """Return whether these GPUs are among its own."""
        there = {gpus.model: gpus.count for gpus in self.gpus}
        return all(there.get(gpus.model, 0) >= gpus.count for gpus in wanted)


class NodeClaim(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """What a node says of itself.

    Attributes:
        type: always ``urn:teeproof:node-claim:v1``.
        name: what people call it; one name is one node.
        hardware: what it has.
        price: micro-units of the market's asset for each second, as decimal text.
        region: where it stands, such as ``eu-west``; nobody verifies it.
        payout: the address on the chain that is paid.
        labels: more to choose by; nobody verifies them.
        gpu_reports: ``sha256:…`` of each GPU's report that came with it.
    """

    type: Literal["urn:teeproof:node-claim:v1"] = CLAIM_TYPE
    name: str
    hardware: Hardware
    price: str
    region: str
    payout: str
    labels: dict[str, str] = {}
    gpu_reports: tuple[str, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> NodeClaim:
        """Return the claim in canonical JSON.

        Raises:
            TooLarge: beyond ``MAX_CLAIM_BYTES``.
            Malformed: not canonical, an unknown key, or a value that cannot be.
        """
        claim = canonical.decode(data, limit=MAX_CLAIM_BYTES, what="node claim", kind=cls)
        claim.check()
        return claim

    def check(self) -> None:
        """Raise Malformed unless every value can be one."""
        check_name(self.name)
        self.hardware.check()
        money(self.price, "price")
        check_region(self.region)
        check_payout(self.payout)
        check_labels(self.labels)
        require(
            len(set(self.gpu_reports)) == len(self.gpu_reports) <= MAX_GPUS,
            "gpu_reports_malformed",
            "each GPU's report is named once",
            expected=f"at most {MAX_GPUS} digests",
            got=len(self.gpu_reports),
        )
        for digest in self.gpu_reports:
            parse_named(digest)

    def encode(self) -> bytes:
        """Return canonical JSON."""
        return canonical.encode(self)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the canonical JSON, 32 bytes."""
        return sha256(self.encode())

    @property
    def digest_name(self) -> str:
        """The digest as text."""
        return named(self.digest)

    @property
    def gpus_in_words(self) -> str:
        """The GPUs that it claims, for people: ``8 H100, 1 L4``."""
        return several(str(gpus) for gpus in self.hardware.gpus)


def check_gpus(gpus: tuple[Gpus, ...]) -> None:
    """Raise Malformed (``gpus_malformed``) unless models are sorted, once each, and countable."""
    models = [one.model for one in gpus]
    require(
        models == sorted(set(models))
        and len(models) <= MAX_MODELS
        and all(_MODEL.fullmatch(model) for model in models),
        "gpus_malformed",
        "GPUs are listed by model, each once, sorted",
        expected=f"at most {MAX_MODELS} names of letters, digits, spaces, dots and hyphens",
        got=models,
    )
    for one in gpus:
        check_count(one.count, f"GPUs of the model {one.model}", most=MAX_GPUS)
