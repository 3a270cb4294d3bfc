"""Attacks on what the vendor says: revocation lists, TCB info, QE identity, and their dates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.policy import load_policy
from teeproof.evidence.simulated.platform import SimulatedPlatform
from tests.evidence.attacks import forge
from tests.evidence.attacks.court import (
    accepted,
    alone,
    but,
    only,
    quote_only,
    real,
    reference,
    refused,
)
from tests.evidence.attacks.forge import chain_of, crl, mint
from tests.evidence.scenes import (
    NOW,
    PLATFORM,
    REPORT_DATA,
    Change,
    collateral,
    evidence,
    failures,
    flipped,
    judge,
    opt_in,
    resigned,
    state,
    with_document,
)

CHECKLIST = {
    8: (
        "test_host_cannot_use_an_expired_revocation_list",
        "test_host_cannot_use_a_real_revocation_list_a_second_too_long",
    ),
    9: (
        "test_host_cannot_use_expired_documents",
        "test_host_cannot_use_real_tcb_info_a_second_too_long",
    ),
    10: ("test_host_cannot_use_collateral_from_the_future",),
    11: ("test_host_cannot_use_tcb_info_of_another_processor_family",),
    12: (
        "test_host_cannot_use_sgx_collateral_for_a_tdx_quote",
        "test_host_cannot_use_real_sgx_collateral_for_a_real_tdx_quote",
    ),
    13: ("test_host_cannot_use_the_identity_of_another_enclave",),
    22: (
        "test_host_cannot_roll_the_collateral_back",
        "test_host_cannot_hide_one_old_document_behind_a_new_one",
    ),
}

ROOT, CA, SIGNER = (issued.certificate for issued in (forge.ROOT, forge.PCK_CA, forge.SIGNER))
STRANGER = SimulatedPlatform(b"\x09" * 32)
QUOTE = PLATFORM.machine().quote(REPORT_DATA)
_USUAL = ((x509.CRLNumber(3), False), forge.authority(forge.PCK_CA))

LIST = ("pck-revocation", "crl_signature")
NO_LIST = ("pck-revocation", "certificates_malformed")


def _given(endorsements: Collateral) -> Any:
    return quote_only(QUOTE, endorsements)


def test_collateral_in_order_is_accepted() -> None:
    accepted(_given(collateral()))


@pytest.mark.parametrize("name", ["root-crl-expired", "pck-crl-expired"])
def test_host_cannot_use_an_expired_revocation_list(name: str) -> None:
    given = state(name)
    check = only(refused(given, ("collateral-dates", "crl_expired")))
    assert "2026-02-19" in check.detail
    # The same evidence, while the list was in force: then the rest is not there yet.
    refused(
        given,
        ("collateral-dates", "crl_not_yet_valid"),
        now=datetime(2026, 2, 18, tzinfo=UTC),
    )


@pytest.mark.usefixtures("vectors")
def test_host_cannot_use_a_real_revocation_list_a_second_too_long() -> None:
    _, given = real("tdx-v4-b0c06f-uptodate")
    policy = load_policy("genuine")
    end = datetime(2025, 7, 19, 10, 0, 35, tzinfo=UTC)  # half an hour before the documents end
    refused(given, ("collateral-dates", "crl_expired"), policy=policy, now=end)
    accepted(given, policy=policy, now=end - timedelta(seconds=1))


@pytest.mark.parametrize("name", ["tcb-info-expired", "qe-identity-expired"])
def test_host_cannot_use_expired_documents(name: str) -> None:
    code = name.replace("-", "_")
    check = only(refused(state(name), ("collateral-dates", code)))
    assert "2026-02-19" in check.detail


@pytest.mark.usefixtures("vectors")
def test_host_cannot_use_real_tcb_info_a_second_too_long() -> None:
    _, given = real("tdx-v4-00806f05-gcp-cos113")
    policy = load_policy("genuine")
    end = datetime(2025, 8, 6, 9, 6, 43, tzinfo=UTC)  # minutes before the lists end
    late = end + timedelta(seconds=1)
    refused(given, ("collateral-dates", "tcb_info_expired"), policy=policy, now=late)
    accepted(given, policy=policy, now=end)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("tcb-info-from-the-future", "tcb_info_not_yet_valid"),
        ("qe-identity-from-the-future", "qe_identity_not_yet_valid"),
        ("crl-from-the-future", "crl_not_yet_valid"),
    ],
)
def test_host_cannot_use_collateral_from_the_future(name: str, code: str) -> None:
    given = state(name)
    check = only(refused(given, ("collateral-dates", code)))
    assert "2026-03-03" in check.detail
    accepted(given, now=NOW + timedelta(days=2))


def test_host_cannot_use_tcb_info_of_another_processor_family() -> None:
    refused(state("tcb-info-of-another-fmspc"), ("collateral-platform", "tcb_info_fmspc"))
    refused(state("tcb-info-of-another-pceid"), ("collateral-platform", "tcb_info_pceid"))


def test_host_cannot_use_sgx_collateral_for_a_tdx_quote() -> None:
    refused(state("sgx-collateral"), ("collateral-platform", "tcb_info_tee"))


@pytest.mark.usefixtures("vectors")
def test_host_cannot_use_real_sgx_collateral_for_a_real_tdx_quote() -> None:
    record, given = real("tdx-v4-b0c06f-uptodate")
    _, enclave = real("sgx-v3-00a067")
    assert given.collateral is not None
    assert enclave.collateral is not None
    documents = {
        name: getattr(enclave.collateral, name)
        for name in ("tcb_info", "tcb_info_signature", "qe_identity", "qe_identity_signature")
    }
    forged = but(given, collateral=given.collateral.replace(**documents))
    policy = load_policy("genuine")
    accepted(given, policy=policy, now=record.now)
    refused(forged, ("collateral-platform", "tcb_info_tee"), policy=policy, now=record.now)
    only_enclave = {k: v for k, v in documents.items() if k.startswith("qe_identity")}
    forged = but(given, collateral=given.collateral.replace(**only_enclave))
    refused(forged, ("collateral-platform", "qe_identity_kind"), policy=policy, now=record.now)


def test_host_cannot_use_the_identity_of_another_enclave() -> None:
    refused(state("qe-identity-of-another-enclave"), ("collateral-platform", "qe_identity_kind"))


def test_host_cannot_roll_the_collateral_back() -> None:
    given = state("evaluation-rolled-back")
    accepted(given)  # nothing of it has expired
    check = only(
        refused(
            given,
            ("evaluation-number", "evaluation_number_rollback"),
            exit_code=4,
            policy=reference(),
        )
    )
    assert (check.expected, check.got) == ("at least 20", "16")
    accepted(state("up-to-date"), policy=reference())


@pytest.mark.parametrize("old", ["tcb_info", "qe_identity"])
def test_host_cannot_hide_one_old_document_behind_a_new_one(old: str) -> None:
    older = state("evaluation-rolled-back").collateral
    assert older is not None
    mixed = collateral().replace(
        **{name: getattr(older, name) for name in (old, f"{old}_signature")}
    )
    given = _given(mixed)
    policy = opt_in().with_(tcb_evaluation_floor=[{"since": "2020-01-01", "number": 20}])
    refused(given, ("evaluation-number", "evaluation_number_rollback"), exit_code=4, policy=policy)
    accepted(_given(collateral()), policy=policy)
    by_age = opt_in().with_(max_collateral_age_days=10)
    refused(given, ("collateral-age", "collateral_too_old"), exit_code=4, policy=by_age)
    accepted(_given(collateral()), policy=by_age)


def test_host_cannot_do_without_collateral() -> None:
    refused(state("collateral-missing"), ("collateral-dates", "endorsements_missing"), exit_code=3)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("tcb_info", ("tcb-info", "tcb_info_signature")),
        ("tcb_info_signature", ("tcb-info", "tcb_info_signature")),
        ("qe_identity", ("qe-identity", "qe_identity_signature")),
        ("qe_identity_signature", ("qe-identity", "qe_identity_signature")),
    ],
)
def test_host_cannot_flip_a_bit_of_a_document(field: str, expected: tuple[str, str]) -> None:
    raw = getattr(collateral(), field)
    for at in range(0, len(raw), max(1, len(raw) // 40)):
        forged = collateral().replace(**{field: flipped(raw, at)})
        refused(_given(forged), expected)


def test_host_cannot_edit_a_document() -> None:
    refused(state("tcb-info-edited"), ("tcb-info", "tcb_info_signature"))
    refused(state("qe-identity-edited"), ("qe-identity", "qe_identity_signature"))


def test_host_cannot_put_one_document_in_the_place_of_the_other() -> None:
    good = collateral()
    swapped = good.replace(
        tcb_info=good.qe_identity,
        tcb_info_signature=good.qe_identity_signature,
        qe_identity=good.tcb_info,
        qe_identity_signature=good.tcb_info_signature,
    )
    malformed = "collateral_malformed"
    refused(_given(swapped), ("tcb-info", malformed), ("qe-identity", malformed))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (("pck_crl",), [LIST]),
        (("root_ca_crl",), [LIST]),
        (("tcb_info", "tcb_info_signature"), [("tcb-info", "tcb_info_signature")]),
        (("tcb_info_issuer_chain",), [("tcb-info", "tcb_info_chain")]),
        (
            ("tcb_info", "tcb_info_signature", "tcb_info_issuer_chain"),
            [("tcb-info", "tcb_info_chain")],
        ),
        (
            ("qe_identity", "qe_identity_signature", "qe_identity_issuer_chain"),
            [("qe-identity", "qe_identity_chain")],
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_host_cannot_mix_collateral_of_two_vendors_of_one_name(
    fields: tuple[str, ...], expected: list[tuple[str, str]]
) -> None:
    theirs = STRANGER.collateral(NOW)
    mixed = collateral().replace(**{name: getattr(theirs, name) for name in fields})
    refused(_given(mixed), *expected)


def _list(**changes: Any) -> bytes:
    usual: dict[str, Any] = {
        "issuer": CA.subject,
        "signer": forge.PCK_CA.key,
        "extensions": _USUAL,
    }
    return crl(**(usual | changes))


def _revoking_list_of_another() -> bytes:
    return STRANGER.pki.crl(
        STRANGER.pki.pck_ca, revoked=(), issued=NOW, next_update=NOW + timedelta(9)
    )


@pytest.mark.parametrize(
    ("forged", "expected"),
    [
        pytest.param(_list(signer=forge.STRANGER), LIST, id="a stranger's"),
        pytest.param(_revoking_list_of_another(), LIST, id="another vendor's"),
        pytest.param(_list(signer=forge.ROOT.key), LIST, id="the root's, in the CA's name"),
        pytest.param(_list(issuer=ROOT.subject), LIST, id="the CA's, in the root's name"),
        pytest.param(
            _list(issuer=forge.PCK.certificate.subject, signer=forge.PCK.key),
            LIST,
            id="the machine's own",
        ),
        pytest.param(_list(signer=forge.SIGNER.key), LIST, id="the signer of documents'"),
        pytest.param(collateral().root_ca_crl, LIST, id="the root's list"),
        pytest.param(_list(algorithm=hashes.SHA384()), NO_LIST, id="SHA-384"),
        pytest.param(b"", NO_LIST, id="nothing"),
        pytest.param(collateral().pck_crl + b"\0", NO_LIST, id="something behind"),
        pytest.param(collateral().pck_crl[:-1], NO_LIST, id="cut off"),
        pytest.param(forge.der_of(CA), NO_LIST, id="a certificate"),
        pytest.param(b"\x30\x84\xff\xff\xff\xff" + bytes(64), NO_LIST, id="4 GB long"),
        pytest.param(bytes((2 << 20) + 1), NO_LIST, id="more than 2 MiB"),
    ],
)
def test_host_cannot_pass_another_revocation_list(forged: bytes, expected: tuple[str, str]) -> None:
    refused(_given(collateral().replace(pck_crl=forged)), expected)


def test_host_cannot_pass_the_cas_list_for_the_roots() -> None:
    refused(_given(collateral().replace(root_ca_crl=collateral().pck_crl)), LIST)


def test_host_may_pass_any_list_that_the_authority_made() -> None:
    accepted(_given(collateral().replace(pck_crl=_list())))
    other = [forge.PCK.serial - 1, forge.PCK.serial + 1, -1 & 0xFF]
    accepted(_given(collateral().replace(pck_crl=_list(revoked=other))))
    revoked = _list(revoked=[*other, forge.PCK.serial])
    refused(_given(collateral().replace(pck_crl=revoked)), ("pck-revocation", "pck_revoked"))


_PART = x509.IssuingDistributionPoint(
    full_name=None,
    relative_name=None,
    only_contains_user_certs=False,
    only_contains_ca_certs=True,
    only_some_reasons=None,
    indirect_crl=False,
    only_contains_attribute_certs=False,
)
_UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")


@pytest.mark.parametrize(
    "extension",
    [
        pytest.param(x509.DeltaCRLIndicator(2), id="changes since another list"),
        pytest.param(_PART, id="authorities only"),
        pytest.param(_UNKNOWN, id="unknown"),
    ],
)
def test_host_cannot_pass_a_list_that_says_it_is_not_the_whole(
    extension: x509.ExtensionType,
) -> None:
    # RFC 5280, 5.2: a list with a critical extension that is not understood is not complete.
    partial = _list(extensions=[*_USUAL, (extension, True)])
    refused(_given(collateral().replace(pck_crl=partial)), NO_LIST)


def _signer(**changes: Any) -> bytes:
    usual: dict[str, Any] = {
        "subject": "SIMULATED SGX TCB Signing",
        "issuer": ROOT.subject,
        "signer": forge.ROOT.key,
        "key": forge.SIGNER.key,
    }
    return chain_of(mint(**(usual | changes)), ROOT)


_CHAIN, _PURPOSE = "tcb_info_chain", "tcb_signing_purpose"


@pytest.mark.parametrize(
    ("chain", "code"),
    [
        pytest.param(chain_of(ROOT, SIGNER), _CHAIN, id="reversed"),
        pytest.param(chain_of(ROOT, ROOT), _PURPOSE, id="the root itself"),
        pytest.param(chain_of(CA, ROOT), _PURPOSE, id="the authority of machines"),
        pytest.param(chain_of(forge.PCK.certificate, ROOT), _CHAIN, id="a machine"),
        pytest.param(
            _signer(issuer=CA.subject, signer=forge.PCK_CA.key), _CHAIN, id="under the wrong CA"
        ),
        pytest.param(_signer(signer=forge.STRANGER), _CHAIN, id="nobody's"),
        pytest.param(_signer(subject="SIMULATED SGX Signing"), _PURPOSE, id="another purpose"),
        pytest.param(_signer(ca=True, sign_certificates=True), _PURPOSE, id="an authority"),
        pytest.param(b"", "certificates_malformed", id="nothing"),
    ],
)
def test_host_cannot_have_documents_signed_by_somebody_else(chain: bytes, code: str) -> None:
    refused(_given(collateral().replace(tcb_info_issuer_chain=chain)), ("tcb-info", code))


def _our_path(endorsements: Collateral) -> list[tuple[str, str | None]]:
    """Return what our path finds where dcap-qvl is more lenient, so that the two disagree."""
    verdict = alone(_given(endorsements))
    assert verdict.exit_code == 2
    disagreeing = judge(_given(endorsements))
    assert disagreeing.exit_code == 2
    assert disagreeing.failures[-1].code == "paths_disagree"
    return failures(verdict)


@pytest.mark.parametrize("chain", [(SIGNER,), (SIGNER, CA, ROOT)], ids=["no root", "one too many"])
def test_host_cannot_pass_a_chain_of_another_length(chain: tuple[x509.Certificate, ...]) -> None:
    forged = collateral().replace(tcb_info_issuer_chain=chain_of(*chain))
    assert _our_path(forged) == [("tcb-info", _CHAIN)]


def test_host_cannot_use_an_expired_or_revoked_signer_for_one_document_alone() -> None:
    accepted(_given(collateral().replace(qe_identity_issuer_chain=_signer())))
    expired = _signer(ends=NOW - timedelta(seconds=1))
    forged = collateral().replace(qe_identity_issuer_chain=expired)
    refused(_given(forged), ("certificate-dates", "certificate_expired"))
    listed = crl(
        issuer=ROOT.subject,
        signer=forge.ROOT.key,
        revoked=[99],
        extensions=[(x509.CRLNumber(3), False), forge.authority(forge.ROOT)],
    )
    forged = collateral().replace(qe_identity_issuer_chain=_signer(serial=99), root_ca_crl=listed)
    refused(_given(forged), ("qe-identity", "tcb_signing_revoked"))


def _edited(edit: Callable[[bytes], bytes]) -> Collateral:
    return with_document(collateral(), "tcb_info", edit(collateral().tcb_info))


def _number(text: bytes) -> Callable[[bytes], bytes]:
    return lambda raw: raw.replace(
        b'"tcbEvaluationDataNumber":20', b'"tcbEvaluationDataNumber":' + text
    )


def _field(text: bytes) -> Callable[[bytes], bytes]:
    return lambda raw: raw[:-1] + b',"more":' + text + b"}"


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(_number(b"-1"), id="a number below zero"),
        pytest.param(_number(b"1" + b"0" * 30), id="a huge number"),
        pytest.param(_number(b"1" + b"0" * 9999), id="a number of ten thousand digits"),
        pytest.param(_number(b"1e3"), id="a number with exponent"),
        pytest.param(_number(b"1e999"), id="a number beyond all bounds"),
        pytest.param(_number(b"20.5"), id="a fraction"),
        pytest.param(_number(b'"20"'), id="a number as text"),
        pytest.param(_number(b"true"), id="true for a number"),
        pytest.param(_number(b"null"), id="no number"),
        pytest.param(_field(b'"\xff"'), id="bytes that are no text"),
        pytest.param(_field(b'"\\ud800"'), id="half a character"),
        pytest.param(_field(b"[" * 9999 + b"]" * 9999), id="nested 9,999 levels deep"),
        pytest.param(_field(b'{"a":' * 9999 + b"0" + b"}" * 9999), id="objects 9,999 deep"),
        pytest.param(lambda raw: raw + b"{}", id="a second document behind"),
        pytest.param(lambda raw: b"\xef\xbb\xbf" + raw, id="a byte order mark"),
        pytest.param(lambda raw: raw.decode().encode("utf-16"), id="UTF-16"),
        pytest.param(lambda raw: b"[" + raw + b"]", id="a list"),
        pytest.param(lambda raw: raw[: len(raw) // 2], id="half"),
        pytest.param(lambda raw: b"", id="nothing"),
    ],
)
def test_vendor_cannot_sign_a_document_that_breaks_the_verifier(
    edit: Callable[[bytes], bytes],
) -> None:
    # Anyone may run a simulator, whose root signs whatever he likes: no crash may come of it.
    refused(_given(_edited(edit)), ("tcb-info", "collateral_malformed"))


def test_vendor_may_add_a_field_to_its_documents() -> None:
    # Intel has done so; what a newer field means is not ours to know.
    accepted(_given(_edited(_field(b'["new"]'))))


def _level(status: str, first: bool) -> Change:
    def change(document: dict[str, Any]) -> None:
        levels = document["tcbLevels"]
        levels.insert(0 if first else len(levels), levels[0] | {"tcbStatus": status})

    return change


def test_vendor_cannot_list_one_level_with_two_meanings() -> None:
    for first in (True, False):
        forged = resigned(collateral(), tcb_info=_level("Revoked", first))
        refused(_given(forged), ("tcb-info", "collateral_malformed"))


def test_vendor_levels_count_by_what_they_demand_not_by_their_place() -> None:
    turned = resigned(collateral(), tcb_info=lambda d: d["tcbLevels"].reverse())
    assert accepted(_given(turned)).facts["tcb"]["status"] == "UpToDate"


def _masks(**fields: str) -> Change:
    return lambda document: document.update(fields)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_masks(attributesMask="00" * 16), "qe_attributes"),
        (_masks(attributes="15" + "00" * 15), "qe_attributes"),
        (_masks(miscselect="00000001"), "qe_miscselect"),
        (_masks(miscselectMask="00000000", miscselect="00000001"), "qe_miscselect"),
        (_masks(mrsigner="00" * 32), "qe_mrsigner"),
        (lambda document: document.update(isvprodid=3), "qe_product"),
    ],
    ids=["no mask", "another attribute", "another select", "no select mask", "signer", "product"],
)
def test_vendor_identity_that_differs_by_a_field_is_of_another_enclave(
    change: Change, code: str
) -> None:
    forged = resigned(collateral(), qe_identity=change)
    verdict = alone(_given(forged))
    assert failures(verdict) == [("qe-measurement", code)]
    assert judge(_given(forged)).exit_code == 2


def test_vendor_masks_cannot_let_a_quoting_enclave_run_under_debug() -> None:
    given = state("qe-debug")
    refused(given, ("qe-measurement", "qe_attributes"))
    blind = _masks(attributesMask="00" * 16, attributes="00" * 16)
    assert given.collateral is not None
    loose = but(given, collateral=resigned(given.collateral, qe_identity=blind))
    refused(loose, ("qe-measurement", "qe_debug"))
    honest = evidence()
    accepted(but(honest, collateral=resigned(collateral(), qe_identity=blind)))
