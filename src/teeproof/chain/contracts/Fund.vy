# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Fund
@custom:contract-name Fund
@license Apache-2.0
@author teeproof
@notice Money that an agent may trade and cannot take.

        Who may do what:
          depositors  put assets in and take their exact part of every asset out, at any time
          the agent   signs trades and nothing else: which venue, what for what, how much at least
          anybody     carries a signed trade here

        The mandate is fixed when the fund is made and never changes: the assets, the venues, and
        for each asset how much of it may be sold in one trade and in one day. A day is one of UTC,
        by the block's clock, so up to two days' limits can be sold around midnight.

        Shares are in kind: no price is asked of anybody. A deposit names shares and pays the exact
        part of each asset, rounded up; a withdrawal gets the exact part, rounded down. The first
        deposit gives what it names, and its shares are all there are. What is sent to the fund
        otherwise belongs to all who hold shares.

        Each trade carries an action, the digest of the agent's record of why. An action is done
        once.
@custom:security Nobody owns the fund, and nothing about the mandate can be changed. The agent's key
                 can be replaced only by its own signature. A venue can take exactly what is sold:
                 the approval is exact and gone afterwards, and balances are compared. A token that
                 takes a fee from transfers is refused. If an asset refuses to be moved, depositors
                 leave without it (withdraw_without), and forfeit their part of it to those who
                 stay. All functions, views included, are closed while one runs.
