import { createHash } from 'node:crypto';
import type { MethodSummary } from './instance.js';

const LENGTH = 22;

/**
 * A digest of methods, in any order: the same for the same methods. How long a call may take is the caller's affair, and may
 * change while a new version of a program is rolled out.
 */
export function contractDigest(methods: ReadonlyMap<string, MethodSummary>): string {
  const names = [...methods.keys()].sort();
  const parts = names.map((name) => {
    return [name, ...agreedIn(methods.get(name))];
  });
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, LENGTH);
}

/** The names of methods that two contracts do not share, in order. */
export function differingMethods(one: ReadonlyMap<string, MethodSummary>, other: ReadonlyMap<string, MethodSummary>): string[] {
  const names = new Set([...one.keys(), ...other.keys()]);
  return [...names].filter((name) => String(agreedIn(one.get(name))) !== String(agreedIn(other.get(name)))).sort();
}

function agreedIn(method: MethodSummary | undefined): readonly unknown[] {
  return method ? [method.idempotent, method.digest] : [];
}
