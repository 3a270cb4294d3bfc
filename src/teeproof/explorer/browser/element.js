// <proof-check>: redo the checks of a proof file on the visitor's own machine, and show them.
//     <proof-check src="/p/….proof" roots="sha256:…" logs="…"></proof-check>
// With data="id" instead of src, the file stands in the page as base64, in the element with that id;
// save="name" adds a link that saves it under that name.

import { Refused, Unable, fromBase64 } from "./bytes.js";
import { answer, checkProof } from "./proof.js";

const MARKS = { passed: "✓", failed: "✗", not_checked: "–", simulated: "◆" };
const ANSWERS = { passed: "✓ Holds", simulated: "◆ SIMULATED machines", not_checked: "– Open, use the command" };
const TITLES = { machine: "Machines", statement: "Statements", log: "Logs", elsewhere: "Not checked here" };

class ProofCheck extends HTMLElement {
  async connectedCallback() {
    this.setAttribute("aria-live", "polite");
    this.replaceChildren(line("p", "Checking on this machine…"));
    try {
      if (!globalThis.crypto?.subtle) throw new Unable("browsers check only what came by https, from this machine or from a file");
      const bytes = await this.file();
      this.show(await checkProof(bytes, this.trust()));
      if (this.hasAttribute("save")) this.append(this.saving(bytes));
    } catch (error) {
      if (error instanceof Unable) {
        this.dataset.answer = "not_checked";
        this.replaceChildren(line("p", `– CANNOT TELL: ${error.message}`, "outcome not_checked"));
        return;
      }
      const why = error instanceof Refused ? error.message : `it cannot be checked here (${error.name})`;
      this.dataset.answer = "failed";
      this.replaceChildren(line("p", `✗ NOT AUTHENTIC: ${why}`, "outcome failed"));
    }
  }

  trust() {
    const roots = (this.getAttribute("roots") ?? "").split(/\s+/).filter(Boolean);
    return { roots, logs: this.getAttribute("logs") ?? "", now: Math.floor(Date.now() / 1000) };
  }

  async file() {
    const place = this.getAttribute("data");
    if (place) return fromBase64(document.getElementById(place).textContent.trim());
    const answer = await fetch(this.getAttribute("src"));
    if (!answer.ok) throw new Refused(`the file is not served (${answer.status})`);
    return new Uint8Array(await answer.arrayBuffer());
  }

  saving(bytes) {
    const link = line("a", `Save ${this.getAttribute("save")}`);
    link.href = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
    link.download = this.getAttribute("save");
    return link;
  }

  show({ rows }) {
    const count = (state) => rows.filter((row) => row.state === state).length;
    this.dataset.answer = answer(rows);
    const words = this.dataset.answer === "failed"
      ? `✗ NOT AUTHENTIC: ${count("failed")} of the checks that ran here failed`
      : `${ANSWERS[this.dataset.answer]}: ${count("passed")} checks passed on this machine, ${count("not_checked")} cannot be made here`;
    const parts = Object.entries(TITLES).map(([where, title]) => section(title, rows.filter((row) => row.where === where)));
    this.replaceChildren(line("p", words, `outcome ${this.dataset.answer}`), ...parts.filter(Boolean));
  }
}

function section(title, rows) {
  if (!rows.length) return null;
  const details = document.createElement("details");
  details.open = rows.some((row) => row.state === "failed") || title === TITLES.elsewhere;
  const ill = rows.filter((row) => row.state === "failed").length;
  details.append(line("summary", `${title}: ${rows.length} checks${ill ? `, ${ill} failed` : ""}`));
  const list = document.createElement("ul");
  for (const row of rows) {
    const who = [row.title, row.id && row.id.replace(/^sha256:/, "").slice(0, 8)].filter(Boolean).join(" ");
    list.append(line("li", `${MARKS[row.state]} ${who ? `${who} · ` : ""}${row.name}: ${row.detail}`, row.state));
  }
  details.append(list);
  return details;
}

function line(kind, words, style) {
  const made = document.createElement(kind);
  made.textContent = words;
  if (style) made.className = style;
  return made;
}

customElements.define("proof-check", ProofCheck);
