"""Report 3: train on data that only the trainer's code sees, and prove of what a model was made.

The report: "Within the TEE, the program decrypts the inputs and generates TEE execution proof and
model fingerprints upon completion of the training."

    run         the training program, whole; read this one
    recipe      what decides the weights beside the records
    lessons     records as tokens
    muon        the optimizer of the matrices
    statements  what a trainer says: urn:teeproof:training:v1
    given       a trainer's inputs, and whether they fit the job
    workload    commit to the job, get the keys, decrypt in memory, train, seal
    verify      what a stranger can check of it

What it proves is of what a model was made, by which code, on which machine, under which job. It
does not prove that the model is good: the held-out accuracy is the trainer's own measurement.
"""
