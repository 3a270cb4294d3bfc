# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
# pragma nonreentrancy off
"""
@title TestToken
@custom:contract-name TestToken
@license Apache-2.0
@author teeproof
@notice A token for tests and demonstrations. It is worth nothing: whoever deployed it mints it, up
        to a cap that never moves.

        ERC-20 with ERC-2612 (an allowance by signature) and EIP-3009 (a transfer by signature), so
        that people who hold no gas can pay.
@custom:security It calls no other contract, so there is nothing to re-enter. The minter can make
                 new units up to the cap, and can take none from anybody.
"""

from ethereum.ercs import IERC20
from ethereum.ercs import IERC20Detailed

import signatures

implements: IERC20
implements: IERC20Detailed


event AuthorizationUsed:
    authorizer: indexed(address)
    nonce: indexed(bytes32)


event AuthorizationCanceled:
    authorizer: indexed(address)
    nonce: indexed(bytes32)


# @dev ERC-2612.
_PERMIT: constant(bytes32) = keccak256(
    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
)

# @dev EIP-3009, for all three.
_TRANSFER: constant(bytes32) = keccak256(
    "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
)
_RECEIVE: constant(bytes32) = keccak256(
    "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
)
_CANCEL: constant(bytes32) = keccak256("CancelAuthorization(address authorizer,bytes32 nonce)")

# @dev How many decimals wallets show; nothing here depends on it.
decimals: public(immutable(uint8))

# @dev Who may mint.
minter: public(immutable(address))

# @dev How many units there will ever be.
cap: public(immutable(uint256))

# @dev Name of the token, and of its EIP-712 domain.
name: public(String[32])

# @dev What markets call it.
symbol: public(String[8])

# @dev How many units there are.
totalSupply: public(uint256)

# @dev Units by holder.
balanceOf: public(HashMap[address, uint256])

# @dev Units that a spender may still move, by owner and spender; the largest number is no limit.
allowance: public(HashMap[address, HashMap[address, uint256]])

# @dev ERC-2612: the nonce of an owner's next permit.
nonces: public(HashMap[address, uint256])

# @dev EIP-3009: whether an authorizer's nonce was used or cancelled.
authorizationState: public(HashMap[address, HashMap[bytes32, bool]])


@deploy
def __init__(name_: String[32], symbol_: String[8], decimals_: uint8, cap_: uint256):
    """
    @notice Make the token; its deployer is its minter.
    @param name_ Its name.
    @param symbol_ What markets call it.
    @param decimals_ 6 or 18.
    @param cap_ How many units there will ever be.
    """
    assert decimals_ == 6 or decimals_ == 18, "TestToken: 6 or 18 decimals"
    self.name = name_
    self.symbol = symbol_
    decimals = decimals_
    cap = cap_
    minter = msg.sender


@external
def mint(to: address, amount: uint256) -> bool:
    """
    @notice Make new units; for the deployer alone, and only up to the cap.
    @param to Who gets them.
    @param amount How many.
    @return True.
    """
    assert msg.sender == minter, "TestToken: not the minter"
    assert to != empty(address), "TestToken: to nobody"
    assert amount <= cap - self.totalSupply, "TestToken: above the cap"
    self.totalSupply += amount
    self.balanceOf[to] += amount
    log IERC20.Transfer(sender=empty(address), receiver=to, value=amount)
    return True


@external
def transfer(to: address, amount: uint256) -> bool:
    """
    @notice Move units of the caller.
    @param to Who gets them.
    @param amount How many.
    @return True.
    """
    self._move(msg.sender, to, amount)
    return True


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    """
    @notice Move units of an owner who allowed the caller to.
    @param owner Whose units.
    @param to Who gets them.
    @param amount How many.
    @return True.
    """
    allowed: uint256 = self.allowance[owner][msg.sender]
    if allowed != max_value(uint256):
        assert amount <= allowed, "TestToken: not allowed"
        self._approve(owner, msg.sender, allowed - amount)
    self._move(owner, to, amount)
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    """
    @notice Allow a spender to move units of the caller, in place of what it was allowed before.
    @param spender Who may move them.
    @param amount How many; the largest number is no limit.
    @return True.
    """
    self._approve(msg.sender, spender, amount)
    return True


@external
def permit(
    owner: address,
    spender: address,
    amount: uint256,
    deadline: uint256,
    v: uint8,
    r: bytes32,
    s: bytes32,
):
    """
    @notice Allow a spender to move units of whoever signed this (ERC-2612).
    @param owner Who signed.
    @param spender Who may move them.
    @param amount How many.
    @param deadline Until when this holds, in seconds since 1970.
    @param v Of the signature, as are r and s.
    @param r Of the signature.
    @param s Of the signature.
    """
    assert block.timestamp <= deadline, "TestToken: too late"
    nonce: uint256 = self.nonces[owner]
    self.nonces[owner] = nonce + 1
    self._check(owner, keccak256(abi_encode(_PERMIT, owner, spender, amount, nonce, deadline)), v, r, s)
    self._approve(owner, spender, amount)


