# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
# pragma nonreentrancy off
"""
@title HostileVenue
@license Apache-2.0
@notice A venue that takes and gives what it is told to, and calls back. For tests.
"""

from ethereum.ercs import IERC20

# @dev What is taken of the sold token beyond what is due, or left of it, and what is given.
takes: public(uint256)
buys: public(address)
gives: public(uint256)

# @dev A call in the middle of a swap, whether it came through, and what it was answered.
target: address
data: Bytes[1024]
calls: public(uint256)
came_through: public(uint256)
answer: public(Bytes[256])


@external
def behave(takes: uint256, buys: address, gives: uint256):
    self.takes = takes
    self.buys = buys
    self.gives = gives


@external
def arm(target: address, data: Bytes[1024]):
    self.target = target
    self.data = data


@external
def swap(sell: address, amount: uint256, min_out: uint256, deadline: uint256) -> uint256:
    if self.target != empty(address):
        self.calls += 1
        came_through: bool = False
        came_through, self.answer = raw_call(
            self.target, self.data, max_outsize=256, revert_on_failure=False
        )
        if came_through:
            self.came_through += 1
    extcall IERC20(sell).transferFrom(msg.sender, self, self.takes, default_return_value=True)
    extcall IERC20(self.buys).transfer(msg.sender, self.gives, default_return_value=True)
    return max_value(uint256)


@external
def take(token: address, owner: address, amount: uint256):
    extcall IERC20(token).transferFrom(owner, self, amount)
