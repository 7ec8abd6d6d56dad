import { MillraceError, traceOf } from '@millrace/core';
import type { BrokenMember } from '@millrace/streams';
import type { DeadLetterView, ShownError } from '../dead-letters/letter-view.js';
import type { ShownBroken } from '../groups/shown-broken.js';
import type { JobView } from '../jobs/job-view.js';
import type { MessageFilter } from '../messages/message-filter.js';
import type { MessageView } from '../messages/message-view.js';
import type { Redaction } from './redaction.js';
import { Redactor } from './redactor.js';
import type { View } from './view.js';

type Searched = Pick<MessageFilter, 'key' | 'headers' | 'text' | 'where'>;

type Headers = MessageView['headers'];

/** A message keeps it without the right to payloads, since `trace` goes by it. */
const TRACE = 'headers.traceparent';

/** Fields of conditions that are no part of what a view hides, unless they are redacted. */
const OPEN_FIELDS = ['id', 'type', 'schema', TRACE];

/**
 * Makes of each message, dead letter and error what a view lets its asker see, and refuses questions that would tell more. Nobody
 * knows which part is which in what has a problem: where fields are redacted, it is hidden as a whole.
 */
export class Mask {
  readonly #payloads: boolean;
  readonly #redact: readonly string[];
  readonly #redactor: Redactor;

  constructor({ payloads, redact }: Required<View>) {
    this.#payloads = payloads;
    this.#redact = redact;
    this.#redactor = new Redactor(redact);
  }

  /** Whether there is something that its asker may not see. */
  get isClosing(): boolean {
    return !this.#payloads || !this.#redactor.isIdle;
  }

