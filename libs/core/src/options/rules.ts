import { ValidateBy, type ValidationArguments } from 'class-validator';
import { isBackoff } from '../delivery/backoff.js';
import { durationMs, isDuration, type Duration } from '../duration.js';
import { isName, type NameKind } from '../names.js';

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

/** The property is a duration such as `'30s'`, inside the bounds. */
export function IsDurationOption(bounds: { min: Duration; max: Duration }): PropertyDecorator {
  return ValidateBy({
    name: 'isDuration',
    validator: {
      validate: (value: unknown) =>
        isDuration(value) && durationMs(value) >= durationMs(bounds.min) && durationMs(value) <= durationMs(bounds.max),
      defaultMessage: ({ property }: ValidationArguments = blank) =>
        `${property} must be a duration from '${bounds.min}' to '${bounds.max}', such as '30s'`,
    },
  });
}

/** The property is a back-off made by `fixed()` or `exponential()`. */
export function IsBackoff(): PropertyDecorator {
  return ValidateBy({
    name: 'isBackoff',
    validator: {
      validate: isBackoff,
      defaultMessage: ({ property }: ValidationArguments = blank) =>
        `${property} must come from fixed('5s') or exponential('1s', { max: '5m' })`,
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
