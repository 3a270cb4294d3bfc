# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
# pragma nonreentrancy off
"""
@title Anchors
@custom:contract-name Anchors
@license Apache-2.0
@author teeproof
@notice Checkpoints of logs: how many entries a log had, and their Merkle root, in an event that
        gives them the time of a block.

        A log is named by its origin, the Keccak-256 of its name. An origin belongs to the key that
        registered it first; only that key anchors for it, in person or by signature. Sizes rise.
        The same checkpoint again changes nothing and answers with its first time, so a transaction
        that was sent twice does no harm.
@custom:security Whoever takes another log's origin first can keep it from this contract, and can
                 prove nothing: a verifier compares the root with the checkpoint that it holds. It
                 calls no other contract, and nobody has power over it.
"""

import signatures


event Registered:
    origin: indexed(bytes32)
    key: indexed(address)


event Anchored:
    origin: indexed(bytes32)
    size: uint64
    root: bytes32


# @dev Name of the EIP-712 domain.
_NAME: constant(bytes32) = keccak256("teeproof Anchors")

# @dev What a key signs so that a stranger may carry its checkpoint.
_ANCHOR: constant(bytes32) = keccak256("Anchor(bytes32 origin,uint64 size,bytes32 root)")

# @dev Who anchors for an origin.
key_of: public(HashMap[bytes32, address])

# @dev Entries of an origin's latest checkpoint.
size_of: public(HashMap[bytes32, uint64])

# @dev Time of the block in which a checkpoint was first anchored, by origin, size and root.
anchored_at: public(HashMap[bytes32, HashMap[uint64, HashMap[bytes32, uint256]]])


@external
def register(origin: bytes32, key: address):
    """
    @notice Take an origin that nobody has.
    @param origin Keccak-256 of the log's name.
    @param key Who will anchor for it.
    """
    assert self.key_of[origin] == empty(address), "Anchors: origin is taken"
    self._hand_over(origin, key)


@external
def hand_over(origin: bytes32, next: address):
    """
    @notice Give an origin to another key; for its key.
    @param origin Keccak-256 of the log's name.
    @param next Who will anchor for it from now on.
    """
    self._require_key(origin, msg.sender)
    self._hand_over(origin, next)


@external
def anchor(origin: bytes32, size: uint64, root: bytes32) -> uint256:
    """
    @notice Anchor a checkpoint; for the origin's key.
    @param origin Keccak-256 of the log's name.
    @param size How many entries the log has.
    @param root Their Merkle root.
    @return Time of the block in which this checkpoint was first anchored.
    """
    self._require_key(origin, msg.sender)
    return self._anchor(origin, size, root)


@external
def anchor_signed(origin: bytes32, size: uint64, root: bytes32, signature: Bytes[65]) -> uint256:
    """
    @notice Anchor a checkpoint that the origin's key signed; anybody may carry it.
    @param origin Keccak-256 of the log's name.
    @param size How many entries the log has.
    @param root Their Merkle root.
    @param signature Over Anchor(bytes32 origin,uint64 size,bytes32 root).
    @return Time of the block in which this checkpoint was first anchored.
    """
    digest: bytes32 = signatures._digest(_NAME, keccak256(abi_encode(_ANCHOR, origin, size, root)))
    self._require_key(origin, signatures._signer_of(digest, signature))
    return self._anchor(origin, size, root)


@external
@view
def DOMAIN_SEPARATOR() -> bytes32:
    """
    @notice Return the EIP-712 domain separator.
    @return The separator.
    """
    return signatures._domain(_NAME)


@internal
@view
def _require_key(origin: bytes32, key: address):
    assert key != empty(address) and key == self.key_of[origin], "Anchors: not the key"


@internal
def _hand_over(origin: bytes32, key: address):
    assert key != empty(address), "Anchors: to nobody"
    self.key_of[origin] = key
    log Registered(origin=origin, key=key)


@internal
def _anchor(origin: bytes32, size: uint64, root: bytes32) -> uint256:
    first: uint256 = self.anchored_at[origin][size][root]
    if first != 0:
        return first
    assert size > self.size_of[origin], "Anchors: size must rise"
    self.size_of[origin] = size
    self.anchored_at[origin][size][root] = block.timestamp
    log Anchored(origin=origin, size=size, root=root)
    return block.timestamp
