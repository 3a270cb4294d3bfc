"""Report 6.1: what a TEE costs an AI workload, as published, as modelled, and as measured here.

The report: "our results indicate that while there is minimal computational overhead within the GPU,
the overall performance penalty is primarily attributable to data transfer."

    overhead    the two things that "overhead" means, each by its own name
    paper       the tables of arXiv 2409.03992, as data
    tolls       what each crossing between CPU and GPU costs, fitted to those tables
    platforms   the machines that something is known of, each number with its source
    predict     what a TEE will cost a model, with an interval
    compare     paper, model and own measurements side by side
    probes      what probes found on one machine, and the tolls between two such findings
    own         own measurements beside what was published of such a machine
    gpu         run the probes and a decoder on a GPU

Arithmetic inside a GPU is as fast with a TEE as without; each crossing (a launch, a copy, a wait)
is dearer by a fixed toll. So overhead falls with the milliseconds that a step takes, and only by
way of those with the model's size or the text's length.
"""
