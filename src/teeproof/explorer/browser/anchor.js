// A checkpoint that was written to a chain: the event, in the receipt, in the block whose header lies in
// the file. Whether that block is on the chain cannot be known here. The rules are those of proof.anchor.

import { Refused, equal, hex, integer, isZero, utf8 } from "./bytes.js";
import { keccak256 } from "./curves.js";
import { said } from "./identity.js";
import { decode, encode, fromNumber, number, strings, valueAt } from "./rlp.js";

const EVENT = "Anchored(bytes32,uint64,bytes32)"; // origin (indexed), size, root
const MOST_NODES = 9;
const MOST_HEADER = 1 << 13;
const MOST_RECEIPT = 1 << 16;
const LAST_SECOND = 253402300799n; // of the year 9999
// By position in a header (Yellow Paper, 4.4): sizes of hashes, and the most bytes of numbers
const SIZES = { 0: 32, 1: 32, 2: 20, 3: 32, 4: 32, 5: 32, 6: 256, 13: 32, 14: 8 };
const NUMBERS = { 7: 32, 8: 8, 9: 8, 10: 8, 11: 8 };
const isBytes = (item) => item instanceof Uint8Array;

// A row on an anchor's document, and the checkpoint that it is to be of
export function anchorRow(bytes, note) {
  const found = parse(bytes);
  const { time, height, hash } = header(found.header);
  const log = eventOf(found);
  const [origin, size, root] = anchored(log);
  if (!equal(origin, keccak256(utf8(note.origin))) || size !== BigInt(note.size) || !equal(root, note.root)) {
    return ["anchor", "failed", "the event that the anchor shows is of another checkpoint"];
  }
  return ["anchor", "not_checked", `contract 0x${hex(log.address)} has the event in block ${height} of chain ${found.chain}, which says ${said(Number(time))}; `
    + `whether block 0x${hex(hash)} is on that chain is not checked here: ask a node that you trust`];
}

function parse(bytes) {
  const item = decode(bytes);
  if (isBytes(item) || item.length !== 6 || !isBytes(item[0]) || !equal(item[0], utf8("teeproof.anchor.v1")) || !isBytes(item[2])) throw new Refused("an anchor of another form");
  const [, chain, head, transaction, nodes, log] = item;
  const found = { chain: number(chain, 8), header: head, transaction: number(transaction, 3), nodes: strings(nodes), log: Number(number(log, 2)) };
  if (found.chain < 1n || head.length > MOST_HEADER || !nodes.length || nodes.length > MOST_NODES) throw new Refused("an anchor of another form");
  return found;
}

function header(raw) {
  const fields = strings(decode(raw));
  if (fields.length < 15 || fields.length > 32) throw new Refused("a block's header of another form");
  for (const [at, size] of Object.entries(SIZES)) if (fields[at].length !== size) throw new Refused("a block's header of another form");
  for (const [at, size] of Object.entries(NUMBERS)) number(fields[at], size);
  const time = integer(fields[11]);
  if (time > LAST_SECOND) throw new Refused("a block's time that is none");
  return { receipts: fields[5], height: integer(fields[8]), time, hash: keccak256(raw) };
}

function eventOf({ header: raw, transaction, nodes, log }) {
  const key = encode(fromNumber(transaction));
  const logs = receipt(valueAt(header(raw).receipts, key, nodes));
  if (log >= logs.length) throw new Refused("the transaction left no event at this place");
  return logs[log];
}

// A receipt as it stands in the trie (EIP-2718) -> its events; a transaction that failed left none
function receipt(raw) {
  const isTyped = raw[0] < 0xc0;
  if (raw.length > MOST_RECEIPT || (isTyped && ![1, 2, 3, 4].includes(raw[0]))) throw new Refused("a receipt of a type that is not known");
  const parts = decode(isTyped ? raw.subarray(1) : raw);
  if (isBytes(parts) || parts.length !== 4) throw new Refused("a receipt of another form");
  const [status, gas, bloom, logs] = parts;
  if (!isBytes(status) || hex(status) !== "01") throw new Refused("a transaction that failed, so it anchored nothing");
  number(gas, 8);
  if (!isBytes(bloom) || bloom.length !== 256 || isBytes(logs)) throw new Refused("a receipt of another form");
  return logs.map((item) => {
    if (isBytes(item) || item.length !== 3 || !isBytes(item[0]) || item[0].length !== 20 || !isBytes(item[2])) throw new Refused("an event of another form");
    const topics = strings(item[1]);
    if (topics.length > 4 || topics.some(({ length }) => length !== 32)) throw new Refused("an event of another form");
    return { address: item[0], topics, data: item[2] };
  });
}

// The origin's hash, the size and the root that an event holds, in ABI encoding
function anchored({ topics, data }) {
  if (topics.length !== 2 || !equal(topics[0], keccak256(utf8(EVENT))) || data.length !== 64 || !isZero(data.subarray(0, 24))) throw new Refused("the event is of another kind");
  return [topics[1], integer(data.subarray(0, 32)), data.subarray(32)];
}
