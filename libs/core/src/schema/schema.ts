/** A JSON Schema (2020-12), as OpenAPI 3.1 and AsyncAPI 3.0 have it. */
export type Schema = Readonly<Record<string, unknown>>;

type Rule = (...constraints: readonly unknown[]) => Schema;

const NAMED: Schema = { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$' };
const MOMENT: Schema = { type: 'string', format: 'date-time' };

/** The rules of class-validator, and our own, that JSON Schema has words for; others leave the value open. */
const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['isString', () => ({ type: 'string' })],
  ['isNumber', () => ({ type: 'number' })],
  ['isInt', () => ({ type: 'integer' })],
  ['isBoolean', () => ({ type: 'boolean' })],
  ['isArray', () => ({ type: 'array' })],
  ['isObject', () => ({ type: 'object' })],
  ['isDate', () => MOMENT],
  ['min', (minimum) => ({ minimum })],
  ['max', (maximum) => ({ maximum })],
  ['isPositive', () => ({ exclusiveMinimum: 0 })],
  ['isNegative', () => ({ exclusiveMaximum: 0 })],
  ['isDivisibleBy', (multipleOf) => ({ multipleOf })],
  ['minLength', (minLength) => ({ minLength })],
  ['maxLength', (maxLength) => ({ maxLength })],
  ['isLength', (minLength, maxLength) => ({ minLength, ...(maxLength === undefined ? {} : { maxLength }) })],
  ['matches', (pattern) => ({ type: 'string', ...(pattern instanceof RegExp && /^u?$/.test(pattern.flags) ? { pattern: pattern.source } : {}) })],
  ['isIn', (values) => ({ enum: values })],
  ['isEnum', (_, values) => ({ enum: values })],
  ['equals', (value) => ({ const: value })],
  ['isEmail', () => ({ type: 'string', format: 'email' })],
  ['isUrl', () => ({ type: 'string', format: 'uri' })],
  ['isUuid', () => ({ type: 'string', format: 'uuid' })],
  ['isDateString', () => ({ type: 'string' })],
  ['isIso8601', () => ({ type: 'string' })],
  ['arrayMinSize', (minItems) => ({ minItems })],
  ['arrayMaxSize', (maxItems) => ({ maxItems })],
  ['arrayNotEmpty', () => ({ minItems: 1 })],
  ['arrayUnique', () => ({ uniqueItems: true })],
  ['isWholeNumber', () => ({ type: 'integer' })],
  ['isDuration', () => ({ type: 'string', pattern: '^\\d{1,15}(\\.\\d{1,6})?(ms|s|m|h|d)$' })],
  ['isName', () => NAMED],
  ['isVisibleText', () => ({ type: 'string', minLength: 1 })],
  ['isMoment', () => MOMENT],
]);

/** @param rule the name that class-validator has for it */
export function ruleSchema(rule: string | undefined, constraints: readonly unknown[]): Schema {
  return RULES.get(rule ?? '')?.(...constraints) ?? {};
}

/** The schema of a name: that of a topic, a group, a service. */
export const NAME_SCHEMA = NAMED;
export const MOMENT_SCHEMA = MOMENT;