  /** The mask that lets through what both do. */
  and({ payloads, redact }: Required<View>): Mask {
    return new Mask({ payloads: this.#payloads && payloads, redact: [...this.#redact, ...redact] });
  }

  message(view: MessageView): MessageView {
    if (!this.#payloads) return this.#hiddenMessage(view);
    if (this.#redactor.isIdle) return view;
    if (view.problem !== null) return this.#hiddenMessage(view);
    const redaction = this.#redactor.begin();
    const parts = contentIn(redaction, view);
    const idempotencyKey = keyIn(redaction, 'idempotencyKey', view.idempotencyKey);
    return { ...view, ...parts, idempotencyKey, redacted: redaction.paths };
  }

  letter(view: DeadLetterView): DeadLetterView {
    if (!this.#payloads) return this.#hiddenLetter(view);
    if (this.#redactor.isIdle) return view;
    if (view.messageId === null || view.fields !== undefined || view.problem !== null) return this.#hiddenLetter(view);
    const redaction = this.#redactor.begin();
    const parts = contentIn(redaction, view);
    const error = errorIn(redaction, 'error', view.error);
    return { ...view, ...parts, error, envelope: null, redacted: redaction.paths };
  }

  job(view: JobView): JobView {
    if (!this.#payloads) return { ...view, ...HIDDEN_JOB };
    if (this.#redactor.isIdle) return view;
    if (view.problem !== null) return { ...view, ...HIDDEN_JOB };
    const redaction = this.#redactor.begin();
    const parts = jobIn(redaction, view);
    return { ...view, ...parts, redacted: redaction.paths };
  }

  /** Its error quotes a message that is not at hand, so that nothing can be taken out of it. */
  broken(member: BrokenMember): ShownBroken {
    const hidden = this.isClosing;
    return { ...member, error: hidden ? null : member.error, hidden };
  }

  /**
   * @param where the use case, for the error
   * @throws MillraceError FORBIDDEN when the answer to a search would tell of what the asker may not see
   */
  assertMayLookFor({ key, headers, text, where = [] }: Searched, asked: string): void {
    const fields = [
      ...(key === undefined ? [] : ['key']), ...Object.keys(headers ?? {}).map((name) => `headers.${name}`),
      ...where.map(({ field }) => field),
    ];
    const closed = fields.filter((field) => this.#isClosed(field));
    // A text is looked for in the message as it is stored, where parts are not told apart.
    if (text !== undefined && this.isClosing) closed.push('text');
    if (closed.length > 0) throw forbidden(asked, closed);
  }

  #isClosed(field: string): boolean {
    if (/^(?:key$|headers\.|payload\b)/.test(field) && this.#redactor.covers(field)) return true;
    return !this.#payloads && !OPEN_FIELDS.includes(field);
  }

  #hiddenMessage(view: MessageView): MessageView {
    return { ...view, ...this.#hiddenPart(view), idempotencyKey: null };
  }

  #hiddenLetter(view: DeadLetterView): DeadLetterView {
    const { name, code, status } = view.error;
    const known = { ...(code === undefined ? {} : { code }), ...(status === undefined ? {} : { status }) };
    const error = { name, ...known, message: null, stack: null };
    return { ...view, ...this.#hiddenPart(view), error, envelope: null, ...(view.fields === undefined ? {} : { fields: null }) };
  }

  /** A part that is not there stays away. */
  #hiddenPart({ headers, found }: { readonly headers: Headers; readonly found?: unknown }): Hidden {
    const parts = { key: null, headers: this.#withoutValues(headers), payload: null, hidden: true };
    return found === undefined ? parts : { ...parts, found: null };
  }

  #withoutValues(headers: Headers): Headers {
    const traceparent = (this.#redactor.covers(TRACE) ? null : traceOf(headers)?.traceparent) ?? null;
    return Object.fromEntries(Object.keys(headers).map((name) => [name, name === 'traceparent' ? traceparent : null]));
  }
}

/** The mask that hides nothing. */
export const NO_MASK = new Mask({ payloads: true, redact: [] });

type Hidden = Pick<MessageView, 'key' | 'headers' | 'payload' | 'hidden'> & { readonly found?: null };

type Content = Pick<MessageView, 'key' | 'headers' | 'payload'>;

/** The payload and the headers first: keys and errors are made of them. */
function contentIn(redaction: Redaction, { key, headers, payload }: Content): Content {
  const shown = { payload: redaction.field('payload', payload), headers: headersIn(redaction, headers) };
  return { ...shown, key: keyIn(redaction, 'key', key) };
}

const HIDDEN_JOB = {
  data: null, options: null, idempotencyKey: null, progress: null, result: null, error: null, stacks: null,
  log: null, hidden: true,
} as const;

/** The data first: all else is made of them, or may quote them. */
function jobIn(redaction: Redaction, view: JobView): Partial<JobView> {
  const { data, result, progress, options, idempotencyKey, error, stacks, log } = view;
  const fields = { data: redaction.field('data', data), result: redaction.field('result', result) };
  const [at, chosen] = [redaction.field('progress', progress), redaction.field('options', options)];
  const line = (path: string) => (text: string): string => redaction.text(path, text);
  return {
    ...fields,
    progress: redaction.quote('progress', at),
    options: redaction.quote('options', chosen) as JobView['options'],
    idempotencyKey: keyIn(redaction, 'idempotencyKey', idempotencyKey),
    error: error === null ? null : redaction.text('error', error),
    stacks: stacks?.map(line('stacks')) ?? null,
    log: log === null ? null : { ...log, lines: log.lines.map(line('log')) },
  };
}

function headersIn(redaction: Redaction, headers: Headers): Headers {
  const shown = redaction.field('headers', headers);
  if (typeof shown !== 'string') return shown as Headers;
  return Object.fromEntries(Object.keys(headers).map((name) => [name, shown]));
}

function keyIn(redaction: Redaction, path: string, key: string | null): string | null {
  return key === null ? null : redaction.text(path, String(redaction.field(path, key)));
}

function errorIn(redaction: Redaction, path: string, error: ShownError): ShownError {
  const { message, stack, response, errors, cause } = error;
  const text = (name: string, value: string): string => redaction.text(`${path}.${name}`, value);
  const answer = `${path}.response`;
  return {
    ...error,
    ...(response === undefined ? {} : { response: redaction.quote(answer, redaction.field(answer, response)) }),
    message: message === null ? null : text('message', message),
    ...(typeof stack === 'string' ? { stack: text('stack', stack) } : {}),
    ...(errors === undefined ? {} : { errors: errors.map((each) => errorIn(redaction, `${path}.errors`, each)) }),
    ...(cause === undefined ? {} : { cause: errorIn(redaction, `${path}.cause`, cause) }),
  };
}

function forbidden(asked: string, closed: readonly string[]): MillraceError {
  return new MillraceError(
    'FORBIDDEN',
    `${asked} would look into what you may not see: ${closed.join(', ')}. A search would tell of it, so it was refused. Leave that out, or ask for the right to see it.`,
  );
}
