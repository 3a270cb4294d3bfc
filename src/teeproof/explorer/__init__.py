"""Report 4.2: pages on which a person follows a proof from an answer back to the data.

The report: "Phala also built a TEE proof explorer to help user verify a TEE proof with one-click."

    content   what is shown: a story's lines, statements of a log, verdicts on them
    drawing   the graph as SVG, drawn here and not in the browser
    app       the routes; each page has a twin that ends in .json

A page proves nothing against the server that wrote it. Each names the command that does.
"""
