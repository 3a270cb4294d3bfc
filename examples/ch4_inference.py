"""Report 4: ask with the unmodified openai package; no answer arrives whose receipt does not hold.

Run `teeproof demo` in another terminal; when its story is told: python examples/ch4_inference.py
"""

import httpx
from openai import OpenAI

from teeproof.cli.joining import join
from teeproof.inference.client import Service
from teeproof.inference.transport import Verifying

demo = join()
url = demo.urls["model"]
# Its evidence over a nonce of ours is verified first: this machine, this code, these keys.
with Service.connect(url, policy=demo.policy, api_key="me") as service:
    checking = Verifying(service)
    client = OpenAI(
        base_url=f"{url}/v1", api_key="me", http_client=httpx.Client(transport=checking)
    )
    said = client.chat.completions.create(
        model="orders", messages=[{"role": "user", "content": "sell a tenth of my ETH"}]
    )
    client.close()
    receipt, verdict = checking.checked[-1]
print(said.choices[0].message.content)
print(f"receipt {receipt.name}")
print(verdict)
