"""NVIDIA GPUs and NVSwitches: what their attestation reports prove, with no network.

bundle        bytes -> Device of each report and its certificates     report
verify        devices + RIMs + OCSP answers + roots + T -> facts      chain, rims, revocation
facts         what is established of each device, before anyone's opinion
appraise      facts + policy -> checks                                policy, nonce

Trusts: pinned roots.  Does not trust: host, network, operator, services that judge for us.
"""
