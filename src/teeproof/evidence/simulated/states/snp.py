"""States of an SEV-SNP machine: in order, forged, unpatched, opened to its host.

Trusts: nothing; it only describes.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.snp import machine as snp
from teeproof.evidence.simulated.snp.machine import SnpGuest, SnpMachine
from teeproof.evidence.simulated.snp.pki import ORDER, Chip, SnpPki
from teeproof.evidence.simulated.states.state import Make, Outcome, Scene, State

__all__ = ["GENOA", "OLD", "STATES", "TURIN"]

GENOA = Chip(product="Genoa", cpuid=(0x19, 0x11, 0x01), tcb=bytes([10, 0, 0, 0, 0, 0, 23, 84]))
TURIN = Chip(product="Turin", cpuid=(0x1A, 0x02, 0x01), tcb=bytes([1, 1, 1, 4, 0, 0, 0, 80]))
OLD = Chip(tcb=bytes([3, 0, 0, 0, 0, 0, 8, 115]))
_CHIP = Chip()
_R, _S, _END = 0x2A0, 0x2A0 + 72, 0x2A0 + 144
_MEASUREMENT = 0x90


def _launched(guest: SnpGuest | None = None, *, chip: Chip = _CHIP) -> Make:
    return lambda scene: _machine(scene, guest, chip).evidence(scene.report_data)


def _machine(scene: Scene, guest: SnpGuest | None = None, chip: Chip = _CHIP) -> SnpMachine:
    return SnpMachine(scene.platform.snp, chip=chip, guest=guest)


def _forged(change: Callable[[bytes], bytes]) -> Make:
    def make(scene: Scene) -> Evidence:
        honest = _machine(scene).evidence(scene.report_data)
        return Evidence(quote=change(honest.quote), certificates=honest.certificates)

    return make


def _flip(at: int) -> Callable[[bytes], bytes]:
    return lambda report: report[:at] + bytes([report[at] ^ 1]) + report[at + 1 :]


def _twin(report: bytes) -> bytes:
    """Return the report with the other signature that holds for the same key and message."""
    s = ORDER - int.from_bytes(report[_S:_END], "little")
    return report[:_S] + s.to_bytes(72, "little") + report[_END:]


def _chained(chain: Callable[[SnpPki], tuple[bytes, ...]], guest: SnpGuest | None = None) -> Make:
    """Return how to make a report beside which other certificates lie than its own."""
    return lambda scene: _machine(scene, guest).evidence(
        scene.report_data, chain=chain(scene.platform.snp)
    )


def _listed(*revoked: int, days_ago: int = 1, stranger: bool = False) -> Make:
    """Return how to make evidence with AMD's revocation list."""

    def make(scene: Scene) -> Evidence:
        issuer = (scene.stranger() if stranger else scene.platform).snp
        issued = scene.now.replace(microsecond=0) - timedelta(days=days_ago)
        crl = issuer.crl(revoked=revoked, issued=issued)
        return _machine(scene).evidence(scene.report_data, crl=crl)

    return make


def _impostor(scene: Scene) -> Evidence:
    pki = SnpPki(scene.stranger().pki.seed, marked=False)
    return SnpMachine(pki).evidence(scene.report_data)


def _stranger(scene: Scene) -> Evidence:
    return SnpMachine(scene.stranger().snp).evidence(scene.report_data)


def _foreign_root(scene: Scene) -> Evidence:
    leaf, authority, _ = scene.platform.snp.vcek(_CHIP).chain
    chain = (leaf, authority, scene.stranger().snp.root)
    return _machine(scene).evidence(scene.report_data, chain=chain)


def _other_product(scene: Scene) -> Evidence:
    """A report that a Genoa made, signed by a Milan's key."""
    body = snp.write_body(replace(_CHIP, cpuid=GENOA.cpuid), SnpGuest(), scene.report_data)
    key = scene.platform.snp.vcek(_CHIP)
    honest = _machine(scene).evidence(scene.report_data)
    return Evidence(quote=snp.write_report(body, key.key), certificates=honest.certificates)


