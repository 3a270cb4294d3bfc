// What belongs to a proof's roots, and whether anything was made of itself. Nothing here recurses: a
// hostile proof can be as deep as it is long. The rules are those of proof.file.closure and verify.structure.

import { Refused, listed } from "./bytes.js";

const ROTATION = "urn:teeproof:rotation:v1";

// Refuse what the roots do not need.
export function requireNeeded(held, roots) {
  const walk = walked(held, roots);
  for (const [what, found, needed] of [
    ["a statement", held.statements.keys(), walk.statements],
    ["an identity", held.identities.keys(), walk.identities],
    ["a blob", held.blobs.keys(), walk.blobs],
  ]) {
    for (const one of found) if (!needed.has(one)) throw new Refused(`the file holds ${what} that its roots do not need`);
  }
}

export function producers(statements) {
  const found = new Map();
  for (const [id, { outputs }] of statements) {
    for (const digest of outputs) listed(found, digest, id);
  }
  return found;
}

function walked({ statements, identities, keysets, makers }, roots) {
  const found = { statements: new Set(), identities: new Set(), blobs: new Set() };
  const asked = new Set();
  const first = (what) => !asked.has(what) && Boolean(asked.add(what));
  const waiting = [...roots].map((id) => [true, id]);
  const people = (ids) => ids.forEach((id) => found.identities.has(id) || waiting.push([false, id]));
  const turns = (digest) => (makers.get(digest) ?? []).filter((id) => statements.get(id).type === ROTATION);
  const visit = (one) => {
    for (const digest of one.outputs) found.blobs.add(digest);
    for (const { digest, statement } of one.inputs) {
      found.blobs.add(digest);
      if (statement !== undefined) waiting.push([true, statement]);
      else if (first(`data ${digest}`)) (makers.get(digest) ?? []).forEach((id) => waiting.push([true, id]));
    }
    if (one.author) people([one.author]);
    people(one.cosigners);
    if (one.keyset && first(`keyset ${one.keyset}`)) people(keysets.get(one.keyset) ?? []);
    if (one.type === ROTATION) people([...one.outputs].filter((digest) => identities.has(digest)));
  };
  const meet = (id, { attachments, claim }) => {
    for (const digest of Object.values(attachments)) found.blobs.add(digest);
    if (claim.keys.previous === undefined) return;
    people([claim.keys.previous]);
    turns(id).forEach((one) => waiting.push([true, one]));
  };
  while (waiting.length) {
    const [isStatement, id] = waiting.pop();
    const [here, seen] = isStatement ? [statements, found.statements] : [identities, found.identities];
    if (seen.has(id) || !here.has(id)) continue;
    seen.add(id);
    if (isStatement) visit(here.get(id));
    else meet(id, here.get(id));
  }
  return found;
}

// Whether some statements were, through each other, made of themselves. A link that names data and no
// statement leads to that data, and from there to whoever made it.
export function isCyclic({ statements, makers }) {
  const edges = edgesOf(statements, makers);
  const left = new Map([...edges].map(([node, below]) => [node, below.size]));
  const users = new Map();
  for (const [node, below] of edges) for (const one of below) listed(users, one, node);
  const ready = [...left].filter(([, count]) => !count).map(([node]) => node);
  let ordered = 0;
  while (ready.length) {
    ordered += 1;
    for (const user of users.get(ready.pop()) ?? []) {
      left.set(user, left.get(user) - 1);
      if (!left.get(user)) ready.push(user);
    }
  }
  return ordered < edges.size;
}

function edgesOf(statements, makers) {
  const [edges, again] = [new Map(), new Map()];
  const data = (digest) => `data ${digest}`;
  for (const [id, { inputs, outputs }] of statements) {
    const below = new Set();
    for (const { digest, statement } of inputs) {
      if (statement !== undefined) {
        if (statements.has(statement)) below.add(statement);
      } else if (!below.has(data(digest)) && makers.has(digest)) {
        below.add(data(digest));
        if (!edges.has(data(digest))) edges.set(data(digest), new Set(makers.get(digest)));
        if (outputs.has(digest)) listed(again, digest, id);
      }
    }
    edges.set(id, below);
  }
  for (const [digest, [id, ...others]] of again) {
    if (others.length) continue;
    // it was made of what others made, not of itself
    edges.get(id).delete(data(digest));
    makers.get(digest).filter((one) => one !== id).forEach((one) => edges.get(id).add(one));
  }
  return edges;
}
