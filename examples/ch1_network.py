"""Report 1: rent a machine from a market that admits only nodes which prove what they are.

Run `teeproof demo` in another terminal; when its story is told: python examples/ch1_network.py
"""

import time

from teeproof.cli.joining import join
from teeproof.cloud.owner import OwnerKey
from teeproof.network.client import MarketClient
from teeproof.network.orders import Need

me = OwnerKey.new()
with MarketClient(join().urls["market"]) as market:
    for offer in market.offers().offers:
        print(f"{offer.price:>3} a second  tee={offer.tee}  {offer.taken or 'free'}")

    # What the market answers is in its log too: every offer, and the reason it was passed over.
    matched = market.order(me, need=Need(tee=("sim",)), greatest_price=40, deposit=100_000)
    print(f"rented at {matched.rate} a second; statement {matched.match[:23]}…")

    while market.lease(matched.lease).beats < 2:  # signs of life are what is paid for
        time.sleep(0.2)
    lease = market.close(me, matched.lease)
    print(f"{lease.state}: {lease.earned} for {lease.seconds} proved seconds, {lease.rest} back")
