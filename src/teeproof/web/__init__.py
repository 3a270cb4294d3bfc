"""HTTP as every service of ours speaks it: bounded both ways, with one shape for errors.

    asgi        requests and answers, on bare ASGI
    protocol    HTTP/1.1 for strangers
    running     a socket, a server, and its end
    oplog       lines for operators
    asking      who asks a service of ours

What a service answers, and which status an error of its own has, is said where the service is.

Trusts: uvicorn and httptools to parse.  Does not trust: clients, servers, the network between.
"""
