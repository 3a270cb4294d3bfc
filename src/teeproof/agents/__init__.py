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
    records        what an action is written down in; provenance: who vouches for each input
    statements     what is signed: urn:teeproof:action:v1
    instructions   what people ask; words: what of it no mandate lists
    answers        what the model is asked, and where its answer stands
    case, rules    the arithmetic of a trade; every rule, with its id and its sentence
    journal        entries chained by hashes, each durable before the next act; story: what it tells
    asking         the model's service, of which only answers with a receipt that holds are taken
    authority      what the agent's key signs
    ground         the chain: facts of one block, and how a signed trade gets there
    kernel         all of it, one step after the other, wherever it is killed
    settling       trades that the chain dropped
    service        HTTP, without an admin channel; workload, client
    verify         what a stranger can check; forks: two endings of one turn
    acted          an agent's turns in any source, with gaps; known: the facts about it
    powers         who can still change, stop or drain it; telling: it, for people and programs

Not kept: the node of the chain is believed for the price within the mandate's band, and for whether
a trade stands; a host can keep an agent from acting. An old journal is found by the chain where a
trade is missing from it; where only refusals are, it is seen in the log by whoever looks (forks).

Trusts: the mandate, this code.  Does not trust: the model, the host, the node of the chain, whoever
instructs.
"""
