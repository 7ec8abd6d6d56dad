import { HANDLE_CORRELATION } from '../call/outgoing-call.js';
import { type AnswerKind, parseAnswerField } from '../wire/answer-frame.js';
import { type HandledCall, parseHandle } from './handle-text.js';

/** An entry of the inbox of a call whose result is fetched later. */
export type HandleEntry = readonly [id: string, fields: readonly string[]];

export interface HandledAnswer {
  readonly kind: AnswerKind;
  readonly text: string;
}

const CALL_FIELD = 'call';

/** The entries of the inbox of a call whose result is fetched later: each start of it, and the answers. */
export class HandleEntries {
  /** Null when the inbox names no call. */
  readonly call: HandledCall | null;
  /** When it was started last, in Unix milliseconds by Redis's clock. */
  readonly startedAtMs: number;
  /** The first result, of whichever start; else the first failure since the last start. Null while there is none. */
  readonly answer: HandledAnswer | null;

  /** @param entries newest first */
  constructor(entries: readonly HandleEntry[]) {
    const place = entries.findIndex(([, [field]]) => field === CALL_FIELD);
    const start = entries[place];
    this.call = parseHandle(start?.[1][1]);
    this.startedAtMs = Number.parseInt(start?.[0] ?? '0', 10);
    this.answer = answersIn(entries).find(isResult) ?? answersIn(entries.slice(0, Math.max(0, place)))[0] ?? null;
  }
}

export function isResult({ kind }: HandledAnswer): boolean {
  return kind !== 'e';
}

/** @returns the first one first */
function answersIn(entries: readonly HandleEntry[]): HandledAnswer[] {
  return entries.toReversed().flatMap(([, fields]) => fields.flatMap((field, index): HandledAnswer[] => {
    const frame = index % 2 === 0 ? parseAnswerField(field) : null;
    return frame?.correlation === HANDLE_CORRELATION ? [{ kind: frame.kind, text: fields[index + 1] ?? '' }] : [];
  }));
}
