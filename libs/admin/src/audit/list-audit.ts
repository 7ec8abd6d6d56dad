import { isTooDeep, parseOptions } from '@millrace/core';
import { auditKey } from '../keys.js';
import { isEntryId, partsOf, positionIn, questionOf } from '../page/cursor.js';
import { type Page, pageOf, PageOptions } from '../page/page.js';
import type { UseCaseParts } from '../parts.js';

/** An entry of the audit stream. */
export interface AuditEntry {
  /** When it was written, by Redis's clock. */
  readonly at: Date;
  /** The action: its beginning and its end have the same id. */
  readonly id: string;
  readonly phase: 'begun' | 'ended';
  readonly actor: string;
  readonly action: string;
  readonly target: unknown;
  readonly terms: unknown;
  /** The effect that was foreseen, and the state before. */
  readonly impact: unknown;
  /** At its end alone: whether it was done, and the state after, or the error. */
  readonly outcome: unknown;
}

const QUESTION = questionOf('audit');

/** The actions of operators, the last one first. */
export async function listAudit({ redis, prefix, mask }: UseCaseParts, options: PageOptions = {}): Promise<Page<AuditEntry>> {
  const { limit, cursor } = parseOptions(PageOptions, options, 'audit.list()');
  const start = positionIn(cursor, QUESTION, isPosition);
  const key = auditKey(prefix);
  const from = start === null ? '+' : `(${start.before}`;
  const entries = (await redis.controlFor(key).call('XREVRANGE', key, from, '-', 'COUNT', limit)) as [string, string[]][];
  const last = entries.at(-1)?.[0];
  const items = entries.flatMap(([id, [, text = '']]) => entryIn(id, text)).map((entry) => (mask.isClosing ? withoutWords(entry) : entry));
  const position = entries.length < limit || last === undefined ? null : { before: last };
  return pageOf(items, { question: QUESTION, scanned: entries.length, position });
}

function isPosition(value: unknown): value is { before: string } {
  return isEntryId(partsOf(value)?.['before']);
}

/** The message of an error may quote what the asker may not see: its code stays. */
function withoutWords(entry: AuditEntry): AuditEntry {
  const outcome = partsOf(entry.outcome);
  return typeof outcome?.['message'] === 'string' ? { ...entry, outcome: { ...outcome, message: null } } : entry;
}

/** Other programs may have written to the stream: what is no entry of ours is passed over. */
function entryIn(entryId: string, text: string): AuditEntry[] {
  const parts = partsOf(parsed(text));
  if (parts === null || isTooDeep(parts)) return [];
  const { id, phase, actor, action, target, terms, impact, outcome } = parts;
  if (![id, actor, action].every((each) => typeof each === 'string') || (phase !== 'begun' && phase !== 'ended')) return [];
  const named = { id: String(id), actor: String(actor), action: String(action), phase } as const;
  return [{ at: new Date(Number(entryId.split('-')[0])), ...named, target, terms, impact, outcome: outcome ?? null }];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
