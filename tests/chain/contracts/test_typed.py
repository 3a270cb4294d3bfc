"""EIP-712: our digests are those of another implementation, and those of the contracts."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.chain import typed
from teeproof.chain.account import Account
from teeproof.core.errors import Error, Malformed, NotAuthentic
from tests.chain.contracts.world import AGENT, high_twin, sign

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of eth_account's dependencies
    from eth_account import Account as Theirs
    from eth_account.messages import encode_typed_data

ADDRESSES = [f"0x{number:040x}" for number in (1, 2**160 - 1, 0xABCDEF)]
MESSAGES = [
    typed.Trade(
        action=b"\xac" * 32, venue=ADDRESSES[0], sell=ADDRESSES[1], buy=ADDRESSES[2], amount=5,
        min_out=2**256 - 1, nonce=0, deadline=1_772_366_400,
    ),
    typed.Rotate(next=ADDRESSES[1], identity=b"\x1d" * 32, nonce=7),
    typed.Anchor(origin=b"\x01" * 32, size=2**64 - 1, root=b"\x02" * 32),
    typed.Permit(
        owner=ADDRESSES[0], spender=ADDRESSES[1], value=1, nonce=2, deadline=2**256 - 1
    ),
    typed.TransferWithAuthorization(
        owner=ADDRESSES[0], to=ADDRESSES[2], value=1, valid_after=0, valid_before=9,
        nonce=b"\x03" * 32,
    ),
    typed.ReceiveWithAuthorization(
        owner=ADDRESSES[0], to=ADDRESSES[2], value=1, valid_after=0, valid_before=9,
        nonce=b"\x03" * 32,
    ),
    typed.CancelAuthorization(authorizer=ADDRESSES[0], nonce=b"\x03" * 32),
]  # fmt: skip
STANDARD = {  # as the standards spell them
    "Trade": "Trade(bytes32 action,address venue,address sell,address buy,uint256 amount,"
    "uint256 minOut,uint256 nonce,uint256 deadline)",
    "Rotate": "Rotate(address next,bytes32 identity,uint256 nonce)",
    "Anchor": "Anchor(bytes32 origin,uint64 size,bytes32 root)",
    "Permit": "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)",
    "TransferWithAuthorization": "TransferWithAuthorization(address from,address to,"
    "uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)",
    "ReceiveWithAuthorization": "ReceiveWithAuthorization(address from,address to,"
    "uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)",
    "CancelAuthorization": "CancelAuthorization(address authorizer,bytes32 nonce)",
}


def name_of(message: typed.Typed) -> str:
    return type(message).__name__


def document(message: typed.Typed, name: str, chain_id: int, contract: str) -> dict[str, Any]:
    """The JSON of ``eth_signTypedData``, with the type read from the standard's own text."""
    members = STANDARD[name_of(message)].partition("(")[2].rstrip(")").split(",")
    pairs = [member.split(" ") for member in members]
    domain = ("name string", "version string", "chainId uint256", "verifyingContract address")
    return {
        "types": {
            "EIP712Domain": [
                dict(zip(("name", "type"), d.split(" "), strict=True)) for d in domain
            ],
            name_of(message): [{"type": kind, "name": member} for kind, member in pairs],
        },
        "primaryType": name_of(message),
        "domain": {
            "name": name, "version": "1", "chainId": chain_id, "verifyingContract": contract,
        },
        "message": dict(zip([member for _, member in pairs], message.values, strict=True)),
    }  # fmt: skip


@pytest.mark.parametrize("message", MESSAGES, ids=name_of)
@pytest.mark.parametrize("chain_id", [1, 31_337, 2**64])
def test_another_implementation_signs_and_recovers_what_we_do(message, chain_id):
    domain = typed.domain_separator("A Name", chain_id=chain_id, contract=ADDRESSES[2])
    signable = encode_typed_data(full_message=document(message, "A Name", chain_id, ADDRESSES[2]))
    signature = sign(AGENT, domain, message)
    assert Theirs.recover_message(signable, signature=signature).lower() == AGENT.address
    theirs = Theirs.sign_message(signable, bytes((6,)) * 32)
    assert bytes(theirs.signature) == signature
    assert typed.signer_of(domain, message.struct_hash, signature) == AGENT.address


def test_the_contracts_compute_the_same_domains_and_digests(here):
    chain_id = here.evm.chain_id
    for contract, name in (
        (here.fund, "teeproof Fund"), (here.anchors, "teeproof Anchors"),
        (here.usd, "Test Dollar"), (here.eth, "Test Ether"),
    ):  # fmt: skip
        expected = typed.domain_separator(name, chain_id=chain_id, contract=contract.address)
        assert here.call(contract, "DOMAIN_SEPARATOR") == expected
    order = here.order()
    expected = typed.digest(here.fund_domain(), order.struct_hash)
    assert here.call(here.fund, "digest_of", order.values) == expected


@pytest.mark.parametrize("message", MESSAGES, ids=name_of)
def test_each_member_changes_the_digest(message):
    for field in dataclasses.fields(message):
        value = getattr(message, field.name)
        other = (
            bytes(31) + b"\x09" if isinstance(value, bytes)
            else ADDRESSES[0][:-1] + "9" if isinstance(value, str) else value ^ 1
        )  # fmt: skip
        changed = dataclasses.replace(message, **{field.name: other})
        assert changed.struct_hash != message.struct_hash, field.name


def test_name_chain_and_contract_change_the_domain():
    usual = {"chain_id": 1, "contract": ADDRESSES[0]}
    found = {
        typed.domain_separator("A", **usual),
        typed.domain_separator("B", **usual),
        typed.domain_separator("A", **(usual | {"chain_id": 2})),
        typed.domain_separator("A", **(usual | {"contract": ADDRESSES[1]})),
    }
    assert len(found) == 4


@pytest.mark.parametrize(
    ("message", "changes"),
    [
        (MESSAGES[0], {"amount": -1}), (MESSAGES[0], {"amount": 2**256}),
        (MESSAGES[0], {"action": b"\xac" * 31}), (MESSAGES[0], {"venue": "0x12"}),
        (MESSAGES[2], {"size": 2**64}),
    ],
)  # fmt: skip
def test_a_value_that_its_type_does_not_hold_is_refused(message, changes):
    with pytest.raises(Error):
        _ = dataclasses.replace(message, **changes).struct_hash


def test_of_two_twins_of_a_signature_only_the_low_one_is_taken():
    domain, message = bytes(32), MESSAGES[1]
    good = sign(AGENT, domain, message)
    with pytest.raises(NotAuthentic) as refused:
        typed.signer_of(domain, message.struct_hash, high_twin(good))
    assert refused.value.code == "signature_invalid"
    for v in (0, 1, 29, 255):
        with pytest.raises(NotAuthentic):
            typed.signer_of(domain, message.struct_hash, good[:64] + bytes((v,)))
    for wrong in (good[:64], good + b"\0", b""):
        with pytest.raises(Malformed):
            typed.signer_of(domain, message.struct_hash, wrong)


@given(data=st.binary(min_size=65, max_size=65), digest=st.binary(min_size=32, max_size=32))
def test_any_65_bytes_are_somebodys_signature_or_refused(data, digest):
    try:
        found = typed.signer_of(digest, digest, data)
    except NotAuthentic:
        return
    assert found != Account(b"\x09" * 32).address
