"""From paths to evidence: what each file is, what it carries, and which pieces belong together.

    words     what each kind is called
    kinds     bytes -> what they are
    others    bytes -> which of our files they are that is no evidence
    unpack    one file -> the quote, log and documents that it carries
    fitting   does this piece belong to that quote?
    reading   paths -> pieces, bounded
    bundles   paths -> one bundle for each machine
    opening   a path -> verdict, the short way

Trusts: nothing; the verifier checks what is sorted here.  Does not trust: names, order, copies.
"""
