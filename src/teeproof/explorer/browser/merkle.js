// RFC 6962 trees: one proof for several leaves under several checkpoints, each node stored once.
// The rules are those of teeproof.proof.log.formats.multiproof.

import { Refused, each, equal, sha256 } from "./bytes.js";

export const leafHash = (entry) => sha256([0], entry);
const nodeHash = (left, right) => sha256([1], left, right);

const bit = (number, level) => Math.floor(number / 2 ** level) % 2 === 1;
const above = (index) => Math.floor(index / 2);
const beside = (index) => (index % 2 ? index - 1 : index + 1);
const most = (sizes) => sizes.reduce((one, other) => Math.max(one, other), 0);
const height = (number) => (number ? number.toString(2).length : 0);

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
function multiproof(indexes, sizes) {
  const largest = most(sizes);
  const wanted = wantedBy(sizes);
  const found = [];
  let have = new Set(indexes);
  for (let level = 0; level < height(largest); level += 1) {
    const given = new Set([...(wanted.get(level) ?? [])].filter((index) => !have.has(index)));
    for (const index of given) have.add(index);
    if (bit(largest, level)) have.delete(Math.floor(largest / 2 ** level) - 1);
    for (const index of have) if (!have.has(beside(index))) given.add(beside(index));
    for (const index of [...given].sort((a, b) => a - b)) found.push(`${level}/${index}`);
    have = new Set([...have].map(above));
  }
  return found;
}

// leaves: Map of index to hash; hashes: the nodes' bytes -> Map of "level/index" to hash
export function nodesOf(leaves, hashes, sizes) {
  const places = multiproof(leaves.keys(), sizes);
  if (hashes.length !== places.length * 32) throw new Refused("another number of nodes than the proof needs");
  return new Map(places.map((place, at) => [place, hashes.subarray(at * 32, at * 32 + 32)]));
}

// leaves as above, nodes as nodesOf gives them -> Map of size to root
export async function roots(leaves, nodes, sizes) {
  const values = await climb(leaves, nodes, sizes);
  const found = new Map();
  for (const size of sizes) {
    const [last, ...rest] = peaks(size).map(([level, index]) => values.get(`${level}/${index}`)).reverse();
    let root = last ?? (await sha256());
    for (const peak of rest) root = await nodeHash(peak, root);
    found.set(size, root);
  }
  return found;
}

async function climb(leaves, nodes, sizes) {
  const largest = most(sizes);
  const wanted = wantedBy(sizes);
  const values = new Map();
  let have = new Map(leaves);
  for (let level = 0; level < height(largest); level += 1) {
    for (const index of wanted.get(level) ?? []) {
      if (!have.has(index)) have.set(index, nodes.get(`${level}/${index}`));
      values.set(`${level}/${index}`, have.get(index));
    }
    if (bit(largest, level)) have.delete(Math.floor(largest / 2 ** level) - 1);
    const first = new Map();
    for (const index of have.keys()) if (!first.has(above(index))) first.set(above(index), index);
    have = new Map(await each(first, async ([parent, index]) => {
      const pair = [have.get(index), have.get(beside(index)) ?? nodes.get(`${level}/${beside(index)}`)];
      return [parent, await nodeHash(...(index % 2 ? pair.reverse() : pair))];
    }));
  }
  return values;
}

// Whether parts of one log, each { leaves, nodes }, agree about every node that two of them know.
export async function isOneTree(parts) {
  const known = new Map();
  for (const { leaves, nodes } of parts) {
    for (const [place, value] of await complete(leaves, nodes)) {
      if (known.has(place) && !equal(known.get(place), value)) return false;
      known.set(place, value);
    }
  }
  return true;
}

// All nodes that can be hashed from these.
async function complete(leaves, nodes) {
  const levels = Array.from({ length: 64 }, () => new Map());
  for (const [index, value] of leaves) levels[0].set(index, value);
  for (const [place, value] of nodes) {
    const [level, index] = place.split("/").map(Number);
    levels[level].set(index, value);
  }
  for (let level = 0; level < 63; level += 1) {
    for (const [index, value] of levels[level]) {
      const right = levels[level].get(index + 1);
      if (index % 2 || !right || levels[level + 1].has(above(index))) continue;
      levels[level + 1].set(above(index), await nodeHash(value, right));
    }
  }
  return levels.flatMap((row, level) => [...row].map(([index, value]) => [`${level}/${index}`, value]));
}
