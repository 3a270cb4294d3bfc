"""TPM 2.0: quotes, the key that signed them, and everything that one proves.

document      JSON -> TpmEvidence                         quote, signature, public, wire
verify        evidence + roots or voucher + T -> facts    certificates, keys, pcrs
facts         what is established, before anyone's opinion
gcp           the TPM quote that names a TDX quote
credential    a challenge that only the TPM with this key can answer

A TPM keeps its keys from its host; it does not keep the machine's memory from anyone.

Trusts: pinned roots, what other verified evidence says of the key.
Does not trust: host, network, operator, a key that nobody vouches for.
"""
