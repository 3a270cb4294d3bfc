# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Pool
@custom:contract-name Pool
@license Apache-2.0
@author teeproof
@notice A market of two tokens: the product of its reserves never falls. A swap costs 30 basis
        points, which stay in the pool for those who provide it.

        A provider says how many shares it wants and how much it gives at most, and pays the exact
        part of each reserve, rounded up. Who takes shares back gets the exact part, rounded down.
        So nobody gains a unit by rounding, whatever the reserves are.

        The first shares are the geometric mean of what is given. From then on the product of what
        two reserves hold for one share never falls, so a provider whose two maxima are what it
        expects to give is refused at every other price.
@custom:security The pool counts what it was given by its own calls; what is sent to it otherwise
                 belongs to nobody and moves no price. A token that takes a fee from transfers, or
                 lies about them, is refused by comparing balances. Nobody has power over the pool.
                 All functions, views included, are closed while one runs.
"""

from ethereum.ercs import IERC20


event Added:
    provider: indexed(address)
    shares: uint256
    amount0: uint256
    amount1: uint256


event Removed:
    provider: indexed(address)
    shares: uint256
    amount0: uint256
    amount1: uint256


event Swapped:
    trader: indexed(address)
    sell: indexed(address)
    amount: uint256
    received: uint256


# @dev What is left of 1000 after the fee of 30 basis points.
_AFTER_FEE: constant(uint256) = 997

# @dev Keeps every product of a reserve and a number of shares below 2**256.
_MAX_SHARES: constant(uint256) = 2**112

# @dev Likewise for reserves, as in other pools of this kind.
_MAX_RESERVE: constant(uint256) = 2**112

# @dev The two tokens.
token0: public(immutable(address))
token1: public(immutable(address))

# @dev What the pool holds for its providers, by token.
reserve_of: public(HashMap[address, uint256])

# @dev All shares.
total_shares: public(uint256)

# @dev Shares by provider.
shares_of: public(HashMap[address, uint256])


@deploy
def __init__(first: address, second: address):
    """
    @notice Make a market of two tokens.
    @param first One.
    @param second The other.
    """
    assert first != second, "Pool: one token twice"
    assert first != empty(address) and second != empty(address), "Pool: no token"
    token0 = first
    token1 = second


@external
def add(shares: uint256, max0: uint256, max1: uint256, deadline: uint256) -> (uint256, uint256):
    """
    @notice Provide both tokens for a number of shares. The first provider sets the price: it gives
            all that it names.
    @param shares How many shares to get; the first are isqrt(max0 * max1).
    @param max0 How much of the first token to give at most.
    @param max1 How much of the second token to give at most.
    @param deadline Until when this holds, in seconds since 1970.
    @return What was given of each.
    """
    assert block.timestamp <= deadline, "Pool: too late"
    total: uint256 = self.total_shares
    assert shares > 0, "Pool: no shares"
    assert total + shares <= _MAX_SHARES, "Pool: too many shares"
    give0: uint256 = max0
    give1: uint256 = max1
    if total == 0:
        assert max0 <= _MAX_RESERVE and max1 <= _MAX_RESERVE, "Pool: too large"
        assert shares == isqrt(max0 * max1), "Pool: not the mean"
    else:
        give0 = self._part_up(self.reserve_of[token0], shares, total)
        give1 = self._part_up(self.reserve_of[token1], shares, total)
        assert give0 <= max0 and give1 <= max1, "Pool: above the maximum"
    self.total_shares = total + shares
    self.shares_of[msg.sender] += shares
    self._raise(token0, give0)
    self._raise(token1, give1)
    self._pull(token0, give0)
    self._pull(token1, give1)
    log Added(provider=msg.sender, shares=shares, amount0=give0, amount1=give1)
    return give0, give1


@external
def remove(shares: uint256, min0: uint256, min1: uint256, deadline: uint256) -> (uint256, uint256):
    """
    @notice Give shares back for their part of both tokens.
    @param shares How many.
    @param min0 How much of the first token to get at least.
    @param min1 How much of the second token to get at least.
    @param deadline Until when this holds, in seconds since 1970.
    @return What was got of each.
    """
    assert block.timestamp <= deadline, "Pool: too late"
    assert shares > 0, "Pool: no shares"
    assert shares <= self.shares_of[msg.sender], "Pool: not enough shares"
    total: uint256 = self.total_shares
    get0: uint256 = self.reserve_of[token0] * shares // total
    get1: uint256 = self.reserve_of[token1] * shares // total
    assert get0 >= min0 and get1 >= min1, "Pool: below the minimum"
    self.total_shares = total - shares
    self.shares_of[msg.sender] -= shares
    self.reserve_of[token0] -= get0
    self.reserve_of[token1] -= get1
    log Removed(provider=msg.sender, shares=shares, amount0=get0, amount1=get1)
    self._push(token0, get0)
    self._push(token1, get1)
    return get0, get1


@external
def swap(sell: address, amount: uint256, min_out: uint256, deadline: uint256) -> uint256:
    """
    @notice Sell one token for the other.
    @param sell The token that is sold.
    @param amount How much of it; exactly this is taken from the caller.
    @param min_out How much of the other token to get at least.
    @param deadline Until when this holds, in seconds since 1970.
    @return How much of the other token the caller got.
    """
    assert block.timestamp <= deadline, "Pool: too late"
    buy: address = self._other(sell)
    received: uint256 = self._out(sell, buy, amount)
    assert received > 0, "Pool: too small"
    assert received >= min_out, "Pool: below the minimum"
    self._raise(sell, amount)
    self.reserve_of[buy] -= received
    log Swapped(trader=msg.sender, sell=sell, amount=amount, received=received)
    self._pull(sell, amount)
    self._push(buy, received)
    return received


@external
@view
def quote(sell: address, amount: uint256) -> uint256:
    """
    @notice Return what a swap would give now.
    @param sell The token that is sold.
    @param amount How much of it.
    @return How much of the other token.
    """
    return self._out(sell, self._other(sell), amount)


@internal
@view
def _other(token: address) -> address:
    if token == token0:
        return token1
    assert token == token1, "Pool: another token"
    return token0


@internal
@view
def _out(sell: address, buy: address, amount: uint256) -> uint256:
    assert amount <= _MAX_RESERVE, "Pool: too large"
    given: uint256 = amount * _AFTER_FEE
    below: uint256 = self.reserve_of[sell] * 1000 + given
    assert below > 0, "Pool: empty"
    return self.reserve_of[buy] * given // below


@internal
@pure
def _part_up(reserve: uint256, shares: uint256, total: uint256) -> uint256:
    return (reserve * shares + total - 1) // total


@internal
def _raise(token: address, amount: uint256):
    reserve: uint256 = self.reserve_of[token] + amount
    assert reserve <= _MAX_RESERVE, "Pool: too large"
    self.reserve_of[token] = reserve


@internal
def _pull(token: address, amount: uint256):
    if amount == 0:
        return
    before: uint256 = staticcall IERC20(token).balanceOf(self)
    assert extcall IERC20(token).transferFrom(
        msg.sender, self, amount, default_return_value=True
    ), "Pool: transfer refused"
    assert staticcall IERC20(token).balanceOf(self) == before + amount, "Pool: short transfer"


@internal
def _push(token: address, amount: uint256):
    if amount == 0:
        return
    assert extcall IERC20(token).transfer(
        msg.sender, amount, default_return_value=True
    ), "Pool: transfer refused"
