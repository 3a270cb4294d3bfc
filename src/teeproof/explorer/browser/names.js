// The names of a proof file's members, and their order: docs/reference/proof-file.md.

import { Refused, hex, utf8 } from "./bytes.js";

const NAMES = [
  /^manifest\.json$/,
  /^statements\/[0-9a-f]{64}\.json$/,
  /^identities\/[0-9a-f]{64}\.json$/,
  /^blobs\/[0-9a-f]{64}$/,
  /^log\/[-a-z0-9_%][-a-z0-9_.%]{0,199}\/[0-9]{19}\/(anchors\/[0-9]{19}-[0-9a-f]{64}|checkpoints\/[0-9]{19}|entries\.json|nodes)$/,
];

// Map of name to bytes -> the same, by kind: manifest, statements, identities, blobs, logs
export function sorted(files) {
  const groups = NAMES.map(() => new Map());
  let [line, before] = [0, ""];
  for (const [name, bytes] of files) {
    const at = NAMES.findIndex((form) => form.test(name));
    if (at < 0) throw new Refused("a member that no proof file has");
    if (at < line || (at === line && name <= before)) throw new Refused("members that are not in their order");
    groups[at].set(name, bytes);
    [line, before] = [at, name];
  }
  if (!groups[0].size) throw new Refused("this is no proof file");
  return groups;
}

export const padded = (size) => String(size).padStart(19, "0");

// What stands in a folder's name for a log's origin.
export function escaped(origin) {
  const plain = (character) => /^[-a-z0-9_]$/.test(character ?? "");
  const characters = Array.from(origin);
  return characters.map((character, at) => {
    const inside = character === "." && plain(characters[at - 1]) && plain(characters[at + 1]);
    return inside || plain(character) ? character : Array.from(utf8(character), (byte) => `%${hex([byte])}`).join("");
  }).join("");
}
