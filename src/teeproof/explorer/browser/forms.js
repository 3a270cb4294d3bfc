// Whether a predicate has the form of its type: the fields, no others, no default spelt out. The forms
// stand in predicates.js:
//     s text, i integer, b true or false, n null, [h N] N digits of lower-case hex,
//     [r A B] integer from A to B, [l T] list, [m T] object of T by name, [e …] one of,
//     [u T …] either, { struct } by its name
// and a field is [T], which must be there; [T, value], its default, which must not be spelt out; or
// [T, null, "either"], which may be there or not.

import { isObject, isText } from "./json.js";
import { PREDICATES } from "./predicates.js";

export const isKnown = (type) => Object.hasOwn(PREDICATES.types, type);

// Whether a predicate has the form of its type, which is known.
export const isPredicate = (type, value) => isStruct(PREDICATES.structs[PREDICATES.types[type]], value);

const PLAIN = { s: isText, i: Number.isSafeInteger, b: (value) => typeof value === "boolean", n: (value) => value === null };
const COMPOUND = {
  h: ([size], value) => isText(value) && value.length === size && /^[0-9a-f]*$/.test(value),
  r: ([least, most], value) => Number.isSafeInteger(value) && least <= value && value <= most,
  l: ([inner], value) => Array.isArray(value) && value.every((one) => is(inner, one)),
  m: ([inner], value) => isObject(value) && Object.values(value).every((one) => is(inner, one)),
  e: (allowed, value) => allowed.includes(value),
  u: (either, value) => either.some((inner) => is(inner, value)),
};

function is(form, value) {
  if (typeof form === "string") return PLAIN[form](value);
  return Array.isArray(form) ? COMPOUND[form[0]](form.slice(1), value) : isStruct(PREDICATES.structs[form.struct], value);
}

function isStruct(fields, value) {
  if (!isObject(value) || !Object.keys(value).every((name) => Object.hasOwn(fields, name))) return false;
  return Object.entries(fields).every(([name, [form, ...unless]]) => {
    if (!Object.hasOwn(value, name)) return unless.length > 0;
    const spelt = unless.length === 1 && JSON.stringify(value[name]) === JSON.stringify(unless[0]);
    return is(form, value[name]) && !spelt;
  });
}
