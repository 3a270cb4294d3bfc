# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Payments
@custom:contract-name Payments
@license Apache-2.0
@author teeproof
@notice The fee of an answer, divided among those who made it possible.

        A payer pays for an answer once in a token, and says by a Merkle root who gets what of it.
        Each payee then takes its part, or has somebody carry its claim; the money goes to the payee
        and to nobody else, and waits for ever. Each payment is an account of its own: a root that
        promises more than was paid runs dry by itself and touches no other payment.

        A leaf is keccak256(keccak256(abi.encode(answer, payee, amount))); an inner node is the hash
        of its two children, the smaller first. A leaf has been hashed twice, so no inner node can
        pass for one. Each leaf is paid once: a payee's parts have to be one leaf.

        What a root does not promise to anybody stays here for ever: the payer named the root.
@custom:security Nobody owns this contract. An account is found by payer, answer and token, so nobody
                 can take another payer's place: not by paying a trifle for an answer first, and not
                 with a token of its own that asks for no signature. A token that takes a fee from
                 transfers is refused; one that lies harms only those who were paid in it. All
                 functions that read or write are closed while one runs.
"""

from ethereum.ercs import IERC20


interface Authorizing:
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
    ): nonpayable


# @dev A payment: how much, by which root it is divided, and what is not claimed yet.
struct Payment:
    amount: uint256
    root: bytes32
    left: uint256


event Paid:
    answer: indexed(bytes32)
    payer: indexed(address)
    token: indexed(address)
    amount: uint256
    root: bytes32


event Claimed:
    answer: indexed(bytes32)
    payee: indexed(address)
    payer: indexed(address)
    token: address
    amount: uint256


# @dev Hashes in a proof; enough for 2**32 payees.
_DEEPEST: constant(uint256) = 32

# @dev Payments by payer, answer and token.
payment_of: public(HashMap[address, HashMap[bytes32, HashMap[address, Payment]]])

# @dev Whether a leaf was paid, by payer, answer and token.
_is_claimed: HashMap[address, HashMap[bytes32, HashMap[address, HashMap[bytes32, bool]]]]


@external
def pay(answer: bytes32, token: address, amount: uint256, root: bytes32):
    """
    @notice Pay for an answer, with what the caller allowed this contract to take.
    @param answer Id of the answer's receipt.
    @param token In which token.
    @param amount How much.
    @param root Merkle root over who gets what.
    """
    self._open(msg.sender, answer, token, amount, root)
    before: uint256 = staticcall IERC20(token).balanceOf(self)
    assert extcall IERC20(token).transferFrom(
        msg.sender, self, amount, default_return_value=True
    ), "Payments: transfer refused"
    self._require_raised(token, before, amount)


@external
def pay_signed(
    payer: address,
    answer: bytes32,
    token: address,
    amount: uint256,
    root: bytes32,
    valid_after: uint256,
    valid_before: uint256,
    v: uint8,
    r: bytes32,
    s: bytes32,
):
    """
    @notice Pay for an answer with what a payer signed; anybody may carry it (EIP-3009).
    @param payer Who signed ReceiveWithAuthorization(…) for this contract, with the nonce that
           nonce_of(answer, root) gives, so that the carrier can change neither.
    @param answer Id of the answer's receipt.
    @param token In which token.
    @param amount How much.
    @param root Merkle root over who gets what.
    @param valid_after The signature holds after that moment, in seconds since 1970.
    @param valid_before The signature holds before that moment.
    @param v Of the signature, as are r and s.
    @param r Of the signature.
    @param s Of the signature.
    """
    self._open(payer, answer, token, amount, root)
    before: uint256 = staticcall IERC20(token).balanceOf(self)
    extcall Authorizing(token).receiveWithAuthorization(
        payer, self, amount, valid_after, valid_before, self._nonce_of(answer, root), v, r, s
    )
    self._require_raised(token, before, amount)


@external
def claim(
    payer: address,
    answer: bytes32,
    token: address,
    payee: address,
    amount: uint256,
    proof: DynArray[bytes32, _DEEPEST],
):
    """
    @notice Give a payee its part of a payment; anybody may carry the claim.
    @param payer Who paid.
    @param answer Id of the answer's receipt.
    @param token In which token.
    @param payee Whose part, and who gets it.
    @param amount How much the leaf says.
    @param proof The hashes beside the way from the leaf to the root.
    """
    payment: Payment = self.payment_of[payer][answer][token]
    assert payment.amount > 0, "Payments: not paid"
    leaf: bytes32 = self._leaf_of(answer, payee, amount)
    assert self._root_of(leaf, proof) == payment.root, "Payments: not in the root"
    assert not self._is_claimed[payer][answer][token][leaf], "Payments: claimed before"
    assert amount <= payment.left, "Payments: nothing left"
    self._is_claimed[payer][answer][token][leaf] = True
    self.payment_of[payer][answer][token].left = payment.left - amount
    log Claimed(answer=answer, payee=payee, payer=payer, token=token, amount=amount)
    assert extcall IERC20(token).transfer(
        payee, amount, default_return_value=True
    ), "Payments: transfer refused"


@external
@view
def is_claimed(
    payer: address, answer: bytes32, token: address, payee: address, amount: uint256
) -> bool:
    """
    @notice Return whether a part was paid out.
    @param payer Who paid.
    @param answer Id of the answer's receipt.
    @param token In which token.
    @param payee Whose part.
    @param amount How much.
    @return Whether it was.
    """
    return self._is_claimed[payer][answer][token][self._leaf_of(answer, payee, amount)]


@external
@pure
def leaf_of(answer: bytes32, payee: address, amount: uint256) -> bytes32:
    """
    @notice Return the leaf that promises a payee its part.
    @param answer Id of the answer's receipt.
    @param payee Whose part.
    @param amount How much.
    @return The leaf.
    """
    return self._leaf_of(answer, payee, amount)


@external
@pure
def nonce_of(answer: bytes32, root: bytes32) -> bytes32:
    """
    @notice Return the EIP-3009 nonce with which a payer signs a payment.
    @param answer Id of the answer's receipt.
    @param root Merkle root over who gets what.
    @return The nonce.
    """
    return self._nonce_of(answer, root)


@internal
def _open(payer: address, answer: bytes32, token: address, amount: uint256, root: bytes32):
    assert amount > 0, "Payments: nothing paid"
    assert self.payment_of[payer][answer][token].amount == 0, "Payments: paid before"
    self.payment_of[payer][answer][token] = Payment(amount=amount, root=root, left=amount)
    log Paid(answer=answer, payer=payer, token=token, amount=amount, root=root)


@internal
@view
def _require_raised(token: address, before: uint256, amount: uint256):
    after: uint256 = staticcall IERC20(token).balanceOf(self)
    assert after == before + amount, "Payments: short transfer"


@internal
@pure
def _leaf_of(answer: bytes32, payee: address, amount: uint256) -> bytes32:
    return keccak256(keccak256(abi_encode(answer, payee, amount)))


@internal
@pure
def _nonce_of(answer: bytes32, root: bytes32) -> bytes32:
    return keccak256(abi_encode(answer, root))


@internal
@pure
def _root_of(leaf: bytes32, proof: DynArray[bytes32, _DEEPEST]) -> bytes32:
    node: bytes32 = leaf
    for beside: bytes32 in proof:
        if convert(node, uint256) < convert(beside, uint256):
            node = keccak256(concat(node, beside))
        else:
            node = keccak256(concat(beside, node))
    return node
