import { isDeepStrictEqual } from 'node:util';
import type { Told } from './change.js';
import type { Schema } from './contracts.js';

/** Whether all values that fit before fit now; both are there. */
type Fits = (before: unknown, after: unknown) => boolean;

const atMost: Fits = (before, after) => Number(after) <= Number(before);
const atLeast: Fits = (before, after) => Number(after) >= Number(before);
const never: Fits = () => false;

/** Rules that only take values away: a new one is tighter, none is looser. */
const RULES: ReadonlyMap<string, Fits> = new Map<string, Fits>([
  ['minimum', atMost], ['exclusiveMinimum', atMost], ['minLength', atMost], ['minItems', atMost],
  ['maximum', atLeast], ['exclusiveMaximum', atLeast], ['maxLength', atLeast], ['maxItems', atLeast],
  ['multipleOf', (before, after) => Number.isInteger(Number(before) / Number(after))],
  ['uniqueItems', (_, after) => after === false],
  ['pattern', never],
  ['format', never],
]);

/** Looked at elsewhere, or no rules. */
const OTHERS: ReadonlySet<string> = new Set([
  '$ref', 'type', 'enum', 'const', 'properties', 'required', 'items', 'title', 'description', 'examples', 'default', 'deprecated',
]);

/** A rule that is not known here breaks something as soon as it is another one. */
export function ruleChanges(before: Schema, after: Schema): Told[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((name) => !OTHERS.has(name));
  return names.flatMap((name) => {
    const [old, now] = [before[name], after[name]];
    if (isDeepStrictEqual(old, now)) return [];
    const known = RULES.get(name);
    const isFit = known !== undefined && (now === undefined || (old !== undefined && known(old, now)));
    return [{ kind: isFit ? 'compatible' : 'breaking', what: `${name}: ${text(old)} is ${text(now)} now` }];
  });
}

function text(value: unknown): string {
  return value === undefined ? 'none' : JSON.stringify(value);
}
