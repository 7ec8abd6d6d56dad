/** Tells the process that started this one. A pipe is written to synchronously: kill -9 loses no line. */
export function say(...words: readonly (string | number)[]): void {
  process.stdout.write(`${words.join(' ')}\n`);
}

/** Microseconds of the clock that all processes of this machine share. */
export function moment(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

/** Calls `stop` at SIGTERM, and tells the counters of what has stopped. */
export function stopAtSigterm(stop: () => Promise<object>): void {
  process.once('SIGTERM', () => void stop().then((counters) => say('stopped', JSON.stringify(counters))));
}
