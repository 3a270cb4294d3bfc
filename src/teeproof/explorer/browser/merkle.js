// RFC 6962 trees: one proof for several leaves under several checkpoints, each node stored once.
// The rules are those of teeproof.proof.log.formats.multiproof.

import { Refused, sha256 } from "./bytes.js";

export const leafHash = (entry) => sha256([0], entry);
const nodeHash = (left, right) => sha256([1], left, right);

const bit = (number, level) => Math.floor(number / 2 ** level) % 2 === 1;
const above = (index) => Math.floor(index / 2);
const beside = (index) => (index % 2 ? index - 1 : index + 1);
const height = (number) => (number ? Math.floor(Math.log2(number)) + 1 : 0);

// The complete subtrees that make up the tree of this size, left to right: [level, index].
function peaks(size) {
  const found = [];
  for (let level = height(size); level >= 0; level -= 1) {
    if (bit(size, level)) found.push([level, Math.floor(size / 2 ** level) - 1]);
  }
  return found;
}

function wantedBy(sizes) {
  const wanted = new Map();
  for (const size of sizes) {
    for (const [level, index] of peaks(size)) {
      if (!wanted.has(level)) wanted.set(level, new Set());
      wanted.get(level).add(index);
    }
  }
  return wanted;
}

// Which nodes the proof holds, in its order: "level/index".
function order(indexes, sizes) {
  const largest = Math.max(...sizes);
  const wanted = wantedBy(sizes);
  const found = [];
  let have = new Set(indexes);
  for (let level = 0; level < height(largest); level += 1) {
    const given = new Set([...(wanted.get(level) ?? [])].filter((index) => !have.has(index)));
    for (const index of given) have.add(index);
    if (bit(largest, level)) have.delete(Math.floor(largest / 2 ** level) - 1);
    for (const index of have) if (!have.has(beside(index))) given.add(beside(index));
    found.push(...[...given].sort((a, b) => a - b).map((index) => `${level}/${index}`));
    have = new Set([...have].map(above));
  }
  return found;
}

// leaves: Map of index to hash; hashes: the nodes' bytes -> Map of size to root
export async function roots(leaves, hashes, sizes) {
  if (!sizes.length || Math.max(...leaves.keys()) >= Math.max(...sizes)) throw new Refused("an entry under no checkpoint");
  const places = order(leaves.keys(), sizes);
  if (hashes.length !== places.length * 32) throw new Refused("another number of nodes than the proof needs");
  const nodes = new Map(places.map((place, at) => [place, hashes.subarray(at * 32, at * 32 + 32)]));
  const values = await climb(leaves, nodes, sizes);
  const found = new Map();
  for (const size of sizes) {
    const [last, ...rest] = peaks(size).map(([level, index]) => values.get(`${level}/${index}`)).reverse();
    let root = last;
    for (const peak of rest) root = await nodeHash(peak, root);
    found.set(size, root);
  }
  return found;
}

async function climb(leaves, nodes, sizes) {
  const largest = Math.max(...sizes);
  const wanted = wantedBy(sizes);
  const values = new Map();
  let have = new Map(leaves);
  for (let level = 0; level < height(largest); level += 1) {
    for (const index of wanted.get(level) ?? []) {
      if (!have.has(index)) have.set(index, nodes.get(`${level}/${index}`));
      values.set(`${level}/${index}`, have.get(index));
    }
    if (bit(largest, level)) have.delete(Math.floor(largest / 2 ** level) - 1);
    const next = new Map();
    for (const [index, value] of have) {
      const sibling = have.get(beside(index)) ?? nodes.get(`${level}/${beside(index)}`);
      if (!next.has(above(index))) next.set(above(index), await (index % 2 ? nodeHash(sibling, value) : nodeHash(value, sibling)));
    }
    have = next;
  }
  return values;
}
