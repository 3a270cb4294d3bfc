"""The key management service: it opens a file for whom its owner named, and for nobody else.

policy       under which a file is sealed: who may open it, for what, until when
admission    is this the machine, the code and the job that the policy names
state        recipients and tombstones, sealed at rest
releases     decide, grant, say so
service      the routes
workload     what runs in the TEE
client       the other side of the routes
"""