"""

from ethereum.ercs import IERC20

import signatures


interface Venue:
    def swap(sell: address, amount: uint256, min_out: uint256, deadline: uint256) -> uint256: nonpayable


# @dev An asset, and how much of it may be sold in one trade and in one day, in its own units.
struct Asset:
    token: address
    per_trade: uint256
    per_day: uint256


# @dev What the agent signs; names and order are those of its EIP-712 type.
struct Trade:
    action: bytes32
    venue: address
    sell: address
    buy: address
    amount: uint256
    minOut: uint256
    nonce: uint256
    deadline: uint256


event Deposited:
    depositor: indexed(address)
    shares: uint256
    amounts: DynArray[uint256, 8]


event Withdrawn:
    depositor: indexed(address)
    shares: uint256
    amounts: DynArray[uint256, 8]


event Traded:
    action: indexed(bytes32)
    venue: indexed(address)
    sell: address
    buy: address
    amount: uint256
    received: uint256
    nonce: uint256


event Rotated:
    agent: indexed(address)
    identity: indexed(bytes32)
    nonce: uint256


# @dev Name of the EIP-712 domain.
_NAME: constant(bytes32) = keccak256("teeproof Fund")

# @dev What the agent signs.
_TRADE: constant(bytes32) = keccak256(
    "Trade(bytes32 action,address venue,address sell,address buy,uint256 amount,uint256 minOut,uint256 nonce,uint256 deadline)"
)
_ROTATE: constant(bytes32) = keccak256("Rotate(address next,bytes32 identity,uint256 nonce)")

# @dev Keeps every product of a balance and a number of shares below 2**256.
_MAX_SHARES: constant(uint256) = 2**112

# @dev How many assets, and how many venues, a fund may have.
_MOST: constant(uint256) = 8

# @dev Length of a day, in seconds.
_DAY: constant(uint256) = 86_400

# @dev Whose signature a trade needs, and the digest of the identity that holds its key.
agent: public(address)
identity: public(bytes32)

# @dev What the next order of the agent must carry, be it a trade or a rotation.
nonce: public(uint256)

# @dev Whether trades may go there.
is_venue: public(HashMap[address, bool])

# @dev Block in which an action was done; 0 if it was not.
block_of: public(HashMap[bytes32, uint256])

# @dev How much of an asset was sold on a day, by token and days since 1970.
sold_on: public(HashMap[address, HashMap[uint256, uint256]])

# @dev All shares.
total_shares: public(uint256)

# @dev Shares by depositor.
shares_of: public(HashMap[address, uint256])

# @dev The mandate.
_assets: DynArray[Asset, _MOST]
_venues: DynArray[address, _MOST]

# @dev Place of an asset in the list, from 1; 0 if it is none.
_place: HashMap[address, uint256]


@deploy
def __init__(
    agent_: address,
    identity_: bytes32,
    assets_: DynArray[Asset, _MOST],
    venues_: DynArray[address, _MOST],
):
    """
    @notice Make an empty fund. Nothing of what is given here can be changed, but for the agent's
            key, by the agent.
    @param agent_ Address of the agent's key.
    @param identity_ Digest of the identity that holds it.
    @param assets_ What the fund may hold, and what may be sold of each in a trade and in a day.
    @param venues_ Where the agent may trade.
    """
    assert agent_ != empty(address), "Fund: no agent"
    assert len(assets_) > 0, "Fund: no assets"
    for asset: Asset in assets_:
        assert asset.token != empty(address), "Fund: no token"
        assert self._place[asset.token] == 0, "Fund: an asset twice"
        self._assets.append(asset)
        self._place[asset.token] = len(self._assets)
    for venue: address in venues_:
        # A token as a venue would be asked to approve and to swap in its own name.
        assert venue != empty(address) and self._place[venue] == 0, "Fund: no venue"
        assert not self.is_venue[venue], "Fund: a venue twice"
        self.is_venue[venue] = True
        self._venues.append(venue)
    self._rotate(agent_, identity_, 0)


@external
def deposit(shares: uint256, max_amounts: DynArray[uint256, _MOST]) -> DynArray[uint256, _MOST]:
    """
    @notice Put assets in for a number of shares.
    @param shares How many shares to get.
    @param max_amounts How much of each asset to give at most, in the order of assets(); the first
           deposit gives exactly this.
    @return What was given of each.
    """
    assert shares > 0, "Fund: no shares"
    assert len(max_amounts) == len(self._assets), "Fund: one amount per asset"
    total: uint256 = self.total_shares
    assert total + shares <= _MAX_SHARES, "Fund: too many shares"
    amounts: DynArray[uint256, _MOST] = max_amounts
    if total > 0:
        amounts = self._parts(shares, total, total - 1)
    given: uint256 = 0
    for i: uint256 in range(len(amounts), bound=_MOST):
        assert amounts[i] <= max_amounts[i], "Fund: above the maximum"
        given |= amounts[i]
    assert given > 0, "Fund: nothing given"
    self.total_shares = total + shares
    self.shares_of[msg.sender] += shares
    log Deposited(depositor=msg.sender, shares=shares, amounts=amounts)
    for i: uint256 in range(len(amounts), bound=_MOST):
        self._pull(self._assets[i].token, amounts[i])
    return amounts


@external
def withdraw(shares: uint256) -> DynArray[uint256, _MOST]:
    """
    @notice Give shares back for their part of every asset.
    @param shares How many.
    @return What was got of each asset.
    """
    return self._withdraw(shares, [])


@external
def withdraw_without(
    shares: uint256, forfeited: DynArray[address, _MOST]
) -> DynArray[uint256, _MOST]:
    """
    @notice Give shares back for their part of every asset but some, which is lost to those who
            stay: the way out if an asset refuses to be moved.
    @param shares How many.
    @param forfeited Assets that are left behind.
    @return What was got of each asset.
    """
    for token: address in forfeited:
        assert self._place[token] > 0, "Fund: not an asset"
    return self._withdraw(shares, forfeited)


@external
def trade(order: Trade, signature: Bytes[65]) -> uint256:
    """
    @notice Carry out a trade that the agent signed and that the mandate allows.
    @param order What the agent signed.
    @param signature Over Trade(…), 65 bytes.
    @return How much of the bought asset the fund got.
    """
    assert block.timestamp <= order.deadline, "Fund: too late"
    assert order.nonce == self.nonce, "Fund: not the next nonce"
    assert order.action != empty(bytes32), "Fund: no action"
    assert self.block_of[order.action] == 0, "Fund: action is done"
    assert self.is_venue[order.venue], "Fund: venue not allowed"
    assert order.sell != order.buy, "Fund: an asset for itself"
    assert self._place[order.sell] > 0 and self._place[order.buy] > 0, "Fund: asset not allowed"
    assert order.amount > 0, "Fund: nothing sold"
    assert order.minOut > 0, "Fund: no minimum"
    self._count(order.sell, order.amount)
    self._require_agent(self._hash_of(order), signature)
    self.nonce = order.nonce + 1
    self.block_of[order.action] = block.number
    received: uint256 = self._swap(order)
    log Traded(
        action=order.action,
        venue=order.venue,
        sell=order.sell,
        buy=order.buy,
        amount=order.amount,
        received=received,
        nonce=order.nonce,
    )
    return received


@external
def rotate(next: address, identity_: bytes32, signature: Bytes[65]):
    """
    @notice Replace the agent's key, or the identity that holds it, by the word of the key itself.
            It uses up a nonce, so that no trade signed for that nonce holds any longer.
    @param next Address of the new key; the old one may stay.
    @param identity_ Digest of the identity that holds it.
    @param signature Of the old key, over Rotate(address next,bytes32 identity,uint256 nonce).
    """
    nonce_: uint256 = self.nonce
    self._require_agent(keccak256(abi_encode(_ROTATE, next, identity_, nonce_)), signature)
    assert next != empty(address), "Fund: no agent"
    self.nonce = nonce_ + 1
    self._rotate(next, identity_, nonce_)


@external
@view
def assets() -> DynArray[Asset, _MOST]:
    """
    @notice Return the assets and what may be sold of each in a trade and in a day.
    @return Token, per_trade, per_day of each.
    """
    return self._assets


@external
@view
def venues() -> DynArray[address, _MOST]:
    """
    @notice Return where the agent may trade.
    @return The venues.
    """
    return self._venues


@external
@view
def holdings() -> DynArray[uint256, _MOST]:
    """
    @notice Return what the fund holds.
    @return The balance of each asset, in the order of assets().
    """
    return self._parts(1, 1, 0)


@external
@view
def price_of(shares: uint256) -> DynArray[uint256, _MOST]:
    """
    @notice Return what a deposit for some shares must give now; the first names it itself.
    @param shares How many.
    @return The amount of each asset, rounded up.
    """
    total: uint256 = self.total_shares
    assert total > 0, "Fund: no shares"
    return self._parts(shares, total, total - 1)


@external
@view
def worth_of(shares: uint256) -> DynArray[uint256, _MOST]:
    """
    @notice Return what a withdrawal of some shares gets now.
    @param shares How many; not more than there are.
    @return The amount of each asset, rounded down.
    """
    total: uint256 = self.total_shares
    assert shares <= total and total > 0, "Fund: not enough shares"
    return self._parts(shares, total, 0)


@external
@view
def left_today(token: address) -> uint256:
    """
    @notice Return how much of an asset may still be sold today, in trades of per_trade at most.
    @param token The asset.
    @return The amount; 0 if it is none of the fund's.
    """
    place: uint256 = self._place[token]
    if place == 0:
        return 0
    return self._assets[place - 1].per_day - self.sold_on[token][block.timestamp // _DAY]


@external
@view
def digest_of(order: Trade) -> bytes32:
    """
    @notice Return what the agent signs to have a trade done.
    @param order The trade.
    @return The EIP-712 digest.
    """
    return signatures._digest(_NAME, self._hash_of(order))


@external
@view
def DOMAIN_SEPARATOR() -> bytes32:
    """
    @notice Return the EIP-712 domain separator.
    @return The separator.
    """
    return signatures._domain(_NAME)


@internal
def _withdraw(
    shares: uint256, forfeited: DynArray[address, _MOST]
) -> DynArray[uint256, _MOST]:
    assert shares > 0, "Fund: no shares"
    assert shares <= self.shares_of[msg.sender], "Fund: not enough shares"
    total: uint256 = self.total_shares
    amounts: DynArray[uint256, _MOST] = []
    for asset: Asset in self._assets:
        part: uint256 = 0
        if asset.token not in forfeited:
            part = staticcall IERC20(asset.token).balanceOf(self) * shares // total
        amounts.append(part)
    self.total_shares = total - shares
    self.shares_of[msg.sender] -= shares
    log Withdrawn(depositor=msg.sender, shares=shares, amounts=amounts)
    for i: uint256 in range(len(amounts), bound=_MOST):
        self._push(self._assets[i].token, amounts[i])
    return amounts


@internal
def _count(token: address, amount: uint256):
    asset: Asset = self._assets[self._place[token] - 1]
    assert amount <= asset.per_trade, "Fund: above the trade limit"
    day: uint256 = block.timestamp // _DAY
    sold: uint256 = self.sold_on[token][day]
    assert amount <= asset.per_day - sold, "Fund: above the day limit"
    self.sold_on[token][day] = sold + amount


@internal
def _swap(order: Trade) -> uint256:
    sell: IERC20 = IERC20(order.sell)
    buy: IERC20 = IERC20(order.buy)
    sold_before: uint256 = staticcall sell.balanceOf(self)
    bought_before: uint256 = staticcall buy.balanceOf(self)
    assert order.amount <= sold_before, "Fund: not enough to sell"
    self._approve(sell, order.venue, order.amount)
    extcall Venue(order.venue).swap(order.sell, order.amount, order.minOut, order.deadline)
    self._approve(sell, order.venue, 0)
    assert staticcall sell.balanceOf(self) == sold_before - order.amount, "Fund: another amount sold"
    bought_after: uint256 = staticcall buy.balanceOf(self)
    assert bought_after >= bought_before + order.minOut, "Fund: below the minimum"
    return bought_after - bought_before


@internal
def _rotate(next: address, identity_: bytes32, nonce_: uint256):
    self.agent = next
    self.identity = identity_
    log Rotated(agent=next, identity=identity_, nonce=nonce_)


@internal
@view
def _require_agent(struct_hash: bytes32, signature: Bytes[65]):
    signer: address = signatures._signer_of(signatures._digest(_NAME, struct_hash), signature)
    assert signer != empty(address) and signer == self.agent, "Fund: not the agent's signature"


@internal
@pure
def _hash_of(order: Trade) -> bytes32:
    return keccak256(abi_encode(_TRADE, order))


@internal
@view
def _parts(shares: uint256, total: uint256, round_up: uint256) -> DynArray[uint256, _MOST]:
    parts: DynArray[uint256, _MOST] = []
    for asset: Asset in self._assets:
        balance: uint256 = staticcall IERC20(asset.token).balanceOf(self)
        parts.append((balance * shares + round_up) // total)
    return parts


@internal
def _approve(token: IERC20, spender: address, amount: uint256):
    assert extcall token.approve(spender, amount, default_return_value=True), "Fund: approval refused"


@internal
def _pull(token: address, amount: uint256):
    if amount == 0:
        return
    before: uint256 = staticcall IERC20(token).balanceOf(self)
    assert extcall IERC20(token).transferFrom(
        msg.sender, self, amount, default_return_value=True
    ), "Fund: transfer refused"
    assert staticcall IERC20(token).balanceOf(self) == before + amount, "Fund: short transfer"


@internal
def _push(token: address, amount: uint256):
    if amount == 0:
        return
    assert extcall IERC20(token).transfer(
        msg.sender, amount, default_return_value=True
    ), "Fund: transfer refused"
