"""Arm Confidential Compute Architecture: the token that a realm gets from its platform.

token         bytes -> CcaToken                   claims
verify        token + platform keys -> facts      keys
facts         what is established, before anyone's opinion
appraise      facts + expectations -> checks

Nothing in the token leads to a vendor's root: the platform's key (CPAK) is a raw public key that
the relying party must have from an endorser. Without one nothing is established, and the verdict
says that it is missing. The level is what the relying party says of the key that fits:
``hardware`` for one of ``platform_keys``, ``simulated`` for one of ``simulated_keys`` (of Arm's
models and test data, say), and none otherwise.

Trusts: the platform keys that the relying party names.  Does not trust: host, network, operator.
"""
