import { hasHalfCharacter, isName, type MessageFilter } from '@millrace/core';
import { IsOptional, ValidateBy, type ValidationArguments } from 'class-validator';

/**
 * The messages that a handler is for: those that fit every given part; in a list of values, any one fits. All others are
 * acknowledged for the group without the handler, take no slot, and count as filtered.
 */
export class FilterOptions implements MessageFilter {
  /** `{ region: ['eu', 'us'], kind: 'x' }`. A message without the header, spelt like this, does not fit. Default: any. */
  @IsOptional() @AreHeaderValues()
  headers?: Readonly<Record<string, string | readonly string[]>>;

  /** The message's key. Default: any, and none. */
  @IsOptional() @AreValues()
  key?: string | readonly string[];

  /**
   * The message's type, as `@MessageType` has it. A type that no class of the topic has in this application is refused at boot;
   * for a topic that has no types here, any type is taken, with a warning in the log. Default: any, and none.
   */
  @IsOptional() @AreValues()
  type?: string | readonly string[];
}

function AreValues(): PropertyDecorator {
  return ValidateBy({
    name: 'areValues',
    validator: {
      validate: areValues,
      defaultMessage: (given?: ValidationArguments) => `${given?.property ?? 'it'} must be a string, or a list of one or more strings`,
    },
  });
}

function AreHeaderValues(): PropertyDecorator {
  return ValidateBy({
    name: 'areHeaderValues',
    validator: {
      validate: areHeaderValues,
      defaultMessage: () =>
        'headers must be an object with a string, or a list of one or more strings, for each header, whose name is 1 to 128 of the ' +
        'characters A-Z a-z 0-9 . _ -',
    },
  });
}

/** Headers are named like everything else. */
function areHeaderValues(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.entries(value).every(([name, values]) => isName(name) && areValues(values));
}

/** An empty list would let nothing through. */
function areValues(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 && value.every(isValue) : isValue(value);
}

/** A value that no message can have would let nothing through. */
function isValue(value: unknown): boolean {
  return typeof value === 'string' && !hasHalfCharacter(value);
}
