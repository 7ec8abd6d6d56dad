import { type Ordering, unknownName } from '@millrace/core';
import { ValidateBy, type ValidationArguments } from 'class-validator';

export type Order = Ordering['by'];
export type OnExhausted = NonNullable<Ordering['onExhausted']>;

export const ORDERS: readonly Order[] = ['key', 'partition'];

const ON_EXHAUSTED: readonly OnExhausted[] = ['dead-letter', 'park', 'stop'];

const WITHOUT_ORDER =
  "onExhausted is for groups with an order, in which messages wait for one that has failed: add ordering: 'key' or " +
  "ordering: 'partition', or leave onExhausted out";

/** One of the three ways, on a group that has an order. */
export function IsOnExhausted(): PropertyDecorator {
  return ValidateBy({
    name: 'isOnExhausted',
    validator: {
      validate: (value: unknown, given?: ValidationArguments) => isOnExhausted(value) && orderIn(given) !== undefined,
      defaultMessage: (given?: ValidationArguments) => problemOf(given?.value),
    },
  });
}

function isOnExhausted(value: unknown): value is OnExhausted {
  return ON_EXHAUSTED.some((way) => way === value);
}

function orderIn(given: ValidationArguments | undefined): unknown {
  return given ? Reflect.get(given.object, 'ordering') : undefined;
}

function problemOf(value: unknown): string {
  if (isOnExhausted(value)) return WITHOUT_ORDER;
  return typeof value === 'string' ? unknownName('onExhausted', value, ON_EXHAUSTED) : `onExhausted must be one of ${ON_EXHAUSTED.join(', ')}`;
}
