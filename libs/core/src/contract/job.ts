import 'reflect-metadata';
import { IsOptional } from 'class-validator';
import { type CurveBackoff, exponential } from '../delivery/backoff.js';
import { MillraceError } from '../errors.js';
import { assertName } from '../names.js';
import { parseOptions } from '../options/parse-options.js';
import { IsCurveBackoff, IsName, IsOneOf, IsWholeNumber } from '../options/rules.js';
import { classText, orInACircle } from './no-class.js';
import { replacedClassHint } from './replaced-class.js';
import type { PayloadClass } from './topic.js';
import { UNKNOWN_PROPERTIES, type UnknownProperties } from './unknown-properties.js';

/** Options of `@Job`: its second argument. */
export class JobOptions {
  /** The queue that carries the job: `@JobHandler`s of one queue share its workers. Required. */
  @IsName('queue')
  queue!: string;

  /** Attempts in all, 1 to 1000. Default 5. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000 })
  attempts?: number = 5;

  /** `fixed()` or `exponential()`. Default `exponential('1s', { max: '5m' })`. */
  @IsOptional() @IsCurveBackoff()
  backoff?: CurveBackoff = exponential('1s', { max: '5m' });

  /**
   * The rule for properties that the class does not declare: `'refuse'`, `'strip'` or `'keep'`. Default: the option of
   * `MillraceModule`, else `'refuse'`.
   */
  @IsOptional() @IsOneOf(UNKNOWN_PROPERTIES)
  unknownProperties?: UnknownProperties;
}

export interface JobDefinition {
  readonly name: string;
  readonly queue: string;
  readonly attempts: number;
  readonly backoff: CurveBackoff;
  /** The rule for properties that the class does not declare; undefined: that of the process. */
  readonly unknownProperties: UnknownProperties | undefined;
  readonly payload: PayloadClass;
}

const JOB = Symbol('millrace:job');

/**
 * Makes a class a job: its name, its queue, its type, its validation.
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS
 */
export function Job<T extends object>(name: string, options: JobOptions): (target: PayloadClass<T>) => void {
  assertName('job', name);
  const { queue, attempts, backoff, unknownProperties } = parseOptions(JobOptions, options, `@Job('${name}')`);
  return (target) => {
    const definition: JobDefinition = { name, queue, attempts, backoff, unknownProperties, payload: target };
    Reflect.defineMetadata(JOB, Object.freeze(definition), target);
  };
}

/** @throws MillraceError NOT_A_JOB */
export function jobOf(target: unknown): JobDefinition {
  const definition: unknown = typeof target === 'function' ? Reflect.getOwnMetadata(JOB, target) : undefined;
  if (definition) return definition as JobDefinition;
  const advice = orInACircle("put @Job('its-name', { queue: '...' }) on the class of the payload.", target);
  throw new MillraceError('NOT_A_JOB', `${classText(target)} is not a job: ${advice}${replacedClassHint(target, isJob)}`);
}

export function isJob(target: unknown): target is PayloadClass {
  return typeof target === 'function' && Reflect.hasOwnMetadata(JOB, target);
}
