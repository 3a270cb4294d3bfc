// Makes the console a little quicker to use; every form works without it.
"use strict";
const drop = document.getElementById("drop");
const file = document.getElementById("file");
const busy = document.getElementById("busy");

if (drop && file) {
  const carries = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  for (const name of ["dragenter", "dragover"]) {
    addEventListener(name, (event) => {
      if (!carries(event)) return;
      event.preventDefault();  // or the browser would open the file in place of the page
      drop.classList.add("over");
    });
  }
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) drop.classList.remove("over");
  });
  addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length !== 1) {
      busy.textContent = "One file at a time.";
      return;
    }
    file.files = event.dataTransfer.files;
    drop.requestSubmit();
  });
}

for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", () => {
    const button = form.querySelector("button");
    if (busy && form.contains(busy)) {
      busy.textContent = form === drop ? "Sealing here, then the pool judges it…" : "Asking, then checking the receipt…";
    }
    setTimeout(() => { button.disabled = true; });  // once it is on its way
  });
}
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

const parts = document.getElementById("parts");
const live = document.getElementById("live");
if (parts && live && "EventSource" in window) {
  const source = new EventSource("/console/events");
  source.onerror = () => { live.textContent = "Not connected: reload to see how it goes."; };
  let asked = 0;
  source.onmessage = async () => {
    live.textContent = "This page follows by itself.";
    const mine = ++asked;
    const text = await fetch("/console/parts")
      .then((answer) => (answer.ok ? answer.text() : ""))
      .catch(() => "");  // the page is left, or the server has ended
    const page = new DOMParser().parseFromString(text, "text/html");
    if (mine !== asked) return;  // it comes later than a newer one
    const fresh = page.getElementById("parts");
    const now = document.getElementById("parts");
    if (fresh && now && !now.contains(document.activeElement)) now.replaceWith(document.adoptNode(fresh));
  };
  addEventListener("pagehide", () => source.close());
}