def _table(outcome: Outcome, *rows: tuple[str, str, Make]) -> tuple[State, ...]:
    return tuple(
        State(f"snp-{name}", sentence, outcome, make, status=None, kind="sev-snp")
        for name, sentence, make in rows
    )


STATES = (
    *_table(
        "accepted",
        ("up-to-date", "An SEV-SNP guest in order: report version 3, a Milan's own key.",
         _launched()),
        ("version-2", "The same in a report of version 2, without the processor.",
         _launched(SnpGuest(version=2))),
        ("genoa", "An SEV-SNP guest in order on a Genoa: report version 5.",
         _launched(SnpGuest(version=5), chip=GENOA)),
        ("turin", "An SEV-SNP guest in order on a Turin, whose TCB has another order.",
         _launched(SnpGuest(version=5), chip=TURIN)),
        ("not-revoked", "AMD's revocation list came along, and names nobody of the chain.",
         _listed(1234)),
        ("twin-signature", "The signature is replaced by its twin; the identity must not change.",
         _forged(_twin)),
    ),
    *_table(
        "not-authentic",
        ("body-flipped", "One bit of the measurement is flipped.", _forged(_flip(_MEASUREMENT))),
        ("signature-flipped", "One bit of the report's signature is flipped.", _forged(_flip(_R))),
        ("unsigned-bytes", "Bytes behind the signature are set, which nobody signed.",
         _forged(_flip(0x400))),
        ("vek-of-another-chip", "The certificate is another chip's of the same vendor.",
         _chained(lambda pki: pki.vcek(Chip(name="chip 2")).chain)),
        ("vek-of-another-tcb", "The key was derived for newer firmware than the report claims.",
         _launched(SnpGuest(reported_tcb=OLD.tcb))),
        ("vek-of-another-product", "A Milan's key signed a report that a Genoa made.",
         _other_product),
        ("vek-of-another-kind", "The report says a chip's own key signed it; a cloud's key did.",
         _chained(lambda pki: pki.vlek(_CHIP).chain)),
        ("ark-not-pinned", "A root that calls itself AMD's and is not vouches for everything.",
         _impostor),
        ("ark-of-another-root", "The chain's last certificate is another root than the signer.",
         _foreign_root),
        ("authority-revoked", "AMD revoked the authority that issued the chip's certificate.",
         _listed(65537)),
        ("root-revoked", "AMD's root revoked itself.", _listed(65536)),
        ("list-of-another-root", "The revocation list is another root's.", _listed(stranger=True)),
        ("list-expired", "AMD's revocation list has expired.", _listed(days_ago=400)),
    ),
    *_table(
        "unavailable",
        ("certificates-missing", "No certificates came along with the report.",
         _chained(lambda _: ())),
        ("root-missing", "The chip's certificate came along, and AMD's root did not.",
         _chained(lambda pki: pki.vcek(_CHIP).chain[:2])),
    ),
    *_table(
        "not-allowed",
        ("debug", "The host may read and change the guest's memory.",
         _launched(SnpGuest(policy=snp.POLICY | snp.DEBUG))),
        ("migration-allowed", "A migration agent may move the guest.",
         _launched(SnpGuest(policy=snp.POLICY | snp.MIGRATE_MA))),
        ("migration-agent", "A migration agent belongs to the guest.",
         _launched(SnpGuest(migration_agent=bytes(31) + b"\1"))),
        ("vmpl-1", "Software below the guest's highest privilege level asked for the report.",
         _launched(SnpGuest(vmpl=1))),
        ("masked-chip-id", "The host hides which chip it is.", _launched(SnpGuest(masked=True))),
        ("vlek", "A key that AMD lent to a cloud signed, not the chip's own.",
         _launched(SnpGuest(signing_key=1))),
        ("old-firmware", "The machine's firmware is older than the policy allows.",
         _launched(chip=OLD)),
        ("old-guest", "The guest is an older version than the policy allows.",
         _launched(SnpGuest(guest_svn=1))),
        ("reserved-bits", "Firmware set bytes that the specification reserves.",
         _launched(SnpGuest(reserved=b"\1"))),
        ("simulator-of-another-machine",
         "The guest is in order, under the root of a simulator that the policy does not pin.",
         _stranger),
    ),
)  # fmt: skip
