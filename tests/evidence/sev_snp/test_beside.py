"""Several SEV-SNP machines' files beside each other: each piece goes to the report that it fits."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from teeproof.core.errors import Usage
from teeproof.evidence.collect.simulated import Chip, SnpGuest
from teeproof.evidence.der import armoured
from teeproof.evidence.files.bundles import gather
from teeproof.evidence.policy import Policy
from teeproof.evidence.simulated.snp.machine import write_body, write_report
from teeproof.evidence.verify import verify
from tests.evidence.scenes import NOW, PLATFORM, REPORT_DATA, state

PKI = PLATFORM.snp
OPT_IN = Policy(roots=(), simulated_roots=(PKI.root_fingerprint,))


def machine(folder: Path, name: str) -> dict[str, Path]:
    """Write the files of a machine, and return where they are, by what they are."""
    chip = Chip(name=name)
    compose = b'{"docker_compose_file": "", "name": "%s", "runner": "none"}' % name.encode()
    document = (
        b'{"app_id":"%s","compose_hash":"%s","key_provider":"none","version":3}'
        % (b"ab" * 20, hashlib.sha256(compose).hexdigest().encode())
    )  # fmt: skip
    body = bytearray(write_body(chip, SnpGuest(), REPORT_DATA))
    body[0xC0:0xE0] = hashlib.sha256(b"dstack-mr-config-v3:\0" + document).digest()
    parts = {
        "report": write_report(bytes(body), PKI.vcek(chip).key),
        "compose": compose,
        "document": document,
        "vcek": armoured(PKI.vcek(chip).der),
        "chain": b"".join(map(armoured, PKI.vcek(chip).above)),
    }
    found = {}
    for part, data in parts.items():
        found[part] = folder / f"{name}-{part}"
        found[part].write_bytes(data)
    return found


@pytest.mark.parametrize("reverse", [False, True])
def test_of_two_machines_each_gets_its_own_files_in_any_order(tmp_path, reverse):
    one, two = machine(tmp_path, "one"), machine(tmp_path, "two")
    files = sorted([*one.values(), *two.values()], reverse=reverse)
    bundles = gather(files)
    assert len(bundles) == 2
    for bundle in bundles:
        verdict = verify(bundle.evidence, now=NOW, policy=OPT_IN)
        assert verdict.exit_code == 0
        assert verdict.check("host-data-config").state == "passed"
        assert verdict.check("compose").state == "passed"


@pytest.mark.parametrize("part", ["document", "compose"])
def test_a_file_one_byte_away_fits_none_of_them(tmp_path, part):
    one, two = machine(tmp_path, "one"), machine(tmp_path, "two")
    one[part].write_bytes(one[part].read_bytes() + b" ")
    with pytest.raises(Usage) as refused:
        gather([*one.values(), *two.values()])
    assert refused.value.code == "piece_without_quote"


def test_an_event_log_fits_no_such_machine(tmp_path):
    one, two = machine(tmp_path, "one"), machine(tmp_path, "two")
    log = tmp_path / "log.json"
    log.write_bytes(state("up-to-date").event_log)
    with pytest.raises(Usage, match="fits none of the quotes"):
        gather([*one.values(), *two.values(), log])
