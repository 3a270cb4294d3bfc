"""Ask vendors for endorsements, when the user says so, and verify their answers before use.

services   which servers are asked: the vendors' own, or those that the user configured
web        one bounded request: retries, no redirects, no compression
wire       answers -> their parts
intel      PCS or PCCS -> Collateral
amd        KDS -> certificates and revocation lists
nvidia     RIM service, OCSP -> manifests and answers
wanted     what a piece of evidence needs, and how far the archive has it

Nothing of the evidence says where to ask: addresses in certificates (CRL distribution points,
authority information access) are not even read.

Trusts: nothing that it is told; roots are pinned, or those of the evidence.
Does not trust: host, network, the servers.
"""
