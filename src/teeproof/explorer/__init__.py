"""Report 4.2: pages on which a person follows a proof from an answer back to the data.

The report: "Phala also built a TEE proof explorer to help user verify a TEE proof with one-click."

    content, finding     a log: statements with the verdicts on them, and what can be found in it
    desk, uploads, shelf files that people hand in: who judges them, how they come and stay
    telling, sentences   a verdict told to somebody who has never heard of attestation
    fields, words        what each field of evidence is, what the words mean
    drawing, plots       the graph and the costs as SVG, drawn here and not in the browser
    agency               who can do what to an agent, told from its log and its chain
    ledger, owed         a chain beside the log: contracts, anchors, who got what for an answer
    pages                the pages, by family
    answering, app       headers, errors, routes; each page has a twin that ends in .json
    report               the report, claim by claim

A page proves nothing against the server that wrote it. Each names the command that does.
"""
