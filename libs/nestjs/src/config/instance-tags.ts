import { hasHalfCharacter, isName } from '@millrace/core';
import { ValidateBy, type ValidationArguments } from 'class-validator';

const MOST_TAGS = 32;
const MOST_TEXTS = 32;
const LONGEST_NAME = 128;
const LONGEST_TEXT = 512;

/** The property is a list of tags. */
export function IsTagList(): PropertyDecorator {
  return ValidateBy({
    name: 'isTagList',
    validator: {
      validate: isTagList,
      defaultMessage: (given?: ValidationArguments) =>
        `${given?.property ?? 'tags'} must be a list of up to ${MOST_TAGS} tags, each 1 to 128 of the characters A-Z a-z 0-9 . _ -`,
    },
  });
}

export function isTagList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length <= MOST_TAGS && value.every((tag) => isName(tag));
}

/** The property is an object with texts. */
export function IsMetadata(): PropertyDecorator {
  return ValidateBy({
    name: 'isMetadata',
    validator: {
      validate: isMetadata,
      defaultMessage: (given?: ValidationArguments) =>
        `${given?.property ?? 'metadata'} must be an object of up to ${MOST_TEXTS} texts of up to ${LONGEST_TEXT} characters`,
    },
  });
}

function isMetadata(value: unknown): boolean {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false;
  const texts = Object.entries(value);
  return texts.length <= MOST_TEXTS && texts.every(([name, text]) => isText(name, LONGEST_NAME) && isText(text, LONGEST_TEXT));
}

function isText(value: unknown, longest: number): boolean {
  return typeof value === 'string' && value.length <= longest && !hasHalfCharacter(value);
}
