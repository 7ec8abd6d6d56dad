import { hostname } from 'node:os';
import { hasHalfCharacter, isName, MillraceError, quote } from '@millrace/core';
import { contractDigest } from './contract-digest.js';
import { DEFAULT_WEIGHT, INSTANCE_BOUNDS, type Instance, type InstanceDefinition, MEMBER_PATTERN, type MethodSummary } from './instance.js';
import { textOf } from './instance-text.js';

const STARTED_AT = Date.now();

/**
 * An instance of this process.
 *
 * @throws MillraceError INVALID_INPUT with everything that is wrong
 */
export function newInstance(definition: InstanceDefinition): Instance {
  const { service, version, member, metadata = {}, weight = DEFAULT_WEIGHT, tags = [], draining = false } = definition;
  const methods = new Map(Object.entries(definition.methods));
  const problems = [
    ...namesIn({ service, version, member }),
    ...problemsOfMethods(methods),
    ...problemsOfMetadata(Object.entries(metadata)),
    ...problemsOfTags(tags),
    ...(isWhole(weight, INSTANCE_BOUNDS.weight) ? [] : [`weight: ${String(weight)} is not a whole number from 1 to ${INSTANCE_BOUNDS.weight}.`]),
    ...(typeof draining === 'boolean' ? [] : ['draining: it is neither true nor false.']),
  ];
  if (problems.length > 0) throw refused(service, problems);
  const instance: Instance = {
    service, version, member, methods, weight, draining,
    contract: contractDigest(methods), metadata: new Map(Object.entries(metadata)), tags: [...tags],
    host: hostname().slice(0, INSTANCE_BOUNDS.host), pid: process.pid, startedAt: STARTED_AT,
  };
  const bytes = Buffer.byteLength(textOf(instance));
  if (bytes <= INSTANCE_BOUNDS.textBytes) return instance;
  throw refused(service, [`It takes ${bytes} bytes, and ${INSTANCE_BOUNDS.textBytes} are allowed: name fewer methods, or less metadata.`]);
}

function namesIn({ service, version, member }: Pick<Instance, 'service' | 'version' | 'member'>): string[] {
  return [
    ...(isName(service) ? [] : [`service: ${quote(service)} is no name: use 1 to 128 of the characters A-Z a-z 0-9 . _ -.`]),
    ...(isName(version) ? [] : [`version: ${quote(version)} is no name: use 1 to 128 of the characters A-Z a-z 0-9 . _ -.`]),
    ...(MEMBER_PATTERN.test(member) ? [] : [`member: ${quote(member)} is no name of a member: take that which the presence gives.`]),
  ];
}

function problemsOfMethods(methods: ReadonlyMap<string, MethodSummary>): string[] {
  const { timeoutMs: longest, digestLength } = INSTANCE_BOUNDS;
  const wrong = [...methods].filter(([name, { idempotent, timeoutMs, digest }]) =>
    !isName(name) || typeof idempotent !== 'boolean' || !isWhole(timeoutMs, longest) || !isText(digest, digestLength) || !VISIBLE.test(digest));
  return [
    ...(methods.size <= INSTANCE_BOUNDS.methods ? [] : [`methods: there are ${methods.size}, and ${INSTANCE_BOUNDS.methods} are allowed.`]),
    ...wrong.map(([name]) => `methods: ${quote(name)} needs a name, idempotent, timeoutMs from 1, and a digest of visible characters, up to ${digestLength}.`),
  ];
}

function problemsOfMetadata(pairs: readonly (readonly [string, unknown])[]): string[] {
  const { metadata, metadataName, metadataValue } = INSTANCE_BOUNDS;
  const wrong = pairs.filter(([name, value]) => !isText(name, metadataName) || !isText(value, metadataValue));
  return [
    ...(pairs.length <= metadata ? [] : [`metadata: there are ${pairs.length} values, and ${metadata} are allowed.`]),
    ...wrong.map(([name]) => `metadata: ${quote(name)} is no name of up to ${metadataName} with a text of up to ${metadataValue} characters.`),
  ];
}

function problemsOfTags(tags: readonly unknown[]): string[] {
  const { tags: most, tag: longest } = INSTANCE_BOUNDS;
  if (Array.isArray(tags) && tags.length <= most && tags.every((tag) => isText(tag, longest))) return [];
  return [`tags: use a list of up to ${most} texts of up to ${longest} characters.`];
}

const VISIBLE = /^[!-~]*$/;

function isText(value: unknown, longest: number): boolean {
  return typeof value === 'string' && value.length <= longest && !hasHalfCharacter(value);
}

function isWhole(value: unknown, most: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= most;
}

function refused(service: unknown, problems: readonly string[]): MillraceError {
  return new MillraceError('INVALID_INPUT', `The instance of service ${quote(service)} cannot be registered:`, { problems });
}
