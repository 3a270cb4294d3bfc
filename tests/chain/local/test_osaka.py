"""Osaka's rules: what py-evm lacks, checked against numbers from elsewhere."""

from __future__ import annotations

import pytest

from teeproof.chain.account import address_bytes
from teeproof.chain.local.calls import Call, Outcome
from tests.chain.nodes import CLZ

P256VERIFY = (0x100).to_bytes(20, "big")
MODEXP = (5).to_bytes(20, "big")
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # FIPS 186-4, D.1.2.3
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
# RFC 6979, A.2.5: curve P-256, SHA-256, message "sample".
DIGEST = 0xAF2BDBE1AA9B6EC1E2ADE1D694F41FC71A831D0268E9891562113D8A62ADD1BF
R = 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
S = 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8
X = 0x60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6
Y = 0x7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299


def words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(32, "big") for number in numbers)


def called(chain, to: bytes, data: bytes, **other: int) -> Outcome:
    return chain.call(Call(to=to, data=data, **other))


def test_p256verify_takes_the_signature_of_rfc_6979_for_6900_gas(chain):
    data = words(DIGEST, R, S, X, Y)
    found = called(chain, P256VERIFY, data)
    assert found.output == words(1)
    base = 21_000 + sum(16 if byte else 4 for byte in data)
    assert found.gas_used == base + 6_900


def test_p256verify_takes_both_twins_of_a_signature_since_s_is_malleable(chain):
    assert called(chain, P256VERIFY, words(DIGEST, R, N - S, X, Y)).output == words(1)


@pytest.mark.parametrize(
    "data",
    [
        words(DIGEST ^ 1, R, S, X, Y),
        words(DIGEST, R ^ 1, S, X, Y),
        words(DIGEST, R, S ^ 1, X, Y),
        words(DIGEST, 0, S, X, Y),
        words(DIGEST, R, 0, X, Y),
        words(DIGEST, N, S, X, Y),
        words(DIGEST, R, N, X, Y),
        words(DIGEST, R, S, X, Y ^ 1),
        words(DIGEST, R, S, X, P - Y),
        words(DIGEST, R, S, 0, 0),
        words(DIGEST, R, S, P, Y),
        words(DIGEST, R, S, X, P + 5),
        words(DIGEST, R, S, X, Y)[:-1],
        words(DIGEST, R, S, X, Y) + b"\0",
        b"",
    ],
    ids=str,
)
def test_trader_gets_no_output_for_anything_but_a_good_p256_signature(chain, data):
    found = called(chain, P256VERIFY, data)
    assert (found.output, found.error) == (b"", None)


def test_p256verify_takes_a_digest_of_any_value(chain):
    for digest in (0, N, (1 << 256) - 1):
        assert called(chain, P256VERIFY, words(digest, R, S, X, Y)).error is None


@pytest.mark.parametrize(("number", "zeros"), [(0, 256), (1, 255), (1 << 255, 0), (1 << 100, 155)])
def test_clz_counts_leading_zeros(chain, sender, number, zeros):
    program = address_bytes(sender.deploy(CLZ))
    assert called(chain, program, words(number)).output == words(zeros)


def modexp(base: bytes, exponent: bytes, modulus: bytes) -> bytes:
    return words(len(base), len(exponent), len(modulus)) + base + exponent + modulus


@pytest.mark.parametrize(
    ("numbers", "result", "gas"),
    [
        # EIP-7883: 16 for up to 32 bytes, times the exponent's bits, and never below 500
        ((b"\3", b"\5", b"\7"), b"\5", 500),
        ((b"\3" * 32, b"\xff" * 32, b"\xfb" * 32), None, 16 * 255),
        # above: 2 * words^2
        ((b"\3" * 64, b"\1\0\1", b"\xfb" * 64), None, 2 * 8**2 * 16),
        ((b"\3" * 256, b"\xff" * 33, b"\xfb" * 256), None, 2 * 32**2 * (255 + 16)),
        ((b"", b"", b"\7"), b"\1", 500),
        ((b"\3", b"\5", b""), b"", 500),
        ((b"\3", b"\5", b"\0"), b"\0", 500),
        ((b"\3", b"\5", b"\1"), b"\0", 500),
    ],
    ids=range(8),
)
def test_modexp_computes_and_costs_what_eip_7883_says(chain, numbers, result, gas):
    data = modexp(*numbers)
    found = called(chain, MODEXP, data)
    base, exponent, modulus = (int.from_bytes(number, "big") for number in numbers)
    if result is None:
        result = pow(base, exponent, modulus).to_bytes(len(numbers[2]), "big")
    assert found.output == result
    tokens = sum(4 if byte else 1 for byte in data)
    assert found.gas_used == 21_000 + max(4 * tokens + gas, 10 * tokens)


def test_modexp_takes_no_number_of_more_than_1024_bytes_and_keeps_the_gas(chain):
    assert called(chain, MODEXP, modexp(b"\3" * 1024, b"\1", b"\7")).error is None
    found = called(chain, MODEXP, modexp(b"\3" * 1025, b"\1", b"\7"), gas=500_000)
    assert found.error is not None
    assert found.gas_used == 500_000


def test_modexp_with_a_size_beyond_all_bounds_fails_at_once(chain):
    huge = words((1 << 256) - 1, 1, 1)
    assert called(chain, MODEXP, huge, gas=200_000).error is not None


def test_calls_nested_as_deeply_as_gas_allows_come_back(chain, sender):
    # PUSH0 x5, ADDRESS, GAS, CALL: it calls itself with all the gas that it may pass on
    program = address_bytes(sender.deploy(bytes.fromhex("5f5f5f5f5f305af100")))
    assert called(chain, program, b"").error is None
