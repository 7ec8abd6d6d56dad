import { isName } from '@millrace/core';
import { contractDigest } from './contract-digest.js';
import { DEFAULT_WEIGHT, INSTANCE_BOUNDS, type Instance, MEMBER_PATTERN, type MethodSummary } from './instance.js';
import type { StoredInstance } from './instance-text.js';

type Loose = Partial<Record<keyof StoredInstance, unknown>>;

const LATEST_DATE_MS = 8.64e15;

/**
 * Reads instances that anybody who may write to Redis has written: one that cannot be understood is skipped, and one with values
 * out of bounds has others in their place. Nothing in it is a name of a property, so that none can hide or add one.
 */
export class InstanceReader {
  /** Instances that were skipped, and instances with something out of bounds. */
  readonly counts = { skipped: 0, clamped: 0 };

  /** The instance; null for one that is skipped. */
  read(field: string, text: string): Instance | null {
    const isBounded = field.length <= INSTANCE_BOUNDS.fieldBytes && text.length <= INSTANCE_BOUNDS.textBytes;
    const instance = isBounded ? this.#understood(field, text) : null;
    if (!instance) this.counts.skipped += 1;
    return instance;
  }

  #understood(field: string, text: string): Instance | null {
    const [service, version, member, ...more] = field.split(':');
    if (more.length > 0 || !isName(service) || !isName(version) || !MEMBER_PATTERN.test(member ?? '')) return null;
    const loose = looseOf(text);
    if (!loose || loose.member !== member) return null;
    const clamp = new Clamp();
    const methods = methodsIn(loose.methods, clamp);
    const instance: Instance = {
      service, version, member: member!, methods, contract: contractDigest(methods),
      metadata: metadataIn(loose.metadata, clamp),
      weight: clamp.number(loose.weight, { least: 1, most: INSTANCE_BOUNDS.weight, otherwise: DEFAULT_WEIGHT }),
      tags: clamp.list(loose.tags, INSTANCE_BOUNDS.tags).flatMap((tag) => clamp.text(tag, INSTANCE_BOUNDS.tag) ?? []),
      host: clamp.text(loose.host, INSTANCE_BOUNDS.host) ?? '',
      pid: clamp.number(loose.pid, { least: 0, most: 2 ** 31 - 1, otherwise: 0 }),
      startedAt: clamp.number(loose.startedAt, { least: 0, most: LATEST_DATE_MS, otherwise: 0 }),
      draining: loose.draining === true,
    };
    if (clamp.hasClamped) this.counts.clamped += 1;
    return instance;
  }
}

interface Range {
  readonly least: number;
  readonly most: number;
  /** In place of what is no number. */
  readonly otherwise: number;
}

/** Brings values within their bounds, and remembers whether it had to. */
class Clamp {
  hasClamped = false;

  number(value: unknown, { least, most, otherwise }: Range): number {
    const number = typeof value === 'number' ? value : otherwise;
    return this.#noted(Math.round(Math.min(Math.max(number, least), most)), value);
  }

  /** Null for what is no text. */
  text(value: unknown, longest: number): string | null {
    if (typeof value === 'string') return this.#noted(value.slice(0, longest), value);
    return this.#noted(null, value);
  }

  list(value: unknown, longest: number): unknown[] {
    if (!Array.isArray(value)) return this.#noted([], value);
    return value.length <= longest ? (value as unknown[]) : this.#noted(value.slice(0, longest) as unknown[], value);
  }

  pairs(value: unknown, most: number): [string, unknown][] {
    if (!isObject(value)) return this.#noted([], value);
    const pairs = Object.entries(value);
    return pairs.length <= most ? pairs : this.#noted(pairs.slice(0, most), value);
  }

  /** Something had to be left out. */
  leftOut(): null {
    this.hasClamped = true;
    return null;
  }

  #noted<T>(used: T, given: unknown): T {
    if (used !== given) this.hasClamped = true;
    return used;
  }
}

function looseOf(text: string): Loose | null {
  try {
    const value: unknown = JSON.parse(text.slice(text.indexOf(' ') + 1));
    return isObject(value) ? value : null;
  } catch {
    // It is no JSON: nobody of ours has written it.
    return null;
  }
}

function methodsIn(value: unknown, clamp: Clamp): Map<string, MethodSummary> {
  const methods = new Map<string, MethodSummary>();
  for (const [name, stored] of clamp.pairs(value, INSTANCE_BOUNDS.methods)) {
    const summary = isName(name) && Array.isArray(stored) ? summaryOf(stored, clamp) : clamp.leftOut();
    if (summary) methods.set(name, summary);
  }
  return methods;
}

function summaryOf([idempotent, timeoutMs, digest]: unknown[], clamp: Clamp): MethodSummary | null {
  if (typeof timeoutMs !== 'number' || typeof digest !== 'string') return clamp.leftOut();
  return {
    idempotent: idempotent === 1,
    timeoutMs: clamp.number(timeoutMs, { least: 1, most: INSTANCE_BOUNDS.timeoutMs, otherwise: 1 }),
    digest: digest.length <= INSTANCE_BOUNDS.digestLength ? digest : clamp.text(digest, INSTANCE_BOUNDS.digestLength)!,
  };
}

function metadataIn(value: unknown, clamp: Clamp): Map<string, string> {
  const metadata = new Map<string, string>();
  for (const [name, text] of clamp.pairs(value, INSTANCE_BOUNDS.metadata)) {
    const kept = name.length <= INSTANCE_BOUNDS.metadataName ? clamp.text(text, INSTANCE_BOUNDS.metadataValue) : clamp.leftOut();
    if (kept !== null) metadata.set(name, kept);
  }
  return metadata;
}

function isObject(value: unknown): value is Loose {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
