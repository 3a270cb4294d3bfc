"""The key management service: it opens a file for whom its owner named, and for nobody else.

policy       under which a file is sealed: who may open it, for what, until when
requests     what is asked of the KMS, as it travels
admission    is this the machine, the code and the job that the policy names
challenges   nonces that evidence must answer
state        what is remembered, sealed at rest
vault        recipients and tombstones in it
journal      what the KMS says, in the log; and whether its state is as new as that
keeper       the decisions: make, release, refuse, erase
service      the routes
workload     what runs in the TEE
client       the other side of the routes
"""
