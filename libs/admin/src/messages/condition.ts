import type { MessageView } from './message-view.js';

const OPS = ['=', '!=', '<', '<=', '>', '>=', 'contains'] as const;

/** A condition on a part of a message. */
export interface Condition {
  /** `id`, `key`, `type`, `schema`, `headers.<name>`, or `payload.<name>.<name>`: up to 16 names, numbers for items of lists. */
  readonly field: string;
  /** An order is one of two numbers or of two texts; between others it is never fulfilled. */
  readonly op: (typeof OPS)[number];
  readonly value: string | number | boolean | null;
}

const FIELD = /^(?:id|key|type|schema|headers\.[A-Za-z0-9][A-Za-z0-9._-]{0,127}|payload(?:\.[^.]{1,128}){0,16})$/;
const LONGEST_VALUE = 1_024;

export function isCondition(value: unknown): value is Condition {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false;
  const { field, op, value: wanted, ...more } = value as Record<string, unknown>;
  const isField = typeof field === 'string' && field.length <= 2_200 && FIELD.test(field);
  return isField && OPS.some((known) => known === op) && isValue(wanted) && Object.keys(more).length === 0;
}

function isValue(value: unknown): boolean {
  if (typeof value === 'string') return value.length <= LONGEST_VALUE;
  return value === null || typeof value === 'boolean' || Number.isFinite(value);
}

/** Whether the message fulfils a condition. A part that is not there equals nothing, null included. */
export function fits({ field, op, value }: Condition, message: MessageView): boolean {
  const found = partOf(message, field);
  if (op === '=') return found === value;
  if (op === '!=') return found !== value;
  if (op === 'contains') return typeof found === 'string' && typeof value === 'string' && found.includes(value);
  return isOrdered(op, found, value);
}

function isOrdered(op: Condition['op'], found: unknown, value: unknown): boolean {
  const areNumbers = typeof found === 'number' && typeof value === 'number';
  const areTexts = typeof found === 'string' && typeof value === 'string';
  if (!areNumbers && !areTexts) return false;
  if (op === '<') return found < value;
  if (op === '<=') return found <= value;
  return op === '>' ? found > value : found >= value;
}

/** Own properties alone: a name such as `constructor` finds what the message has, and nothing else. */
function partOf(message: MessageView, field: string): unknown {
  const [root = '', ...names] = field.split('.');
  if (root === 'headers') return ownOf(message.headers, names.join('.'));
  if (root === 'payload') return names.reduce(ownOf, message.payload);
  return ownOf(message, root);
}

function ownOf(value: unknown, name: string): unknown {
  if (value === null || typeof value !== 'object' || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}
