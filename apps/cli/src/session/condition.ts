import type { Condition } from '@millrace/admin';
import { InvalidArgumentError } from 'commander';

/** The longer ones before those that they begin with. */
const OPERATORS = ['!=', '<=', '>=', '=', '<', '>'] as const;
const FIELD = /^(?:id|key|type|schema|headers\.[A-Za-z0-9][A-Za-z0-9._-]*|payload(?:\.[^.\s]+)*)$/;
const NUMBER = /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i;
const WORDS: ReadonlyMap<string, true | false | null> = new Map<string, true | false | null>([['true', true], ['false', false], ['null', null]]);

/** Signs of operators of other languages, as == and =~, and of texts that would be taken for them. */
const SIGN = /^\s*[=<>!~]/;
const NO_OPERATOR = 'the operators are = != < <= > >= and contains; a text that begins with one of = < > ! ~ stands in quotes, as "=a"';

/**
 * Reads a condition, `payload.total>100`: a field, one of `= != < <= > >= contains`, and a value. A value is a number, `true`,
 * `false`, `null`, or text: as it stands, or as a JSON text in quotes, which one has to be that begins as an operator does.
 *
 * @throws InvalidArgumentError that shows the place of the fault
 */
export function condition(text: string, earlier: readonly Condition[] = []): Condition[] {
  const found = operatorIn(text);
  if (found === null) throw fault(text, text.length, 'there is no = != < <= > >= or contains in it');
  const field = text.slice(0, found.at).trim();
  if (/[~:]$/.test(field)) throw fault(text, found.at - 1, NO_OPERATOR);
  if (!FIELD.test(field)) throw fault(text, 0, 'a field is id, key, type, schema, headers.<name> or payload.<name>');
  if (found.op !== 'contains' && SIGN.test(text.slice(found.at + found.length))) throw fault(text, found.at, NO_OPERATOR);
  return [...earlier, { field, op: found.op, value: valueIn(text, found.at + found.length) }];
}

interface Found {
  readonly op: Condition['op'];
  readonly at: number;
  readonly length: number;
}

function operatorIn(text: string): Found | null {
  const [word] = /\scontains(?=\s)/.exec(text) ?? [];
  const wordAt = word === undefined ? -1 : text.indexOf(word);
  const signAt = text.search(/[=<>!]/);
  if (wordAt >= 0 && (signAt < 0 || wordAt < signAt)) return { op: 'contains', at: wordAt, length: word!.length };
  const op = OPERATORS.find((sign) => signAt >= 0 && text.startsWith(sign, signAt));
  return op === undefined ? null : { op, at: signAt, length: op.length };
}

function valueIn(text: string, from: number): Condition['value'] {
  const value = text.slice(from).trim();
  const at = text.indexOf(value, from);
  if (value === '') throw fault(text, text.length, 'there is no value behind it; an empty text is ""');
  if (value.startsWith('"')) return quotedIn(text, value, at);
  if (NUMBER.test(value)) return Number(value);
  return WORDS.has(value) ? WORDS.get(value)! : value;
}

function quotedIn(text: string, value: string, at: number): string {
  try {
    const parsed: unknown = JSON.parse(value);
    if (typeof parsed === 'string') return parsed;
  } catch {
    // The fault is told below.
  }
  throw fault(text, at, 'a text that begins with a quote ends with one, and is written as in JSON');
}

function fault(text: string, at: number, what: string): InvalidArgumentError {
  return new InvalidArgumentError(`At character ${at + 1}, ${at < text.length ? `before ${text.slice(at)}` : 'the end'}: ${what}.`);
}
