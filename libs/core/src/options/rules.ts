import { ValidateBy, type ValidationArguments } from 'class-validator';
import { isBackoff, isCurveBackoff } from '../delivery/backoff.js';
import { isPosition } from '../delivery/position.js';
import { durationMs, isDuration, type Duration } from '../duration.js';
import { isName, type NameKind, quote } from '../names.js';
import { unknownName } from './nearest.js';
import { isDurability } from '../publish/durability.js';

/** The property is a function. */
export function IsFunction(): PropertyDecorator {
  return ValidateBy({
    name: 'isFunction',
    validator: {
      validate: (value: unknown) => typeof value === 'function',
      defaultMessage: ({ property }: ValidationArguments = blank) => `${property} must be a function`,
    },
  });
}

/** The least and the most that an option takes; without a most, whatever a number can count. */
export interface NumberBounds {
  readonly min: number;
  readonly max?: number;
}

/** The property is a whole number inside the bounds. */
export function IsWholeNumber({ min, max = Number.MAX_SAFE_INTEGER }: NumberBounds): PropertyDecorator {
  return ValidateBy({
    name: 'isWholeNumber',
    validator: {
      validate: (value: unknown) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max,
      defaultMessage: (given: ValidationArguments = blank) => numberProblem(given, { min, max }),
    },
  });
}

function numberProblem(given: ValidationArguments, { min, max }: Required<NumberBounds>): string {
  const { property } = given;
  const value: unknown = given.value;
  if (Number.isInteger(value)) return `${property} must not be ${Number(value) < min ? `less than ${min}` : `greater than ${max}`}`;
  const range = max === Number.MAX_SAFE_INTEGER ? `, at least ${min}` : ` from ${min} to ${max}`;
  return `${property} must be a whole number${range}${typeof value === 'string' ? `, not the text ${quote(value)}` : ''}`;
}

/** The shortest and the longest that an option takes. */
export interface DurationBounds {
  readonly min: Duration;
  readonly max: Duration;
}

export function isDurationWithin(value: unknown, bounds: DurationBounds): boolean {
  return isDuration(value) && durationMs(value) >= durationMs(bounds.min) && durationMs(value) <= durationMs(bounds.max);
}

/** The property is a duration such as `'30s'`, inside the bounds. */
export function IsDurationOption(bounds: DurationBounds): PropertyDecorator {
  return ValidateBy({
    name: 'isDuration',
    validator: {
      validate: (value: unknown) => isDurationWithin(value, bounds),
      defaultMessage: ({ property }: ValidationArguments = blank) =>
        `${property} must be a duration from '${bounds.min}' to '${bounds.max}', such as '30s'`,
    },
  });
}

/** The property is a back-off made by `fixed()`, `exponential()` or `custom()`. */
export function IsBackoff(): PropertyDecorator {
  return ValidateBy({
    name: 'isBackoff',
    validator: {
      validate: isBackoff,
      defaultMessage: ({ property }: ValidationArguments = blank) =>
        `${property} must come from fixed('5s'), exponential('1s', { max: '5m' }) or custom(() => '5s')`,
    },
  });
}

/** The property is a back-off made by `fixed()` or `exponential()`. */
export function IsCurveBackoff(): PropertyDecorator {
  return ValidateBy({
    name: 'isCurveBackoff',
    validator: {
      validate: isCurveBackoff,
      defaultMessage: ({ property }: ValidationArguments = blank) =>
        `${property} must come from fixed('5s') or exponential('1s', { max: '5m' })`,
    },
  });
}

/** A moment as rules name it: such an option comes from TypeScript, or over HTTP, where there is no Date. */
export const A_MOMENT = 'a valid Date (over HTTP an ISO 8601 time with its zone: "2026-12-24T18:00:00Z")';

/** The property is a position in a topic. */
export function IsPosition(): PropertyDecorator {
  return ValidateBy({
    name: 'isPosition',
    validator: {
      validate: isPosition,
      defaultMessage: ({ property }: ValidationArguments = blank) =>
        `${property} must be 'earliest', 'latest', ${A_MOMENT} from 1970 on, or { "offset": 42 }`,
    },
  });
}

/** The property is a moment: a valid Date from 1970 on, which is an ISO 8601 time over HTTP. */
export function IsMoment(): PropertyDecorator {
  return ValidateBy({
    name: 'isMoment',
    validator: {
      validate: (value: unknown) => value instanceof Date && value.getTime() >= 0,
      defaultMessage: ({ property }: ValidationArguments = blank) => `${property} must be ${A_MOMENT} from 1970 on`,
    },
  });
}

/** The property is a text of visible characters, 1 to `most` of them. */
export function IsVisibleText(most: number): PropertyDecorator {
  return ValidateBy({
    name: 'isVisibleText',
    validator: {
      validate: (value: unknown) => typeof value === 'string' && value.length <= most && /^\P{C}+$/u.test(value),
      defaultMessage: ({ property }: ValidationArguments = blank) => `${property} must be a text of 1 to ${most} visible characters`,
    },
  });
}

/** The property is a durability. */
export function IsDurability(): PropertyDecorator {
  return ValidateBy({
    name: 'isDurability',
    validator: {
      validate: isDurability,
      defaultMessage: ({ property }: ValidationArguments = blank) =>
        `${property} must be 'server', or come from replicated(1, '500ms') or fsynced('1s')`,
    },
  });
}

/** The property is one of a few words; the error for another word names the nearest. */
export function IsOneOf(words: readonly string[]): PropertyDecorator {
  return ValidateBy({
    name: 'isOneOf',
    validator: {
      validate: (value: unknown) => words.some((word) => word === value),
      defaultMessage: (given: ValidationArguments = blank) =>
        typeof given.value === 'string'
          ? unknownName(given.property, given.value, words)
          : `${given.property} must be one of ${words.join(', ')}`,
    },
  });
}

/** The property is a name: 1 to 128 of `A-Z a-z 0-9 . _ -`. */
export function IsName(kind: NameKind): PropertyDecorator {
  return ValidateBy({
    name: 'isName',
    validator: {
      validate: isName,
      defaultMessage: ({ property }: ValidationArguments = blank) =>
        `${property} must be the name of a ${kind}: 1 to 128 of the characters A-Z a-z 0-9 . _ -, beginning with a letter or a digit`,
    },
  });
}

const blank: ValidationArguments = { property: 'value', value: undefined, object: {}, targetName: '', constraints: [] };
