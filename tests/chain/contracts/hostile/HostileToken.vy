# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
# pragma nonreentrancy off
"""
@title HostileToken
@license Apache-2.0
@notice A token that does what its holder of the day tells it: takes a fee, refuses, lies, calls
        back. For tests.
"""

_balance_of: HashMap[address, uint256]
allowance: public(HashMap[address, HashMap[address, uint256]])

# @dev Parts of 10,000 that are lost on the way.
fee: public(uint256)

# @dev Transfers answer False, and do nothing.
refuses: public(bool)

# @dev Transfers and balances revert.
is_broken: public(bool)

# @dev Calls that are made in the middle of a transfer or approval, how many came through, and what
#      the last was answered.
target: address
data: Bytes[1024]
calls: public(uint256)
came_through: public(uint256)
answer: public(Bytes[256])


@external
def mint(to: address, amount: uint256):
    self._balance_of[to] += amount


@external
def burn(owner: address, amount: uint256):
    self._balance_of[owner] -= amount


@external
def behave(fee: uint256, refuses: bool, is_broken: bool):
    self.fee = fee
    self.refuses = refuses
    self.is_broken = is_broken


@external
def arm(target: address, data: Bytes[1024]):
    self.target = target
    self.data = data


@external
@view
def balanceOf(owner: address) -> uint256:
    assert not self.is_broken, "HostileToken: broken"
    return self._balance_of[owner]


@external
def approve(spender: address, amount: uint256) -> bool:
    self._call_back()
    self.allowance[msg.sender][spender] = amount
    return not self.refuses


@external
def transfer(to: address, amount: uint256) -> bool:
    return self._move(msg.sender, to, amount)


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    self.allowance[owner][msg.sender] -= amount
    return self._move(owner, to, amount)


@external
def receiveWithAuthorization(
    owner: address,
    to: address,
    amount: uint256,
    valid_after: uint256,
    valid_before: uint256,
    nonce: bytes32,
    v: uint8,
    r: bytes32,
    s: bytes32,
):
    self._move(owner, to, amount)


@internal
def _move(owner: address, to: address, amount: uint256) -> bool:
    assert not self.is_broken, "HostileToken: broken"
    if self.refuses:
        return False
    self._call_back()
    self._balance_of[owner] -= amount
    self._balance_of[to] += amount - amount * self.fee // 10_000
    return True


@internal
def _call_back():
    if self.target == empty(address):
        return
    self.calls += 1
    came_through: bool = False
    came_through, self.answer = raw_call(
        self.target, self.data, max_outsize=256, revert_on_failure=False
    )
    if came_through:
        self.came_through += 1
