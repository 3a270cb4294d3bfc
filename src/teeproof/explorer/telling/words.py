"""What the words mean, and who can do what to you at each level."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LEVELS", "MARKS", "POWERS", "WORDS", "Power", "Word"]


@dataclass(frozen=True, slots=True)
class Word:
    """A word and what it means here."""

    word: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Power:
    """Somebody, what they might want to do, and whether each of ``LEVELS`` stops them."""

    who: str
    what: str
    stops: tuple[str, str, str, str]


LEVELS = ("hardware", "measured", "simulated", "nothing established")
"""How strong an answer is, strongest first; a proof is as strong as its weakest machine."""

POWERS = (
    Power("The machine's operator", "reads the program's memory",
          ("stopped, as far as the vendor's patches hold; never where debugging is on",
           "not stopped", "not stopped", "not stopped")),
    Power("The machine's operator", "runs other code than the one you expect",
          ("noticed, if you compare the measured code",
           "noticed, if you compare the measured boot; not what an operator changes while it runs",
           "not noticed", "not noticed")),
    Power("The machine's operator", "turns the machine off, or withholds answers",
          ("not stopped", "not stopped", "not stopped", "not stopped")),
    Power("Anybody", "makes such evidence without such a machine",
          ("stopped by the vendor's signature", "stopped by the TPM maker's signature",
           "not stopped: a simulator is a program", "not stopped")),
    Power("Anybody", "shows you old evidence again",
          ("noticed, if it binds a question or a key of yours", "noticed, likewise",
           "noticed, likewise", "not noticed")),
    Power("The vendor of the hardware", "vouches for a machine that is none",
          ("not stopped: you trust the vendor", "not stopped: you trust the vendor",
           "not stopped", "not stopped")),
    Power("Somebody with the machine in hands and a laboratory", "takes keys out of it",
          ("not stopped for certain: published attacks on the memory bus have done so",
           "not stopped", "not stopped", "not stopped")),
    Power("The code's author", "wrote code that does you harm",
          ("not stopped: a measurement says which code ran, not that it is good",
           "not stopped", "not stopped", "not stopped")),
    Power("The log's operator", "hides a statement, or shows different logs to different people",
          ("noticed by witnesses, if your policy asks for them",) * 3 + ("not noticed",)),
    Power("The server of this page", "writes what it likes on it",
          ("not stopped: check with the command",) * 4),
)  # fmt: skip

WORDS = (
    Word("TEE", "trusted execution environment: a machine whose processor keeps its memory from the"
         " machine's operator, and signs which code it started with."),
    Word("attestation", "the act of showing, by such a signature, what runs in a machine."),
    Word("evidence", "what a machine says of itself: a quote (Intel), a report (AMD, NVIDIA), a"
         " document (AWS Nitro), an event log."),
    Word("quote", "Intel's signed evidence of one machine, for TDX or SGX."),
    Word("endorsements", "what the vendor says of the machine: certificates, lists of what is"
         " revoked, which versions have known holes. Intel calls it collateral."),
    Word("measurement", "a digest of code or settings. It names them exactly and says nothing of"
         " whether they are good."),
    Word("report data", "64 bytes that the program in the machine chose: usually a key's digest, so"
         " that the key is known to live there."),
    Word("facts", "what verified evidence establishes, before anybody's opinion."),
    Word("policy", "what somebody expects of evidence. What it does not ask is not checked, and"
         " every answer says so."),
    Word("check", "one named question with an answer: passed, failed, or not checked."),
    Word("verdict", "all checks on one thing, the level, and whether its operator is kept out."),
    Word("level", "how strong the answer is: hardware, measured, simulated, or none."),
    Word("confidential", "whether it is shown that the machine keeps memory from its operator."),
    Word("identity", "a program's public keys, with evidence that its machine made them."
         " It names one run of one program, and no person."),
    Word("statement", "what a program says that it made, of what: outputs and inputs, each by its"
         " digest, signed with a key that its machine vouches for."),
    Word("receipt", "the statement of one answer of an AI service, or of one action of an agent."),
    Word("proof", "a file with one statement and everything needed to check it, also years later"
         " and without a network."),
    Word("log", "a list to which things are only ever added, with a digest over all of it."),
    Word("checkpoint", "that digest at one moment, signed by the log."),
    Word("witness", "somebody who signs that a log only grew. Enough of them make it impossible to"
         " show different logs to different people unnoticed, and give a time."),
    Word("anchor", "a checkpoint written to a public blockchain, for the same purpose."),
    Word("graph", "statements joined by what they were made of: an answer, its model, the training,"
         " the data."),
    Word("nonce", "a number that whoever asks makes up, so that an answer cannot be an old one."),
    Word("key service", "a program in such a machine (KMS) that gives keys only to programs that"
         " prove which code they are."),
    Word("data pool", "a program that takes people's sealed data under fixed terms, and measures"
         " what each file adds."),
    Word("held-out", "kept from training, so that a model is judged on what it never saw."),
    Word("agent", "a program that acts by itself, such as trading with money of others."),
    Word("mandate", "what an agent may do. What it does not list is not allowed."),
    Word("fund", "a contract on a chain that holds an agent's money, and lets it do no more than"
         " the contract's code allows."),
    Word("micro-unit", "a millionth of a unit of money; here of test money, unless said."),
    Word("digest", "a number that stands for exactly these bytes; here SHA-256, written in hex."),
)  # fmt: skip

MARKS = (
    Word("✓ passed", "the check was made, and holds."),
    Word("✗ failed", "the check was made, and does not hold. What was expected stands beside what"
         " came."),
    Word("– not checked", "nobody looked, and the sentence says why. It is never a yes."),
)  # fmt: skip
