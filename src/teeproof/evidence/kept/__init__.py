"""Keep what AMD and NVIDIA say, beside Intel's collateral, and find it again for a time T.

record     one kept thing: its parts by digest, what it is about, from when until when
amd        certificates of endorsement keys, revocation lists
nvidia     manifests, OCSP answers
records    the archive of them: add, list, check, find

A record is verified when it is added and again when it is used, under the root that it ends in;
whether that root is one to trust, the verifier says. A chip is named by its hash in every index and
message; the vendor's own certificates hold its id, and lie in the archive as they are.

Trusts: nothing that it reads back.  Does not trust: the disk, whoever handed something over.
"""
