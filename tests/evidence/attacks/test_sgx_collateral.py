"""Whoever holds any PCK key could write TCB info of its own, if only the chain's root were asked.

dcap-qvl asks no more of the certificate that signed TCB info or QE identity. Here a set of real
endorsements is signed again, or given another chain, and the real SGX quote stays as it is.
"""

from __future__ import annotations

import pytest

from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.policy import load_policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.sgx import parse
from teeproof.evidence.verdict import Verdict
from teeproof.evidence.verify import verify
from tests.vectors import Record, records

pytestmark = pytest.mark.usefixtures("vectors")


def _record() -> Record:
    return next(record for record in records("dcap") if record.id == "sgx-v3-00a067")


def _honest() -> Collateral:
    return Collateral.parse(_record().read("collateral.json"))


def _verdict(collateral: Collateral) -> Verdict:
    evidence = Evidence(quote=_record().read("quote.bin"), collateral=collateral)
    return verify(evidence, policy=load_policy("sgx"), now=_record().now)


def _chains() -> dict[str, bytes]:
    pck = parse(_record().read("quote.bin")).pck_chain.rstrip(b"\0")
    blocks = [
        block + b"-----END CERTIFICATE-----\n"
        for block in pck.split(b"-----END CERTIFICATE-----\n")
    ]
    leaf, authority, root = blocks[:3]
    return {"machine": leaf + root, "machine's chain": pck, "authority": authority + root}


@pytest.mark.parametrize("whose", ["machine", "machine's chain", "authority"])
@pytest.mark.parametrize("document", ["tcb_info", "qe_identity"])
def test_operator_cannot_sign_the_vendors_documents_with_a_key_of_its_machine(document, whose):
    verdict = _verdict(_honest().replace(**{f"{document}_issuer_chain": _chains()[whose]}))
    check = verdict.check("collateral-signatures")
    assert check.state == "failed"
    assert check.code in {f"{document}_chain", "tcb_signing_purpose"}
    assert (verdict.exit_code, verdict.level) == (2, None)


@pytest.mark.parametrize("document", ["tcb_info", "qe_identity"])
def test_operator_cannot_edit_the_vendors_documents(document):
    edited = getattr(_honest(), document).replace(b"OutOfDate", b"UpToDate ", 1)
    verdict = _verdict(_honest().replace(**{document: edited}))
    assert verdict.check("collateral-signatures").code == f"{document}_signature"
    assert verdict.exit_code == 2


def test_the_vendors_own_documents_are_taken():
    verdict = _verdict(_honest())
    assert verdict.check("collateral-signatures").state == "passed"
    assert verdict.exit_code == 0
