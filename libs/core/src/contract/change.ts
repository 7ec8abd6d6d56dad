import { MillraceError } from '../errors.js';
import { quote } from '../names.js';
import { type Path, pathText } from './payload-inspector.js';

/** A value that would be delivered as another one than was given. */
export interface Change {
  readonly path: Path;
  readonly given: unknown;
  readonly delivered: unknown;
}

const MAX_LINES = 50;

interface Beside {
  /** The other problems of the payload. */
  readonly others?: readonly string[];
  /** The last sentence. Default: it goes by the changes. */
  readonly advice?: string;
}

/** @param changes at least one */
export function changedError(where: string, changes: readonly Change[], beside: Beside = {}): MillraceError {
  const { others = [], advice = adviceFor(changes) } = beside;
  // A list may hold a hundred thousand of them.
  const lines = changes.slice(0, MAX_LINES).map(({ path, given, delivered }) => {
    return `${pathText(path)} is ${described(given)}, but would be delivered as ${deliveredAs(given, delivered)}`;
  });
  const all = [...lines, ...others];
  if (all.length === 1) return new MillraceError('UNSERIALIZABLE_PAYLOAD', `${where}: ${all[0]!}. ${advice}`);
  const problems = all.slice(0, MAX_LINES);
  return new MillraceError('UNSERIALIZABLE_PAYLOAD', `${where}: the payload would be delivered as another one. ${advice}`, { problems });
}

function adviceFor(changes: readonly Change[]): string {
  return changes.some(({ given }) => isForeign(given)) ? MAKE_AGAIN : GIVE_IT_SO;
}

const MAKE_AGAIN =
  'Publish what JSON has in its place, or have the class make it again: @Type(() => Date) for a Date, @Transform for others.';
const GIVE_IT_SO = 'Publish what the class makes of it, or correct the @Type, the @Transform or the accessor that changes it.';

/** JSON has no word for it. */
export function isForeign(value: unknown): boolean {
  return typeof value === 'bigint' || (typeof value === 'object' && value !== null && !PLAIN.has(kindOf(value)));
}

const PLAIN: ReadonlySet<string> = new Set(['Object', 'Array']);

function described(value: unknown): string {
  return typeof value === 'bigint' || (typeof value === 'object' && value !== null) ? `a ${kindOf(value)}` : shown(value);
}

function deliveredAs(given: unknown, delivered: unknown): string {
  if (typeof given === 'object' && given !== null) return kindOf(given) === kindOf(delivered) ? another(given) : kindOf(delivered);
  if (typeof given === 'bigint' && typeof delivered !== 'bigint') return kindOf(delivered);
  return shown(delivered);
}

function another(given: object): string {
  return given instanceof Map && [...given.keys()].some((key) => typeof key !== 'string') ? 'one with text for its keys' : 'another one';
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `the text ${quote(value)}`;
  if (value instanceof Date) return `a Date, ${Number.isNaN(value.getTime()) ? 'an invalid one' : value.toISOString()}`;
  if (typeof value === 'function') return 'a method of the class';
  return typeof value === 'object' && value !== null ? `a ${kindOf(value)}` : String(value);
}

/** `Date`, `Map`, `BigInt`, `String`, `Null`, ... */
export function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}