@external
def transferWithAuthorization(
    owner: address,
    to: address,
    amount: uint256,
    validAfter: uint256,
    validBefore: uint256,
    nonce: bytes32,
    v: uint8,
    r: bytes32,
    s: bytes32,
):
    """
    @notice Move units of whoever signed this; anybody may carry it (EIP-3009).
    @param owner Who signed.
    @param to Who gets them.
    @param amount How many.
    @param validAfter This holds after that moment, in seconds since 1970.
    @param validBefore This holds before that moment.
    @param nonce Any value that this signer has not used.
    @param v Of the signature, as are r and s.
    @param r Of the signature.
    @param s Of the signature.
    """
    self._authorized(_TRANSFER, owner, to, amount, validAfter, validBefore, nonce, v, r, s)


@external
def receiveWithAuthorization(
    owner: address,
    to: address,
    amount: uint256,
    validAfter: uint256,
    validBefore: uint256,
    nonce: bytes32,
    v: uint8,
    r: bytes32,
    s: bytes32,
):
    """
    @notice Move units of whoever signed this to the caller, so that nobody can carry it past a
            contract which has to act on it (EIP-3009).
    @param owner Who signed.
    @param to Who gets them: the caller.
    @param amount How many.
    @param validAfter This holds after that moment, in seconds since 1970.
    @param validBefore This holds before that moment.
    @param nonce Any value that this signer has not used.
    @param v Of the signature, as are r and s.
    @param r Of the signature.
    @param s Of the signature.
    """
    assert to == msg.sender, "TestToken: not the payee"
    self._authorized(_RECEIVE, owner, to, amount, validAfter, validBefore, nonce, v, r, s)


@external
def cancelAuthorization(authorizer: address, nonce: bytes32, v: uint8, r: bytes32, s: bytes32):
    """
    @notice Use up a nonce, so that what was signed with it no longer holds (EIP-3009).
    @param authorizer Who signed.
    @param nonce The nonce.
    @param v Of the signature, as are r and s.
    @param r Of the signature.
    @param s Of the signature.
    """
    self._use(authorizer, nonce)
    self._check(authorizer, keccak256(abi_encode(_CANCEL, authorizer, nonce)), v, r, s)
    log AuthorizationCanceled(authorizer=authorizer, nonce=nonce)


@external
@view
def DOMAIN_SEPARATOR() -> bytes32:
    """
    @notice Return the EIP-712 domain separator, as ERC-2612 asks.
    @return The separator.
    """
    return signatures._domain(keccak256(self.name))


@internal
def _authorized(
    kind: bytes32,
    owner: address,
    to: address,
    amount: uint256,
    after: uint256,
    before: uint256,
    nonce: bytes32,
    v: uint8,
    r: bytes32,
    s: bytes32,
):
    assert block.timestamp > after, "TestToken: too early"
    assert block.timestamp < before, "TestToken: too late"
    self._use(owner, nonce)
    self._check(owner, keccak256(abi_encode(kind, owner, to, amount, after, before, nonce)), v, r, s)
    log AuthorizationUsed(authorizer=owner, nonce=nonce)
    self._move(owner, to, amount)


@internal
def _use(authorizer: address, nonce: bytes32):
    assert not self.authorizationState[authorizer][nonce], "TestToken: used before"
    self.authorizationState[authorizer][nonce] = True


@internal
@view
def _check(owner: address, struct_hash: bytes32, v: uint8, r: bytes32, s: bytes32):
    digest: bytes32 = signatures._digest(keccak256(self.name), struct_hash)
    signer: address = signatures._signer(digest, convert(v, uint256), r, s)
    assert signer != empty(address) and signer == owner, "TestToken: signature"


@internal
def _approve(owner: address, spender: address, amount: uint256):
    assert spender != empty(address), "TestToken: to nobody"
    self.allowance[owner][spender] = amount
    log IERC20.Approval(owner=owner, spender=spender, value=amount)


@internal
def _move(owner: address, to: address, amount: uint256):
    assert to != empty(address), "TestToken: to nobody"
    assert amount <= self.balanceOf[owner], "TestToken: not enough"
    self.balanceOf[owner] -= amount
    self.balanceOf[to] += amount
    log IERC20.Transfer(sender=owner, receiver=to, value=amount)
