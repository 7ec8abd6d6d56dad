import { ValidateBy, type ValidationArguments } from 'class-validator';

/** True, false, or options, which are checked by themselves. */
export function IsBooleanOrOptions(): PropertyDecorator {
  return ValidateBy({
    name: 'isBooleanOrOptions',
    validator: {
      validate: (value: unknown) => typeof value === 'boolean' || (typeof value === 'object' && value !== null && !Array.isArray(value)),
      defaultMessage: (given?: ValidationArguments) => `${given?.property ?? 'it'} must be true, false, or an object of options`,
    },
  });
}
