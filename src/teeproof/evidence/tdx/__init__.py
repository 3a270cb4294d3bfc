"""Intel TDX: quotes of version 4 and 5, and everything that one proves.

quote     bytes -> TdxQuote                       layout, v4, v5
verify    quote + collateral + roots + T -> facts  chain, documents, pck, tcb
facts     what is established, before anyone's opinion

Trusts: pinned roots.  Does not trust: host, network, operator.
"""
