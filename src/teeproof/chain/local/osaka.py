"""Ethereum's Osaka rules, on top of py-evm's Prague: what one transaction or call does to a state.

    EIP-7951  P256VERIFY at 0x100, 6,900 gas
    EIP-7939  CLZ, which counts leading zeros
    EIP-7823, EIP-7883  MODEXP: at most 1,024 bytes per number, and dearer
    EIP-7825  a transaction has at most 2^24 gas

P256VERIFY fails closed: whatever is not a good signature in the one right encoding gives no output.
Not here: blob transactions (EIP-4844) are refused, and the system contracts of EIP-2935, EIP-4788,
EIP-7002 and EIP-7251 are not deployed.

Importing this module loads py-evm, which takes a second.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, ClassVar

import eth
import py_ecc  # noqa: F401  here, so that it raises the limit now and not later
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from eth.exceptions import VMError
from eth.vm.forks.prague import PragueVM
from eth.vm.forks.prague.blocks import PragueBlockHeader
from eth.vm.forks.prague.computation import PragueComputation
from eth.vm.forks.prague.state import PragueState
from eth.vm.forks.prague.transactions import PragueTransactionBuilder
from eth.vm.opcode import as_opcode

if TYPE_CHECKING:
    from eth.abc import ComputationAPI

__all__ = [
    "P256VERIFY",
    "TRANSACTION_GAS_CAP",
    "OsakaComputation",
    "OsakaState",
    "OsakaVM",
    "PragueBlockHeader",
    "PragueTransactionBuilder",
]

# py_ecc lets Python recurse 100,000 levels, at which a parser in C that is given a tower of
# brackets overruns its thread's stack. What py-evm asks for, for 1,024 calls, does not.
sys.setrecursionlimit(min(sys.getrecursionlimit(), eth.EVM_RECURSION_LIMIT))

TRANSACTION_GAS_CAP = 1 << 24  # EIP-7825
P256VERIFY = (0x100).to_bytes(20, "big")  # EIP-7951
_P256_GAS = 6_900  # EIP-7951
_P256_INPUT = 160  # EIP-7951: digest, r, s, x, y, each of 32 bytes
_MODEXP = (5).to_bytes(20, "big")
_MODEXP_BYTES = 1024  # EIP-7823
_MODEXP_LEAST = 500  # EIP-7883
_CLZ, _CLZ_GAS = 0x1E, 5  # EIP-7939
_TRUE = (1).to_bytes(32, "big")


def _p256verify(computation: ComputationAPI) -> ComputationAPI:
    computation.consume_gas(_P256_GAS, reason="P256VERIFY")
    computation.output = _TRUE if _p256_holds(computation.msg.data_as_bytes) else b""
    return computation


def _p256_holds(data: bytes) -> bool:
    if len(data) != _P256_INPUT:
        return False
    digest, *rest = (data[at : at + 32] for at in range(0, _P256_INPUT, 32))
    r, s, x, y = (int.from_bytes(part, "big") for part in rest)
    try:
        # cryptography refuses a point that is not on the curve, and r and s out of their range.
        key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        signature = utils.encode_dss_signature(r, s)
        key.verify(signature, digest, ec.ECDSA(utils.Prehashed(SHA256())))
    except (ValueError, InvalidSignature):
        return False
    return True


def _modexp(computation: ComputationAPI) -> ComputationAPI:
    data = computation.msg.data_as_bytes
    sizes = [int.from_bytes(data[at : at + 32].ljust(32, b"\0"), "big") for at in (0, 32, 64)]
    if max(sizes) > _MODEXP_BYTES:
        raise VMError("MODEXP takes numbers of at most 1024 bytes")  # EIP-7823: all gas is taken
    rest = data[96:].ljust(sum(sizes), b"\0")
    base, exponent = rest[: sizes[0]], rest[sizes[0] : sizes[0] + sizes[1]]
    modulus = int.from_bytes(rest[sizes[0] + sizes[1] : sum(sizes)], "big")
    computation.consume_gas(_modexp_gas(sizes, exponent), reason="MODEXP")
    numbers = int.from_bytes(base, "big"), int.from_bytes(exponent, "big")
    result = pow(*numbers, modulus) if modulus else 0
    computation.output = result.to_bytes(sizes[2], "big")
    return computation


def _modexp_gas(sizes: list[int], exponent: bytes) -> int:
    longest = max(sizes[0], sizes[2])
    words = (longest + 7) // 8
    complexity = 16 if longest <= 32 else 2 * words**2  # EIP-7883
    head = int.from_bytes(exponent[:32], "big").bit_length()
    iterations = max(head - 1, 0) + 16 * max(sizes[1] - 32, 0)
    return max(_MODEXP_LEAST, complexity * max(iterations, 1))


def _clz(computation: ComputationAPI) -> None:
    computation.stack_push_int(256 - computation.stack_pop1_int().bit_length())


class OsakaComputation(PragueComputation):  # type: ignore[misc]  # untyped
    """Prague's, with the instruction and the precompiled contracts of Osaka."""

    opcodes: ClassVar[dict[int, Any]] = {
        **PragueComputation.opcodes,
        _CLZ: as_opcode(logic_fn=_clz, mnemonic="CLZ", gas_cost=_CLZ_GAS),
    }
    _precompiles: ClassVar[dict[bytes, Any]] = {
        **PragueComputation.get_precompiles(),
        _MODEXP: _modexp,
        P256VERIFY: _p256verify,
    }


class OsakaState(PragueState):  # type: ignore[misc]  # untyped
    """A state in which Osaka's computations run."""

    computation_class = OsakaComputation


class OsakaVM(PragueVM):  # type: ignore[misc]  # untyped
    """Receipts and headers are Prague's."""

    fork = "osaka"
    _state_class = OsakaState
