"""The cloud (the report's section 6.2): run a program in a TEE, and prove which program it was.

"Phala offers a TEE cloud platform built on top of the open source Dstack SDK, enabling the
deployment of applications into both CPU TEE and GPU TEE. […] This cloud platform enables developers
and organizations to leverage the benefits of TEEs without the complexity typically associated with
secure computation, making it accessible for a wide range of applications."

What this chapter promises: a workload runs behind a wall without network, its evidence names the
code, the arguments and the settings that it was started with, and no owner's file opens for any
other. In reading order:

    manifest     what shall run: a dstack app-compose.json
    image        the code that runs, measured file by file
    guest        the agent that a workload asks for quotes and keys (dstack's API)
    sandbox      the wall around the process: bubblewrap, or honestly none
    bridge       how requests get through the wall: sockets
    launch       all of that, started: ``Running``
    inside       the same seen by the workload: ``Inside``
    owner, job   who may decide about data, and what a machine commits to before it is given any
    kms          releases the keys of sealed files to attested workloads, and erases them for good
    statements   what the KMS says in the log
    verify       what a stranger can check of it
"""
