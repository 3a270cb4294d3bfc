"""Chapter 5, "The End Game is Unruggable AI Agents": an agent that trades by a mandate.

The report: "With TEEs, every action taken by the AI agent can be cryptographically verified,
ensuring it adheres to its intended design without external tampering." And it asks: "Can we trust
these AI agents as we trust smart contracts?"

The promise kept here: what an agent may do is a plain record, the mandate. The model only proposes
an order; rules outside it decide, and the fund's contract decides again. Each action is a statement
that carries what was asked, what the model answered under which receipt, what every rule found and
what came of it, so that anyone can run the rules again. Nobody, the operator and the model
included, has words for sending the fund's money to anybody.

    orders         the model's answer as one order, or nothing
    mandate        what an agent may do
    records        what an action is written down in
    statements     what is signed: urn:teeproof:action:v1
    instructions   what people ask
    answers        what the model is asked, and where its answer stands
    words, case    what an instruction asks for beside trades; the arithmetic of a trade
    rules          every rule, with its id and its sentence
    journal        entries chained by hashes, each durable before the next act

Trusts: the mandate, this code.  Does not trust: the model, the host, the node of the chain, whoever
instructs.
"""
