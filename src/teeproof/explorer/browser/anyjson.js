// JSON that others wrote, in any spelling, but with no key twice. The rules are those of core.strictjson.

import { Refused, text } from "./bytes.js";

const DEPTH = 64; // all three as core.strictjson and Python have them
const MOST_CONTAINERS = 1 << 16;
const MOST_DIGITS = 4300;
const SPACE = /[ \t\r\n]*/y;
const PLAIN = /[^ \t\r\n,\]}]+/y; // what is neither text nor a container; JSON.parse has seen it
const WORDS = { true: true, false: false, null: null };

// bytes -> objects as Map, integers as BigInt, fractions as Number: none is mistaken for another
export function anyJson(bytes, most, what) {
  if (bytes.length > most) throw new Refused(`${what} that is too long`);
  const given = text(bytes);
  if (given.split(/[[{]/).length - 1 > MOST_CONTAINERS) throw new Refused(`${what} with too many parts`);
  try {
    JSON.parse(given);
  } catch {
    throw new Refused(`${what} that is not JSON`);
  }
  return new Reader(given, what).value(0);
}

// Reads what is known to be JSON, and refuses what JSON.parse lets pass.
class Reader {
  constructor(given, what) {
    Object.assign(this, { given, what, at: 0 });
  }

  next() {
    SPACE.lastIndex = this.at;
    this.at += SPACE.exec(this.given)[0].length;
    return this.given[this.at];
  }

  // Whether another part follows; the comma or the last bracket is passed over.
  more(close) {
    const found = this.next();
    if (found === "," || found === close) this.at += 1;
    return found !== close;
  }

  value(depth) {
    const first = this.next();
    if (first === '"') return this.string();
    if (first === "{" || first === "[") {
      if (depth === DEPTH) throw new Refused(`${this.what} that is nested too deeply`);
      this.at += 1;
      return first === "{" ? this.object(depth + 1) : this.list(depth + 1);
    }
    PLAIN.lastIndex = this.at;
    const [word] = PLAIN.exec(this.given);
    this.at += word.length;
    return Object.hasOwn(WORDS, word) ? WORDS[word] : this.number(word);
  }

  object(depth) {
    const found = new Map();
    while (this.more("}")) {
      this.next();
      const name = this.string();
      this.next();
      this.at += 1; // the colon
      if (found.has(name)) throw new Refused(`${this.what} with one key twice`);
      found.set(name, this.value(depth));
    }
    return found;
  }

  list(depth) {
    const found = [];
    while (this.more("]")) found.push(this.value(depth));
    return found;
  }

  string() {
    const start = this.at;
    do this.at += this.given[this.at] === "\\" ? 2 : 1;
    while (this.given[this.at] !== '"');
    this.at += 1;
    const found = JSON.parse(this.given.slice(start, this.at));
    if (!found.isWellFormed()) throw new Refused(`${this.what} with text that is not Unicode`);
    return found;
  }

  number(word) {
    const isWhole = /^-?[0-9]+$/.test(word);
    const found = isWhole && word.replace("-", "").length <= MOST_DIGITS ? BigInt(word) : Number(word);
    if (isWhole ? typeof found === "number" : !Number.isFinite(found)) throw new Refused(`${this.what} with a number that is too large`);
    return found;
  }
}

// Refuse a Map with other fields than these: each name with what its value must be; one with a
// question mark behind it may be missing.
export function shapedMap(value, fields, what) {
  const left = value instanceof Map ? new Set(value.keys()) : new Set([null]);
  for (const [name, holds] of Object.entries(fields)) {
    const plain = name.replace("?", "");
    if (left.delete(plain) ? !holds(value.get(plain)) : name === plain) throw new Refused(`${what} of another form`);
  }
  if (left.size) throw new Refused(`${what} with other fields than it has`);
  return value;
}

export const isTextOrNull = (value) => value === null || typeof value === "string";
