// The vendors' roots, which are built in here, and what a chain that ends in a root is worth.

import { fingerprint } from "./x509.js";

// SHA-256 of each root's SubjectPublicKeyInfo, as teeproof.evidence pins them.
export const INTEL_ROOT = "sha256:a0af031289f5d5d4132f9186068a7fc13628633ba235777472e29b6b6c67a49e";
export const AMD_ROOTS = [
  "sha256:9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9", // ARK-Milan
  "sha256:429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831", // ARK-Genoa
  "sha256:4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08", // ARK-Turin
];
export const AWS_NITRO_ROOT = "sha256:f2caf5ecc6190b4a8399b78bc58a2bbcd0382375db8a1bfd78a82743874fd225";

export const row = (name, holds, good, bad) => [name, holds ? "passed" : "failed", holds ? good : bad];

// A row on the root that a chain ends in; accepted are simulators' roots that the visitor accepts.
export async function rootRow(root, { pinned, vendor, accepted }) {
  const found = await fingerprint(root);
  if (pinned.includes(found) && !root.isSimulated) return ["root", "passed", `${vendor}'s root, which is built in here`];
  const detail = `${root.name.slice(0, 80)}, ${found.slice(0, 23)}…`;
  if (root.isSimulated && accepted.includes(found)) return ["root", "simulated", `SIMULATED: a root that you accept as such: ${detail}`];
  return ["root", "failed", `not ${vendor}'s root, and none that you accept: ${detail}`];
}

// A row on whether all certificates were in force at a time, in seconds since 1970.
export function datesRow(chain, time) {
  const begins = Math.max(...chain.map(({ dates }) => dates[0]));
  const ends = Math.min(...chain.map(({ dates }) => dates[1]));
  const day = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");
  return row("certificate dates", begins <= time && time <= ends, `all certificates were in force at ${day(time)} UTC`,
    `not all certificates were in force at ${day(time)} UTC: they are from ${day(begins)} until ${day(ends)}`);
}
