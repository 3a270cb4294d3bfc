"""What a verdict means to somebody who never heard of attestation, in sentences.

answer                            the answer's blocks, their tones and badges
evidence, identity, node, proof   the same of one kind of thing each
sentences                         what a statement says, in one clause
fields, words                     what a field of evidence is; what the words mean
"""
