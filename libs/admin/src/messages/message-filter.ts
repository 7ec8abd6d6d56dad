import { IsOptional, Length, ValidateBy } from 'class-validator';
import { questionOf } from '../page/cursor.js';
import { PageOptions } from '../page/page.js';
import { type Condition, fits, isCondition } from './condition.js';
import type { MessageView } from './message-view.js';

const MOST_CONDITIONS = 10;
const LONGEST_TEXT = 1_024;

/** The messages that are wanted: all conditions hold. They are data: nothing in them is executed, and no text is a pattern. */
export class MessageFilter extends PageOptions {
  /** The id of the message. */
  @IsOptional() @Length(1, 256)
  id?: string;

  /** The key of the message. */
  @IsOptional() @Length(0, LONGEST_TEXT)
  key?: string;

  /** The type of the message. */
  @IsOptional() @Length(1, 128)
  type?: string;

  /** Headers, each with its whole value, 10 at the most. */
  @IsOptional() @AreHeaders()
  headers?: Readonly<Record<string, string>>;

  /** A text in the message as it is stored, in its payload, a header or a key: 1 to 1,024 characters, as JSON has them. */
  @IsOptional() @Length(1, LONGEST_TEXT)
  text?: string;

  /** Conditions on parts of the message, 10 at the most: `{ field: 'payload.total', op: '>', value: 100 }`. */
  @IsOptional() @AreConditions()
  where?: readonly Condition[];
}

type Filter = Pick<MessageFilter, 'id' | 'key' | 'type' | 'headers' | 'text' | 'where'>;

/** Whether a filter lets every message through. */
export function isOpen({ id, key, type, headers, text, where }: Filter): boolean {
  return [id, key, type, headers, text, where].every((part) => part === undefined);
}

/** The filter as a part of the name of a question. */
export function filterName({ id, key, type, headers, text, where }: Filter): string {
  return questionOf(id, key, type, headers, text, where);
}

/** Characters that stand for themselves in JSON, however it is written. */
const PLAIN = /^[\w.-]{1,1024}$/;

/** Whether a message as it is stored may be wanted: most are not, and need not be read to tell. */
export function mayBeWanted({ id, key, type, headers = {}, text }: Filter, envelope: string): boolean {
  if (text !== undefined && !envelope.includes(text)) return false;
  const parts = [id, key, type, ...Object.values(headers)];
  return parts.every((part) => part === undefined || !PLAIN.test(part) || envelope.includes(part));
}

/** Whether a message that {@link mayBeWanted} is wanted. An entry that cannot be read is where its text alone decides. */
export function isWanted(filter: Filter, message: MessageView): boolean {
  const { id, key, type, headers = {}, where = [] } = filter;
  if (id !== undefined && message.id !== id) return false;
  if (key !== undefined && message.key !== key) return false;
  if (type !== undefined && message.type !== type) return false;
  const own = message.headers;
  const hasHeaders = Object.entries(headers).every(([name, value]) => Object.hasOwn(own, name) && own[name] === value);
  return hasHeaders && where.every((condition) => fits(condition, message));
}

function AreHeaders(): PropertyDecorator {
  return ValidateBy({
    name: 'areHeaders',
    validator: {
      validate: (value: unknown) => {
        if (value === null || typeof value !== 'object' || Array.isArray(value)) return false;
        const entries: [string, unknown][] = Object.entries(value);
        const areTexts = entries.every(([name, text]) => name.length <= 128 && typeof text === 'string' && text.length <= LONGEST_TEXT);
        return entries.length > 0 && entries.length <= MOST_CONDITIONS && areTexts;
      },
      defaultMessage: () => 'headers must be 1 to 10 texts by the names of headers',
    },
  });
}

function AreConditions(): PropertyDecorator {
  return ValidateBy({
    name: 'areConditions',
    validator: {
      validate: (value: unknown) => {
        return Array.isArray(value) && value.length > 0 && value.length <= MOST_CONDITIONS && value.every(isCondition);
      },
      defaultMessage: () =>
        "where must be 1 to 10 conditions such as { field: 'payload.total', op: '>', value: 100 }: op is one of = != < <= > >= contains, " +
        'value a text, a number, a boolean or null',
    },
  });
}
