import { ValidateBy } from 'class-validator';

const MOST_IDS = 1_000;

/**
 * The property is a list of 1 to 1,000 ids. It is one rule, so that a bad value is told once.
 *
 * @param form that of an id
 * @param message for a value that is none
 */
export function AreIds(form: RegExp, message: string): PropertyDecorator {
  return ValidateBy({
    name: 'areIds',
    validator: {
      validate: (value: unknown) => isList(value) && value.every((id) => typeof id === 'string' && form.test(id)),
      defaultMessage: () => message,
    },
  });
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length > 0 && value.length <= MOST_IDS;
}
