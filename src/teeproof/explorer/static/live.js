// Adds statements to the list as they are said. Without it the list is as new as the page.
"use strict";
const list = document.getElementById("latest");
const said = document.getElementById("live");
if (list && said && "EventSource" in window) {
  const source = new EventSource("/events");
  // A status that is written anew is read aloud anew: only a change is worth that.
  const say = (words) => { if (said.textContent !== words) said.textContent = words; };
  source.onopen = () => say("New statements appear here by themselves.");
  source.onerror = () => say("Not connected: reload to see what is new.");
  source.onmessage = (event) => {
    const entry = JSON.parse(event.data);
    const id = entry.id.replace("sha256:", "");
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = "/p/" + encodeURIComponent(id);
    link.textContent = entry.says;
    const digits = document.createElement("span");
    digits.className = "id quiet";
    digits.textContent = " " + id.slice(0, 8);
    link.append(digits);
    item.append(link);
    list.prepend(item);
    document.getElementById("none")?.remove();
    while (list.children.length > 20) list.lastElementChild.remove();
  };
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
}
