// RLP and Ethereum's Merkle-Patricia trie, in the one form that an honest builder makes. The rules are
// those of teeproof.proof.anchor.rlp and trie.

import { Refused, concat, equal, hex, integer } from "./bytes.js";
import { keccak256 } from "./curves.js";

const DEPTH = 16;
const MOST_NODE = 1 << 16;
const isBytes = (item) => item instanceof Uint8Array;

// bytes -> a byte string or a list
export function decode(bytes) {
  const [item, end] = read(bytes, 0, bytes.length, DEPTH);
  if (end !== bytes.length) throw new Refused("bytes behind RLP");
  return item;
}

function read(bytes, at, end, depth) {
  if (at >= end) throw new Refused("RLP that does not end");
  const first = bytes[at];
  if (first < 0x80) return [bytes.subarray(at, at + 1), at + 1];
  const base = first < 0xc0 ? 0x80 : 0xc0;
  const [start, size] = span(bytes, at, end, first - base);
  const after = start + size;
  if (base === 0x80) {
    if (size === 1 && bytes[start] < 0x80) throw new Refused("RLP in another form than its one");
    return [bytes.subarray(start, after), after];
  }
  if (!depth) throw new Refused("RLP that is too deep");
  const found = [];
  for (let next = start; next < after;) {
    const [item, follows] = read(bytes, next, after, depth - 1);
    found.push(item);
    next = follows;
  }
  return [found, after];
}

function span(bytes, at, end, tag) {
  let [start, size] = [at + 1, tag];
  if (tag > 55) {
    const digits = bytes.subarray(start, Math.min(end, start + tag - 55));
    size = digits.reduce((sum, byte) => sum * 256 + byte, 0);
    if (digits.length !== tag - 55 || digits[0] === 0 || size < 56) throw new Refused("RLP in another form than its one");
    start += digits.length;
  }
  if (size > end - start) throw new Refused("RLP that does not end");
  return [start, size];
}

export function encode(item) {
  if (isBytes(item) && item.length === 1 && item[0] < 0x80) return item;
  const body = isBytes(item) ? item : concat(...item.map(encode));
  return concat(head(isBytes(item) ? 0x80 : 0xc0, body.length), body);
}

function head(base, size) {
  if (size < 56) return [base + size];
  const digits = fromNumber(size);
  return [base + 55 + digits.length, ...digits];
}

export const fromNumber = (number) => Uint8Array.from((number ? number.toString(16).replace(/^(..)*.$/, "0$&") : "").match(/../g) ?? [], (pair) => parseInt(pair, 16));

// An item that is a number of at most so many bytes -> BigInt
export function number(item, size) {
  if (!isBytes(item) || item.length > size || item[0] === 0) throw new Refused("a number in RLP that is none");
  return integer(item);
}

// An item that is a list of byte strings
export function strings(item) {
  if (isBytes(item) || !item.every(isBytes)) throw new Refused("no list of byte strings in RLP");
  return item;
}

const nibbles = (bytes) => Array.from(hex(bytes), (digit) => parseInt(digit, 16));

// The value at a key under a root, by the nodes that are referred to by hash, from the root downward.
// Keys are indexes in RLP: none is the beginning of another, so no branch holds a value.
export function valueAt(root, key, nodes) {
  const [path, left] = [nibbles(key), [...nodes]];
  const taken = (digest) => {
    const raw = left.shift();
    if (!raw || raw.length > MOST_NODE || !equal(keccak256(raw), digest) || (raw.length < 32 && digest !== root)) throw new Refused("the nodes of a block's receipts do not lead there");
    return node(decode(raw));
  };
  let [here, at] = [taken(root), 0];
  for (;;) {
    let below;
    if (here.length === 17) {
      if (here[16].length || at === path.length) throw new Refused("nothing stands at this place of the block");
      [below, at] = [here[path[at]], at + 1];
    } else {
      const [isLeaf, part] = unpacked(here[0]);
      if (part.join() !== path.slice(at, at + part.length).join()) throw new Refused("nothing stands at this place of the block");
      at += part.length;
      if (isLeaf) {
        if (at !== path.length || left.length || !isBytes(here[1]) || !here[1].length) throw new Refused("nothing stands at this place of the block, or more than that");
        return here[1];
      }
      below = here[1];
    }
    if (isBytes(below) && !below.length) throw new Refused("nothing stands at this place of the block");
    const next = isBytes(below) ? taken(below) : node(below);
    if (here.length === 2 && next.length === 2) throw new Refused("a node that no builder makes");
    here = next;
  }
}

function node(item) {
  if (isBytes(item) || ![2, 17].includes(item.length)) throw new Refused("a node that no builder makes");
  if (item.length === 2) {
    if (!unpacked(item[0])[0]) {
      reference(item[1]);
      if (!item[1].length) throw new Refused("a node that no builder makes");
    }
    return item;
  }
  item.slice(0, 16).forEach(reference);
  if (!isBytes(item[16]) || item.filter(({ length }) => length).length < 2) throw new Refused("a node that no builder makes");
  return item;
}

function reference(item) {
  if (isBytes(item) ? ![0, 32].includes(item.length) : encode(item).length >= 32) throw new Refused("a node that no builder makes");
}

// A path -> whether it ends in a leaf, and its nibbles (Yellow Paper, appendix C)
function unpacked(item) {
  if (!isBytes(item) || !item.length) throw new Refused("a path of a node that is none");
  const [flag, ...rest] = nibbles(item);
  const part = flag & 1 ? rest : rest.slice(1);
  if (flag > 3 || (!(flag & 1) && rest[0]) || (flag < 2 && !part.length)) throw new Refused("a path of a node that is none");
  return [flag >= 2, part];
}
