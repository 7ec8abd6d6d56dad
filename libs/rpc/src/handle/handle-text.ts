import type { CalledMethod } from '../monitor/call-monitor.js';

/** A call whose result is fetched later, as the first entry of its inbox names it. */
export interface HandledCall extends CalledMethod {
  /** How long the call may take, in milliseconds from the moment at which its inbox was made. */
  readonly budgetMs: number;
}

export function handleText({ service, version, method, budgetMs }: HandledCall): string {
  return JSON.stringify([service, version, method, budgetMs]);
}

/** @returns null for a text that names no call; never throws */
export function parseHandle(text: unknown): HandledCall | null {
  const parts = listIn(text);
  const [service, version, method, budgetMs] = parts;
  if (parts.length !== 4 || ![service, version, method].every((part) => typeof part === 'string')) return null;
  if (!Number.isSafeInteger(budgetMs) || (budgetMs as number) < 0) return null;
  return { service, version, method, budgetMs } as HandledCall;
}

export function isSameMethod(one: CalledMethod, other: CalledMethod): boolean {
  return one.service === other.service && one.version === other.version && one.method === other.method;
}

function listIn(text: unknown): readonly unknown[] {
  try {
    const value: unknown = typeof text === 'string' ? JSON.parse(text) : null;
    return Array.isArray(value) ? value : [];
  } catch {
    // Anything may be written by those who can write to Redis: a text that is no JSON names no call.
    return [];
  }
}
