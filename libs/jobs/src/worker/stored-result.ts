import { emit, errorRecord, MillraceError } from '@millrace/core';
import type { Job } from 'bullmq';

/** The largest result: as many completed jobs as the retention says are kept, each with its result. */
const MAX_RESULT_BYTES = 65_536;

/**
 * The form in which a handler's result is stored as the job's return value: its JSON, up to 64 KiB. The work is done by then, and
 * another attempt would change nothing: a result that cannot be stored leaves the return value empty, and `result-dropped` is
 * emitted.
 */
export function storedResult(job: Job, returned: unknown): unknown {
  if (returned === undefined) return undefined;
  try {
    return JSON.parse(boundedText(returned));
  } catch (thrown) {
    emit('result-dropped', { queue: job.queueName, messageId: job.id ?? '', error: errorRecord(thrown) });
    return undefined;
  }
}

/** @throws MillraceError UNSERIALIZABLE_PAYLOAD, PAYLOAD_TOO_LARGE */
function boundedText(returned: unknown): string {
  const text = jsonOf(returned) ?? 'null';
  const bytes = Buffer.byteLength(text);
  if (bytes <= MAX_RESULT_BYTES) return text;
  throw new MillraceError(
    'PAYLOAD_TOO_LARGE',
    `The handler returned ${bytes} bytes of JSON; up to ${MAX_RESULT_BYTES} are stored as a job's return value. The job is completed ` +
      'without it: store large results elsewhere and return where they are.',
  );
}

/** @returns undefined for a value that has no JSON, such as a function */
function jsonOf(returned: unknown): string | undefined {
  try {
    return JSON.stringify(returned);
  } catch (cause) {
    throw new MillraceError(
      'UNSERIALIZABLE_PAYLOAD',
      'The handler returned what cannot be written as JSON, so the job is completed without a return value: return plain data, or nothing.',
      { cause },
    );
  }
}
