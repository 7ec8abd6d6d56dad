import { MillraceError } from '@millrace/core';

/** The format of the logs that this code writes and reads; the same number is in `include/entry-id.lua`. */
const LOG_FORMAT = 2;

/** The error in a reply of a script that found a log of another format, and did nothing; null in any other reply. */
export function formatError(log: string, reply: unknown): MillraceError | null {
  const [, format] = /^FORMAT (\d+)$/.exec(String(reply)) ?? [];
  return format === undefined ? null : unsupported(log, Number(format));
}

function unsupported(log: string, format: number): MillraceError {
  const keys = log.replace(/\d+\}:log$/, '');
  const advice =
    format < LOG_FORMAT
      ? `It was written by an earlier version of Millrace: give this one another prefix, or remove all keys that begin with ${keys}, and with ` +
        'them what the topic holds.'
      : 'It was written by a later version of Millrace: upgrade this process.';
  return new MillraceError(
    'UNSUPPORTED_VERSION',
    `The log at ${log} has version ${format} of the storage format; this process reads and writes ${LOG_FORMAT} alone. Nothing was changed. ${advice}`,
  );
}
