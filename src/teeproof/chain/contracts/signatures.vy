# pragma version 0.4.3
# pragma evm-version cancun
# pragma nonreentrancy off
"""
@title signatures
@license Apache-2.0
@notice What an account must sign so that a stranger may carry its order: EIP-712, always with the
        chain's id and this contract's address, so that no order holds on another chain or for
        another contract.
@dev A module: it is compiled into the contracts that import it, and never deployed alone.
@custom:security Of the two twins of an ECDSA signature only the one with the low s is accepted
                 (EIP-2), and v is 27 or 28. The chain's id is read each time, so that after a fork
                 of the chain no signature holds on both sides.
"""

# @dev Half the order of secp256k1, rounded down: the largest s that is accepted.
_HIGHEST_S: constant(uint256) = (
    57896044618658097711785492504343953926418782139537452191302581570759080747168
)

# @dev EIP-712, "Definition of domainSeparator".
_DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)

# @dev The version of every domain here.
_VERSION: constant(bytes32) = keccak256("1")


@internal
@view
def _domain(name: bytes32) -> bytes32:
    """
    @notice Return the domain separator of this contract on this chain.
    @param name Keccak-256 of the domain's name.
    @return The separator.
    """
    return keccak256(abi_encode(_DOMAIN_TYPE, name, _VERSION, chain.id, self))


@internal
@view
def _digest(name: bytes32, struct_hash: bytes32) -> bytes32:
    """
    @notice Return what is signed.
    @param name Keccak-256 of the domain's name.
    @param struct_hash Of the order, as EIP-712 defines it.
    @return The digest.
    """
    return keccak256(concat(x"1901", self._domain(name), struct_hash))


@internal
@pure
def _signer(digest: bytes32, v: uint256, r: bytes32, s: bytes32) -> address:
    """
    @notice Return who signed a digest; the zero address if the signature is none.
    @param digest What was signed.
    @param v 27 or 28.
    @param r First half of the signature.
    @param s Second half; not above half the order.
    @return The signer.
    """
    if v != 27 and v != 28:
        return empty(address)
    if convert(s, uint256) > _HIGHEST_S:
        return empty(address)
    return ecrecover(digest, v, r, s)


@internal
@pure
def _signer_of(digest: bytes32, signature: Bytes[65]) -> address:
    """
    @notice Return who signed a digest; the zero address if the signature is none.
    @param digest What was signed.
    @param signature r, s and v: 65 bytes.
    @return The signer.
    """
    if len(signature) != 65:
        return empty(address)
    return self._signer(
        digest,
        convert(slice(signature, 64, 1), uint256),
        convert(slice(signature, 0, 32), bytes32),
        convert(slice(signature, 32, 32), bytes32),
    )
