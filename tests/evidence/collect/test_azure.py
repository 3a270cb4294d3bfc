"""An Azure machine on a software TPM: report and key lie where the paravisor puts them."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from teeproof.core.errors import Unavailable, Usage
from teeproof.evidence.azure import document
from teeproof.evidence.azure.verify import verify
from teeproof.evidence.collect import Attester
from teeproof.evidence.collect.azure import AK_HANDLE, REPORT_INDEX, AzureAttester, collect
from teeproof.evidence.collect.tpm_commands import rsa_ak_template
from teeproof.evidence.tpm import public
from tests.evidence.azure import hcl_reports as made
from tests.evidence.tpm.forge import NOW, D, failures
from tests.evidence.tpm.software import keep_key, lay_down, software_tpm


class _Key:
    def __init__(self, spki: bytes) -> None:
        self._spki = spki

    def public_key(self):
        return load_der_public_key(self._spki)


@pytest.fixture(scope="module")
def machine():
    with software_tpm() as address:
        key = public.parse(keep_key(address, rsa_ak_template(), AK_HANDLE))
        text = made.runtime(made.jwk(_Key(key.spki)))
        lay_down(address, REPORT_INDEX, made.report(text))
        yield address


def test_what_is_collected_is_verified(machine):
    given = collect(D, address=machine)
    found = verify(given, hardware=made.established, now=NOW, expected_data=D)
    assert failures(found) == []
    assert found.facts.level == "measured"


def test_what_is_collected_is_a_document_that_reads_back(machine):
    given = collect(D, address=machine)
    assert document.parse(given.to_bytes()) == given


def test_another_question_gets_another_answer(machine):
    found = verify(
        collect(bytes(32), address=machine),
        hardware=made.established,
        now=NOW,
        expected_data=D,
    )
    assert failures(found) == [("tpm-qualifying-data", "qualifying_data_mismatch")]


def test_the_attester_binds_d_and_gives_the_document(machine):
    attester = AzureAttester(machine)
    assert isinstance(attester, Attester)
    given = document.parse(attester.attest(D + bytes(32)).quote)
    found = verify(given, hardware=made.established, now=NOW, expected_data=D)
    assert failures(found) == []


@pytest.mark.parametrize("data", [D, D + bytes(31), D + bytes(31) + b"\1", D + bytes(33)])
def test_report_data_that_a_tpm_cannot_quote_is_refused_before_it_is_asked(data):
    with pytest.raises(Usage):
        AzureAttester("/nowhere/tpm").attest(data)


def test_a_machine_that_is_not_azures_has_no_report():
    with software_tpm() as address, pytest.raises(Unavailable, match="no such object"):
        collect(D, address=address)
