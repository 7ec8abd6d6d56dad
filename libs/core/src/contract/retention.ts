import { IsBoolean, IsIn, IsOptional, ValidateBy, type ValidationArguments } from 'class-validator';
import { type Duration, durationMs } from '../duration.js';
import { parseOptions } from '../options/parse-options.js';
import { unknownName } from '../options/nearest.js';
import { IsDurationOption, IsWholeNumber } from '../options/rules.js';

const OVERFLOWS = ['reject', 'drop-oldest', 'drop-group'] as const;
/** Short for `{ settled: true }`. */
const SETTLED = 'settled';

/** How long a topic keeps its messages. Messages that a group has not settled stay in any case, unless `overflow` drops them. */
export class RetentionOptions {
  /**
   * Removes messages once every group of the topic is done with them, before the other limits ask for it: they are handled or
   * dead-lettered, or wait for another attempt, for which their text is kept apart. They go one to two seconds after that, also
   * when nothing is published any more. They stay while the topic has no group, and while an older message of their partition
   * is not done. A group without members keeps its messages: `maxMessages` or `maxBytes` bound what it can hold then.
   * `retention: 'settled'` stands for this alone. Default `false`.
   */
  @IsOptional() @IsBoolean()
  settled?: boolean = false;

  /**
   * Removes messages that are older, `'1s'` to `'3650d'`, and settled by every group. Unsettled messages are kept, and refuse no
   * publish, unless `overflow` drops them. Default: no limit.
   */
  @IsOptional() @IsDurationOption({ min: '1s', max: '3650d' })
  maxAge?: Duration;

  /** The most messages in a partition. Default: no limit. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000_000_000 })
  maxMessages?: number;

  /**
   * The most memory of a partition's log, in bytes, at least 65,536. It is measured about once a second, by samples: until
   * then there may be more. Default: no limit.
   */
  @IsOptional() @IsWholeNumber({ min: 65_536 })
  maxBytes?: number;

  /**
   * The rule for a reached limit when the oldest message is not settled:
   * - `'reject'` (default): past `maxMessages` or `maxBytes` publishes are refused with BACK_PRESSURE until there is room.
   * - `'drop-oldest'`: groups lose their oldest messages; the loss is counted and logged.
   * - `'drop-group'`: a group without a member for longer than `dropGroupAfter` loses its oldest messages; the others hold.
   */
  @IsOptional() @IsIn(OVERFLOWS)
  overflow?: (typeof OVERFLOWS)[number] = 'reject';

  /** See `overflow`: `'1s'` to `'365d'`. Default `'7d'`. */
  @IsOptional() @IsDurationOption({ min: '1s', max: '365d' })
  dropGroupAfter?: Duration = '7d';
}

/** How long a topic keeps its messages; null where there is no limit. */
export interface Retention {
  /** Whether messages go once every group is done with them. */
  readonly settled: boolean;
  readonly maxAgeMs: number | null;
  readonly maxMessages: number | null;
  readonly maxBytes: number | null;
  readonly overflow: (typeof OVERFLOWS)[number];
  readonly dropGroupAfterMs: number;
}

/** The property is a retention: its options, or `'settled'`. */
export function IsRetention(): PropertyDecorator {
  return ValidateBy({
    name: 'isRetention',
    validator: {
      validate: (value: unknown) => value === SETTLED || (typeof value === 'object' && value !== null && !Array.isArray(value)),
      defaultMessage: retentionProblem,
    },
  });
}

function retentionProblem(given?: ValidationArguments): string {
  const value: unknown = given?.value;
  if (typeof value === 'string') return unknownName('retention', value, [SETTLED]);
  return `retention must be '${SETTLED}' or an object, such as { maxAge: '7d' }`;
}

/** @throws MillraceError INVALID_OPTIONS */
export function retentionOf(raw: unknown, where: string): Retention | null {
  if (raw === undefined) return null;
  const options = parseOptions(RetentionOptions, raw === SETTLED ? { settled: true } : raw, where);
  const { maxAge, maxMessages, maxBytes }: RetentionOptions = options;
  return Object.freeze({
    settled: options.settled,
    maxAgeMs: maxAge === undefined ? null : durationMs(maxAge),
    maxMessages: maxMessages ?? null,
    maxBytes: maxBytes ?? null,
    overflow: options.overflow,
    dropGroupAfterMs: durationMs(options.dropGroupAfter),
  });
}
