"""AMD SEV-SNP: attestation reports of version 2 to 5, and everything that one proves.

report    bytes -> SnpReport                                  layout, tcb
verify    report + certificates + roots + T -> facts          certificates, vek, path, chain, crl
facts     what is established, before anyone's opinion

Trusts: pinned roots.  Does not trust: host, network, operator.
"""
