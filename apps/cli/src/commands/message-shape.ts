import type { MessageView } from '@millrace/admin';
import type { JsonOf } from '../operator/operator.js';
import { BYTES, COUNT, JSON_VALUE, LIST, MOMENT, TEXT, YES_NO } from '../output/humanise.js';
import type { Shape } from '../output/output.js';
import type { Column } from '../output/table.js';

export type Message = JsonOf<MessageView>;

const PLACE: Column<Message> = { title: 'place', form: TEXT, of: ({ partition, offset }) => `${partition}:${offset ?? '-'}` };
const CONTENT: Column<Message> = { title: 'payload', form: JSON_VALUE, of: ({ payload, problem, found }) => (problem === null ? payload : found) };

/** Messages in a list. The place is the partition and the offset. */
export const MESSAGES: Shape<Message> = {
  id: ({ id, entry }) => id ?? entry,
  columns: [
    { title: 'stored', form: MOMENT, of: ({ storedAt }) => storedAt },
    PLACE,
    { title: 'id', form: TEXT, of: ({ id }) => id },
    { title: 'key', form: TEXT, of: ({ key }) => key },
    { title: 'type', form: TEXT, of: ({ type }) => type },
    { title: 'problem', form: TEXT, of: ({ problem }) => problem },
    CONTENT,
  ],
};

/** One message. */
export const MESSAGE: Shape<Message> = {
  id: MESSAGES.id,
  columns: [
    { title: 'id', form: TEXT, of: ({ id }) => id },
    PLACE,
    { title: 'entry', form: TEXT, of: ({ entry }) => entry },
    { title: 'stored', form: MOMENT, of: ({ storedAt }) => storedAt },
    { title: 'key', form: TEXT, of: ({ key }) => key },
    { title: 'type', form: TEXT, of: ({ type }) => type },
    { title: 'schema', form: COUNT, of: ({ schema }) => schema },
    { title: 'idempotency key', form: TEXT, of: ({ idempotencyKey }) => idempotencyKey },
    { title: 'expires', form: MOMENT, of: ({ expiresAt }) => expiresAt },
    { title: 'redriven', form: COUNT, of: ({ redriven }) => redriven },
    { title: 'size', form: BYTES, of: ({ bytes }) => bytes },
    { title: 'problem', form: TEXT, of: ({ problem }) => problem },
    { title: 'hidden', form: YES_NO, of: ({ hidden }) => hidden },
    { title: 'redacted', form: LIST, of: ({ redacted }) => redacted },
    { title: 'headers', form: JSON_VALUE, of: ({ headers }) => headers },
    { ...CONTENT, isWhole: true },
  ],
};
