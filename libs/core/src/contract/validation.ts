import { getMetadataStorage, IS_OPTIONAL, validate, type ValidationArguments, ValidationTypes } from 'class-validator';
import type { ConstraintMetadata } from 'class-validator/types/metadata/ConstraintMetadata.js';
import type { ValidationMetadata } from 'class-validator/types/metadata/ValidationMetadata.js';
import { problemsOf } from '../options/problems.js';
import type { Class } from './class-shape.js';

/**
 * The problems of an instance by the rules of its class, one line each; none when it is valid. An object inside it must be of
 * a class with rules where `@ValidateNested` is; a class without any rule at the top takes everything.
 */
export function problemsIn(instance: object): string[] | Promise<string[]> {
  const checks = checksOf(instance.constructor);
  if (checks?.length === 0 || passes(instance)) return [];
  return validate(instance, { forbidUnknownValues: true }).then(problemsOf);
}

/** The rules of one property. */
export interface Check {
  readonly property: string;
  readonly conditions: readonly Condition[];
  readonly rules: readonly Rule[];
  readonly nested: boolean;
}

interface Condition {
  /** The condition of `@IsOptional`: there is a value. */
  readonly isPresence: boolean;
  readonly holds: (object: object, value: unknown) => boolean;
}

interface Rule {
  readonly applies: ((object: object, value: unknown) => boolean) | undefined;
  readonly each: boolean;
  readonly constraints: unknown[];
  readonly validators: readonly Validator[];
}

interface Validator {
  validate(value: unknown, args: ValidationArguments): unknown;
}

/**
 * Whether an object certainly keeps the rules. class-validator looks them up anew for every object, in all classes of the
 * process; that takes ten times as long as the rules themselves. It still decides when one of them is broken, or not known here.
 */
function passes(object: object): boolean {
  const type = object.constructor as Class;
  const checks = checksOf(type);
  if (checks === null || checks.length === 0) return false;
  for (const check of checks) if (!keeps(check, object, type)) return false;
  return true;
}

function keeps(check: Check, object: object, type: Class): boolean {
  const value: unknown = Reflect.get(object, check.property);
  for (const { holds } of check.conditions) if (!holds(object, value)) return true;
  const args: ValidationArguments = { value, object, property: check.property, targetName: type.name, constraints: [] };
  for (const rule of check.rules) {
    args.constraints = rule.constraints;
    if ((!rule.applies || rule.applies(object, value)) && !follows(rule, args, type)) return false;
  }
  return !check.nested || isNestedGood(value);
}

/** Whether a check looks at its value alone, or asks for the object by the arguments of its rules. */
export function isOfValue({ conditions, rules, nested }: Check): boolean {
  return !nested && conditions.every(({ isPresence }) => isPresence) && rules.every(({ applies }) => !applies);
}

/** Whether the value that `args` has certainly keeps a check {@link isOfValue}. */
export function keepsByValue(check: Check, args: ValidationArguments, type: Class): boolean {
  const value: unknown = args.value;
  if (check.conditions.length > 0 && (value === undefined || value === null)) return true;
  for (const rule of check.rules) {
    args.constraints = rule.constraints;
    if (!follows(rule, args, type)) return false;
  }
  return true;
}

function follows(rule: Rule, args: ValidationArguments, type: Class): boolean {
  const value: unknown = args.value;
  if (rule.each && isCollection(value)) return allFollow(rule, args, type);
  for (const validator of rule.validators) if (!isTrue(validator.validate(value, args), type)) return false;
  return true;
}

function allFollow({ validators }: Rule, args: ValidationArguments, type: Class): boolean {
  const items = [...(args.value as Collection).values()];
  return validators.every((validator) => items.every((item) => isTrue(validator.validate(item, args), type)));
}

function isTrue(answer: unknown, type: object): boolean {
  if (typeof answer === 'boolean' || !isPromise(answer)) return Boolean(answer);
  // Only class-validator waits for answers. It asks again, so the result of this call is not needed.
  known.set(type, null);
  answer.then(undefined, () => undefined);
  return false;
}

function isNestedGood(value: unknown): boolean {
  if (value === undefined) return true;
  if (!isCollection(value)) return value instanceof Object && passes(value);
  for (const item of value.values()) if (!isNestedGood(item)) return false;
  return true;
}

type Collection = readonly unknown[] | ReadonlySet<unknown> | ReadonlyMap<unknown, unknown>;

function isCollection(value: unknown): value is Collection {
  return Array.isArray(value) || value instanceof Set || value instanceof Map;
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}

const { CUSTOM_VALIDATION, IS_DEFINED, NESTED_VALIDATION, CONDITIONAL_VALIDATION, WHITELIST } = ValidationTypes;
const KINDS = new Set<string>([CUSTOM_VALIDATION, IS_DEFINED, NESTED_VALIDATION, CONDITIONAL_VALIDATION, WHITELIST]);

/** Null when only class-validator can decide. */
const known = new WeakMap<object, readonly Check[] | null>();

export function checksOf(type: object): readonly Check[] | null {
  const checks = known.get(type);
  if (checks !== undefined) return checks;
  const read = readChecks(type);
  known.set(type, read);
  return read;
}

function readChecks(type: object): Check[] | null {
  const storage = getMetadataStorage();
  const metadata = storage.getTargetValidationMetadatas(type as new () => object, '', false, false);
  if (!metadata.every((rule) => KINDS.has(rule.type))) return null;
  return Object.entries(storage.groupByPropertyName(metadata)).map(([property, rules]) => checkOf(property, rules));
}

function checkOf(property: string, metadata: readonly ValidationMetadata[]): Check {
  const ofKind = (kind: string): ValidationMetadata[] => metadata.filter(({ type }) => type === kind);
  return {
    property,
    conditions: ofKind(CONDITIONAL_VALIDATION).map(conditionOf),
    rules: [...ofKind(IS_DEFINED), ...ofKind(CUSTOM_VALIDATION)].map(ruleOf),
    nested: ofKind(NESTED_VALIDATION).length > 0,
  };
}

function conditionOf({ name, constraints }: ValidationMetadata): Condition {
  return { isPresence: name === IS_OPTIONAL, holds: constraints[0] as Condition['holds'] };
}

function ruleOf({ validateIf, each, constraints, constraintCls }: ValidationMetadata): Rule {
  const validators = getMetadataStorage().getTargetValidatorConstraints(constraintCls).map(validatorOf);
  return { applies: validateIf, each, constraints, validators };
}

/** A function that was given to a decorator stays the same; a class is taken from the user's container each time. */
function validatorOf(constraint: ConstraintMetadata): Validator {
  if (constraint.target.name === INLINE) return constraint.instance;
  return { validate: (value, args) => constraint.instance.validate(value, args) };
}

/** The name that class-validator gives to the class around such a function. */
const INLINE = 'CustomConstraint';
