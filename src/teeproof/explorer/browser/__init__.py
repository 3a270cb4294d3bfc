"""The checker that a browser runs: plain JavaScript, no network.

bytes, json, anyjson, der, cbor, rlp
                                bytes and the forms that they are written in
curves                          signatures and keys: WebCrypto, and noble (``vendor``)
zip, names                      a proof file's members
x509, roots, tdx, snp, nitro    machines' evidence, to the vendors' roots
eventlog, dstack, mrconfig      what a dstack guest measured
keys, statements, identity      who says what, and the machine that commits to their keys
predicates, forms               the fields of each kind of statement
graph                           what belongs to a proof
merkle, notes, logs, anchor     logs, their witnesses, and a chain's block
proof, element                  all of it, and how a page shows it
"""
