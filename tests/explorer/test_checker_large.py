"""Large proofs in the browser's checker: its work grows as they do, and no faster."""

from __future__ import annotations

from tests.explorer.checking import results

# Counts how often the lists of who made what are read, of so many statements around one datum.
READS = """
class Counted extends Array {
  [Symbol.iterator]() { Counted.reads += this.length; return super[Symbol.iterator](); }
}
const results = [];
for (const size of JSON.parse(document.getElementById("trust").textContent)) {
  const statements = new Map();
  for (let at = 0; at < size; at += 1) {
    const [digest, output] = at % 2 ? ["none", "shared"] : ["shared", `own ${at}`];
    statements.set(`s${at}`, { inputs: [{ digest, role: "x" }], outputs: new Set([output]) });
  }
  const makers = new Map([...$graph.producers(statements)]
    .map(([digest, ids]) => [digest, Counted.from(ids)]));
  Counted.reads = 0;
  results.push([$graph.isCyclic({ statements, makers }), Counted.reads]);
}
document.getElementById("out").textContent = JSON.stringify(results);
"""

# Checks some at a time, which end in another order than they began in.
EACH = """
const later = (at) => new Promise((resolve) => setTimeout(() => resolve(at * 2), 7 - (at % 7)));
const given = JSON.parse(document.getElementById("trust").textContent);
$bytes.each(given, later).then((found) => {
  document.getElementById("out").textContent = JSON.stringify(found);
});
"""

# Shows so many rows, of which the last failed.
SHOWN = """
const found = [];
for (const size of JSON.parse(document.getElementById("trust").textContent)) {
  const place = document.createElement("div");
  const rows = Array.from({ length: size }, (_, at) => ({ where: "statement", id: "", title: "",
    name: `check ${at}`, detail: "x", state: at === size - 1 ? "failed" : "passed" }));
  $element.show(place, rows);
  found.push([...place.querySelectorAll("li")].map((one) => one.textContent));
}
document.getElementById("out").textContent = JSON.stringify(found);
"""


def test_author_draws_everything_from_one_datum_and_the_work_stays_linear(tmp_path):
    (_, few), (_, many) = results(tmp_path, READS, [], [1000, 4000])
    assert 0 < few <= 1000
    assert many <= 4 * few


def test_what_is_checked_some_at_a_time_keeps_its_order(tmp_path):
    assert results(tmp_path, EACH, [], list(range(200))) == [2 * at for at in range(200)]


def test_a_section_shows_what_failed_and_a_bounded_number_of_lines(tmp_path):
    few, many = results(tmp_path, SHOWN, [], [500, 70_000])
    assert len(few) == 500
    assert few[-1].endswith("check 499: x")
    assert len(many) == 501
    assert many[0] == "✗ check 69999: x"
    assert many[-1] == "and 69500 more: the command lists all"
