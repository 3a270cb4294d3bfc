"""Report 3: of what was this model made, by which code, and are these its weights?

Run `teeproof demo` in another terminal; when its story is told: python examples/ch3_training.py
"""

import teeproof as tp
from teeproof.cli.joining import join
from teeproof.core.weights import digest_model

demo = join()
verdict = tp.verify(demo.folder / "trade.proof", policy=demo.policy, logs=demo.logs)

with tp.load(demo.folder / "trade.proof") as proof:
    said = next(s for s in verdict.statements if s.type == "urn:teeproof:training:v1")
    statement = proof.read(bytes.fromhex(said.id[7:])).statement
training = statement.predicate
print(f"trained on {len(training.job.files)} sealed files, by the machine {said.author[:23]}…")
print(f"held-out {training.after.right} of {training.after.of}; before {training.before.right}")

weights = digest_model(demo.folder / "runs" / "trainer" / "out" / "model")
print("the folder holds that model:", weights.name == statement.subjects[0].sha256)
print(verdict)
