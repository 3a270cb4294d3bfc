// <proof-check>: redo the checks of a proof file on the visitor's own machine, and show them.
//     <proof-check src="/p/….proof" roots="sha256:…" logs="…"></proof-check>
// With data="id" instead of src, the file stands in the page as base64, in the element with that id;
// save="name" adds a link that saves it under that name.
// <proof-drop roots="…" logs="…">: the same of a file that the visitor drops on the page, or chooses.

import { Refused, Unable, fromBase64 } from "./bytes.js";
import { answer, checkFile } from "./proof.js";
import { MOST_BYTES } from "./zip.js";

const MARKS = { passed: "✓", failed: "✗", not_checked: "–", simulated: "◆" };
const ANSWERS = { passed: "✓ Holds", simulated: "◆ SIMULATED machines", not_checked: "– Open, use the command" };
const TITLES = { machine: "Machines", statement: "Statements", log: "Logs", elsewhere: "Not checked here" };

class ProofCheck extends HTMLElement {
  async connectedCallback() {
    this.setAttribute("aria-live", "polite");
    await tell(this, this, () => this.file());
  }

  async file() {
    const place = this.getAttribute("data");
    if (place) return fromBase64(document.getElementById(place).textContent.trim());
    const served = await fetch(this.getAttribute("src"));
    if (!served.ok) throw new Refused(`the file is not served (${served.status})`);
    return new Uint8Array(await served.arrayBuffer());
  }
}

class ProofDrop extends HTMLElement {
  connectedCallback() {
    const [label, input, place] = [line("label", "A proof file, or a machine's evidence"), document.createElement("input"), document.createElement("div")];
    input.type = "file";
    label.append(input);
    place.setAttribute("aria-live", "polite");
    this.replaceChildren(label, line("p", "Drop it anywhere on this page, or choose it. It stays on this machine.", "quiet"), place);
    input.addEventListener("change", () => this.take(place, input.files));
    // The whole page takes it: a file dropped beside a small field would be opened in its place.
    addEventListener("dragover", (event) => this.over(event, true));
    addEventListener("dragleave", (event) => this.over(event, false));
    addEventListener("drop", (event) => {
      this.over(event, false);
      this.take(place, event.dataTransfer.files);
    });
  }

  over(event, isOver) {
    if (event.dataTransfer?.types.includes("Files") ?? false) event.preventDefault();
    this.toggleAttribute("over", isOver);
  }

  // Each file has a place of its own: one that was dropped before, and takes longer, is out of sight.
  async take(shown, files) {
    if (!files.length) return;
    const [file] = files;
    const place = document.createElement("div");
    shown.replaceChildren(place);
    await tell(this, place, async () => {
      if (files.length > 1) throw new Unable("one file at a time: the command takes several");
      if (file.size > MOST_BYTES) throw new Refused("larger than any proof file");
      return new Uint8Array(await file.arrayBuffer());
    });
    place.prepend(line("p", file.name, "quiet name"));
  }
}

// Check the bytes that `file` gives, by whom the element says that its visitor believes.
async function tell(element, place, file) {
  delete place.dataset.answer;  // there is one once it is found
  place.setAttribute("aria-busy", "true");
  place.replaceChildren(line("p", "Checking on this machine…"));
  try {
    if (!globalThis.crypto?.subtle) throw new Unable("browsers check only what came by https, from this machine or from a file");
    const bytes = await file();
    const { rows } = await checkFile(bytes, trust(element));
    show(place, rows);
    if (element.hasAttribute("save")) place.append(saving(bytes, element.getAttribute("save")));
  } catch (error) {
    const isOpen = error instanceof Unable;
    const why = isOpen || error instanceof Refused ? error.message : `it cannot be checked here (${error.name})`;
    const [state, words] = isOpen ? ["not_checked", `– CANNOT TELL: ${why}`] : ["failed", `✗ NOT AUTHENTIC: ${why}`];
    place.replaceChildren(line("p", words, `outcome ${state}`));
    place.dataset.answer = state;
  }
  place.removeAttribute("aria-busy");
}

function trust(element) {
  const roots = (element.getAttribute("roots") ?? "").split(/\s+/).filter(Boolean);
  return { roots, logs: element.getAttribute("logs") ?? "", now: Math.floor(Date.now() / 1000) };
}

function saving(bytes, name) {
  const link = line("a", `Save ${name}`);
  link.href = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  link.download = name;
  return link;
}

// Write what was found into a place of the page.
export function show(place, rows) {
  const count = (state) => rows.filter((row) => row.state === state).length;
  const found = answer(rows);
  const words = found === "failed"
    ? `✗ NOT AUTHENTIC: ${count("failed")} of the checks that ran here failed`
    : `${ANSWERS[found]}: ${count("passed")} checks passed on this machine, ${count("not_checked")} cannot be made here`;
  const parts = Object.entries(TITLES).map(([where, title]) => section(title, where === "elsewhere" ? open(rows) : rows.filter((row) => row.where === where)));
  place.replaceChildren(line("p", words, `outcome ${found}`), ...parts.filter(Boolean));
  place.dataset.answer = found;
}

// What was not checked, here or in other sections, each once: who reads no further has read this.
function open(rows) {
  const found = new Map();
  for (const row of rows.filter(({ state }) => state === "not_checked")) {
    const key = `${row.name}: ${row.detail}`;
    found.set(key, { ...row, id: "", title: "", times: (found.get(key)?.times ?? 0) + 1 });
  }
  return [...found.values()].map((row) => (row.times > 1 ? { ...row, detail: `${row.detail} (${row.times} times)` } : row));
}

const MOST_SHOWN = 500; // lines of a section, what failed first: a browser lays out no million
const isIll = (row) => row.state === "failed";

function section(title, rows) {
  if (!rows.length) return null;
  const details = document.createElement("details");
  details.setAttribute("aria-live", "off");  // the outcome is read aloud, and not each of its lines
  details.open = rows.some((row) => row.state === "failed") || title === TITLES.elsewhere;
  const ill = rows.filter((row) => row.state === "failed").length;
  const count = title === TITLES.elsewhere ? "" : `: ${rows.length} checks`;
  details.append(line("summary", `${title}${count}${ill ? `, ${ill} failed` : ""}`));
  const list = document.createElement("ul");
  const shown = rows.length > MOST_SHOWN ? [...rows.filter(isIll), ...rows.filter((row) => !isIll(row))].slice(0, MOST_SHOWN) : rows;
  for (const row of shown) {
    const who = [row.title, row.id && row.id.replace(/^sha256:/, "").slice(0, 8)].filter(Boolean).join(" ");
    list.append(line("li", `${MARKS[row.state]} ${who ? `${who} · ` : ""}${row.name}: ${row.detail}`, row.state));
  }
  if (shown.length < rows.length) list.append(line("li", `and ${rows.length - shown.length} more: the command lists all`, "quiet"));
  details.append(list);
  return details;
}

// What does not print, or turns the direction of text around, is shown as its escape.
const plain = (words) => words.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (one) => `\\u{${one.codePointAt(0).toString(16)}}`);

function line(kind, words, style) {
  const made = document.createElement(kind);
  made.textContent = plain(words);
  if (style) made.className = style;
  return made;
}

customElements.define("proof-check", ProofCheck);
customElements.define("proof-drop", ProofDrop);
