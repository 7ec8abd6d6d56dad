import { type Ordering, unknownName } from '@millrace/core';
import { ValidateBy, type ValidationArguments } from 'class-validator';

export type Order = Ordering['by'];
export type OnExhausted = NonNullable<Ordering['onExhausted']>;

export const ORDERS: readonly Order[] = ['key', 'partition'];

const ON_EXHAUSTED: readonly OnExhausted[] = ['dead-letter', 'park', 'stop'];

const WITHOUT_ORDER =
  "onExhausted is for groups with an order, in which messages wait for one that has failed: add ordering: 'key' or " +
  "ordering: 'partition', or leave onExhausted out";

const PARK_WITHOUT_KEYS =
  "onExhausted: 'park' puts the messages of a key aside, and with ordering: 'partition' keys mean nothing: use 'stop', or order by key";

/** One of the three ways, on a group that has an order. */
export function IsOnExhausted(): PropertyDecorator {
  return ValidateBy({
    name: 'isOnExhausted',
    validator: {
      validate: (value: unknown, given?: ValidationArguments) => problemOf(value, orderIn(given)) === null,
      defaultMessage: (given?: ValidationArguments) => problemOf(given?.value, orderIn(given)) ?? '',
    },
  });
}

function isOnExhausted(value: unknown): value is OnExhausted {
  return ON_EXHAUSTED.some((way) => way === value);
}

function orderIn(given: ValidationArguments | undefined): unknown {
  return given ? Reflect.get(given.object, 'ordering') : undefined;
}

function problemOf(value: unknown, order: unknown): string | null {
  if (isOnExhausted(value)) {
    if (order === undefined) return WITHOUT_ORDER;
    return value === 'park' && order === 'partition' ? PARK_WITHOUT_KEYS : null;
  }
  return typeof value === 'string' ? unknownName('onExhausted', value, ON_EXHAUSTED) : `onExhausted must be one of ${ON_EXHAUSTED.join(', ')}`;
}
