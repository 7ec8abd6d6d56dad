import { ConsoleLogger, type ConsoleLoggerOptions } from '@nestjs/common';

/** Parts of a line, beside its text. */
export type LogFields = Readonly<Record<string, string | number | undefined>>;

/** Those of the line that is being written: a logger is called, and returns, within {@link withFields}. */
let present: LogFields = {};

/** Lets loggers that write JSON have the parts of the line that `write` writes. */
export function withFields(fields: LogFields, write: () => void): void {
  present = fields;
  try {
    write();
  } finally {
    present = {};
  }
}

type Line = Parameters<ConsoleLogger['getJsonLogObject']>;

/**
 * Nest's logger with a JSON document for each line. The line of a failed attempt has its parts as well: `topic`, `group` and
 * `partition`, or `queue`, and `messageId`, `attempt`, `outcome`, `delayMs`, `errorCode` (or the name of the error) and
 * `traceId`, where there is one.
 */
export class JsonLogger extends ConsoleLogger {
  constructor(options: Omit<ConsoleLoggerOptions, 'json'> = {}) {
    super({ ...options, json: true });
  }

  /** Those of Nest win. */
  protected override getJsonLogObject(...line: Line): ReturnType<ConsoleLogger['getJsonLogObject']> {
    return { ...present, ...super.getJsonLogObject(...line) };
  }
}
