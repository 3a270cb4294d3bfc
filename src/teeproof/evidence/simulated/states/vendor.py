"""States of the collateral: revoked, expired, premature, outdated, about something else, edited.

Trusts: nothing; it only describes.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.collateral import Edition, publish
from teeproof.evidence.simulated.hardware import QuotingEnclave, patched
from teeproof.evidence.simulated.states.state import Make, Scene, Setup, State, published, table

__all__ = ["STATES"]

_OLD, _EARLY = -40, 2  # days; collateral lives for 30


def _revoked_by_root(serial: Callable[[Scene], int]) -> Make:
    return published(lambda s: replace(s.edition, revoked_by_root=(serial(s),)))


def _pck_revoked(scene: Scene) -> Edition:
    return replace(scene.edition, revoked_by_pck_ca=(scene.machine(Setup()).pck.serial,))


def _rolled_back(scene: Scene) -> Edition:
    window = scene.edition.tcb_info.shifted(-20)
    return replace(
        scene.edition, evaluation=16, tcb_info=window, qe_identity=window, root_crl=window
    )


def _with_collateral(change: Callable[[Scene], Collateral]) -> Make:
    def make(scene: Scene) -> Evidence:
        return scene.machine(Setup()).evidence(
            scene.report_data, now=scene.now, collateral=change(scene)
        )

    return make


def _without_collateral(scene: Scene) -> Evidence:
    made = scene.evidence()
    return Evidence(quote=made.quote, event_log=made.event_log, compose=made.compose)


def _edited(field: str, old: bytes, new: bytes, setup: Setup) -> Make:
    def make(scene: Scene) -> Evidence:
        honest = publish(scene.platform.pki, scene.edition)
        edited = honest.replace(**{field: getattr(honest, field).replace(old, new)})
        return scene.machine(setup).evidence(scene.report_data, now=scene.now, collateral=edited)

    return make


def _foreign(*fields: str) -> Make:
    """Return how to take some fields of the collateral from another vendor of the same name."""

    def change(scene: Scene) -> Collateral:
        theirs = publish(scene.stranger().pki, scene.edition)
        ours = publish(scene.platform.pki, scene.edition)
        return ours.replace(**{field: getattr(theirs, field) for field in fields})

    return _with_collateral(change)


_REVOKED: tuple[tuple[str, str, Make], ...] = (
    ("pck-revoked", "The machine's PCK certificate is revoked.", published(_pck_revoked)),
    (
        "pck-ca-revoked",
        "The authority that issued the PCK certificate is revoked.",
        _revoked_by_root(lambda s: s.platform.pki.pck_ca.serial),
    ),
    (
        "tcb-signing-revoked",
        "The certificate that signed TCB info and QE identity is revoked.",
        _revoked_by_root(lambda s: s.platform.pki.tcb_signer.serial),
    ),
    (
        "root-revoked",
        "The root's own revocation list names the root.",
        _revoked_by_root(lambda s: s.platform.pki.root.serial),
    ),
)

_DATED: tuple[tuple[str, str, Make], ...] = (
    (
        "root-crl-expired",
        "The root's revocation list has expired.",
        published(lambda s: replace(s.edition, root_crl=s.edition.root_crl.shifted(_OLD))),
    ),
    (
        "pck-crl-expired",
        "The PCK revocation list has expired.",
        published(lambda s: replace(s.edition, pck_crl=s.edition.pck_crl.shifted(_OLD))),
    ),
    (
        "tcb-info-expired",
        "The TCB info has expired.",
        published(lambda s: replace(s.edition, tcb_info=s.edition.tcb_info.shifted(_OLD))),
    ),
    (
        "qe-identity-expired",
        "The QE identity has expired.",
        published(lambda s: replace(s.edition, qe_identity=s.edition.qe_identity.shifted(_OLD))),
    ),
    (
        "tcb-info-from-the-future",
        "The TCB info was issued after the time of verification.",
        published(lambda s: replace(s.edition, tcb_info=s.edition.tcb_info.shifted(_EARLY))),
    ),
    (
        "qe-identity-from-the-future",
        "The QE identity was issued after the time of verification.",
        published(lambda s: replace(s.edition, qe_identity=s.edition.qe_identity.shifted(_EARLY))),
    ),
    (
        "crl-from-the-future",
        "The PCK revocation list was issued after the time of verification.",
        published(lambda s: replace(s.edition, pck_crl=s.edition.pck_crl.shifted(_EARLY))),
    ),
)

_MISFITS: tuple[tuple[str, str, Make], ...] = (
    (
        "tcb-info-of-another-fmspc",
        "The TCB info speaks of another processor family.",
        published(lambda s: replace(s.edition, fmspc=b"SIM\0\0\1")),
    ),
    (
        "tcb-info-of-another-pceid",
        "The TCB info speaks of another provisioning enclave.",
        published(lambda s: replace(s.edition, pce_id=b"\1\0")),
    ),
    (
        "sgx-collateral",
        "TCB info and QE identity are those for SGX, where the quote is a TDX quote.",
        published(lambda s: replace(s.edition, tee="SGX", enclave="QE")),
    ),
    (
        "qe-identity-of-another-enclave",
        "The QE identity is that of the SGX quoting enclave.",
        published(lambda s: replace(s.edition, enclave="QE")),
    ),
    (
        "tcb-info-edited",
        "The host wrote UpToDate into the TCB info of a platform that is out of date.",
        _edited("tcb_info", b'"OutOfDate"', b'"UpToDate"', Setup(processor=patched(5))),
    ),
    (
        "qe-identity-edited",
        "The host wrote a lower version into the QE identity.",
        _edited(
            "qe_identity", b'"isvsvn":2', b'"isvsvn":1', Setup(enclave=QuotingEnclave(isvsvn=1))
        ),
    ),
    (
        "collateral-of-another-root",
        "TCB info and QE identity are signed under another root of the same name.",
        _foreign(
            "tcb_info_issuer_chain",
            "tcb_info_signature",
            "qe_identity_issuer_chain",
            "qe_identity_signature",
        ),
    ),
    (
        "crl-of-another-ca",
        "The PCK revocation list is signed by another authority of the same name.",
        _foreign("pck_crl", "pck_crl_issuer_chain"),
    ),
)

STATES: tuple[State, ...] = (
    *table("not-authentic", *_REVOKED, *_DATED, *_MISFITS),
    *table(
        "unavailable",
        (
            "collateral-missing",
            "No collateral came along: nothing is known of revocation and patches.",
            _without_collateral,
        ),
    ),
    *table(
        "not-allowed",
        (
            "evaluation-rolled-back",
            "The collateral has not expired, but newer one with a higher evaluation number exists.",
            published(_rolled_back),
        ),
    ),
)
