import { getMetadataStorage, validateSync } from 'class-validator';
import { MillraceError } from '../errors.js';
import { unknownName } from './nearest.js';
import { problemsOf } from './problems.js';

/** Unknown names that are told: each is compared with all known ones, so that thousands of them would take seconds. */
const MOST_UNKNOWN = 20;

/** Options as they are after defaults were filled in: what is optional to write is there to read when it has a default. */
export type Parsed<T> = { [K in keyof T]-?: undefined extends T[K] ? Exclude<T[K], undefined> : T[K] };

/**
 * Fills in the defaults of an options class and checks it: all problems at once, unknown names with the nearest known
 * one. The class is the schema: its field initialisers are the defaults, its decorators the rules. An option that is
 * undefined counts as left out; null is a problem, because no rule after `@IsOptional` looks at it.
 *
 * @param where what is being configured, for the error: `@Topic('shop.orders')`
 * @throws MillraceError INVALID_OPTIONS
 */
export function parseOptions<T extends object>(type: new () => T, raw: unknown, where: string): Parsed<T> {
  if (raw === null || typeof raw !== 'object' || Array.isArray(raw)) {
    throw new MillraceError('INVALID_OPTIONS', `${where}: the options must be an object.`);
  }
  const given = Object.entries(raw).filter(([, value]) => value !== undefined);
  const known = propertiesOf(type);
  const strange = given.map(([name]) => name).filter((name) => !known.includes(name));
  const untold = new Set(strange.slice(MOST_UNKNOWN));
  const problems = given.flatMap(([name, value]) => (untold.has(name) ? [] : problemOfEntry(name, value, known)));
  if (untold.size > 0) problems.push(`${untold.size} more names are not known`);
  const options = new type();
  for (const [name, value] of given) if (value !== null && known.includes(name)) Reflect.set(options, name, value);
  problems.push(...problemsOf(validateSync(options, { forbidUnknownValues: false })));
  if (problems.length > 0) throw new MillraceError('INVALID_OPTIONS', `${where} is not configured well.`, { problems });
  return options as Parsed<T>;
}

/** The names of the properties that carry a rule. */
export function propertiesOf(type: new () => object): string[] {
  const metadata = getMetadataStorage().getTargetValidationMetadatas(type, '', false, false);
  return [...new Set(metadata.map(({ propertyName }) => propertyName))];
}

function problemOfEntry(name: string, value: unknown, known: readonly string[]): string[] {
  if (!known.includes(name)) return [unknownName('option', name, known)];
  return value === null ? [`${name} must not be null: leave it out instead`] : [];
}
