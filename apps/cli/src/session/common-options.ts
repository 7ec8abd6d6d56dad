import { isDuration } from '@millrace/core';
import { InvalidArgumentError, Option } from 'commander';

/** The options of every command. */
export function commonOptions(): Option[] {
  return [
    new Option('--url <url>', 'ask the HTTP API of this server (MILLRACE_URL)'),
    new Option('--token <token>', 'the token for that server (MILLRACE_TOKEN, which no list of processes shows)'),
    new Option('--redis <url>', 'work on this Redis itself (REDIS_URL, and the variables of a Cluster, of Sentinels and of TLS)'),
    new Option('--prefix <name>', 'the first part of every key in Redis (MILLRACE_PREFIX)'),
    new Option('--context <name>', 'the server or the Redis of this name'),
    new Option('--actor <name>', 'who acts, for the audit stream; default: the user and the host'),
    new Option('--request-timeout <duration>', 'how long an answer may take; default 30s').argParser(duration),
    new Option('--json', 'print one JSON document').conflicts(['jsonl', 'quiet']),
    new Option('--jsonl', 'print a line of JSON for each item').conflicts('quiet'),
    new Option('-q, --quiet', 'print names and ids alone'),
    new Option('--raw', 'print numbers, sizes and times exactly'),
  ];
}

/** The options of every command that changes something. */
export function actionOptions(): Option[] {
  return [
    new Option('--execute', 'do it: without this the command shows its effect, and stops'),
    new Option('--yes', 'ask nothing'),
  ];
}

/** A list stops behind so many items. */
export function limitOption(most: number, what = 'items'): Option {
  return new Option('-n, --limit <n>', `print so many ${what} at the most`).argParser(whole(1, 1_000_000)).default(most);
}

/** A list goes on behind what an earlier one printed. */
export function cursorOption(): Option {
  return new Option('--cursor <cursor>', 'go on where an earlier list ended');
}

/** Reads a whole number. */
export function whole(from: number, to: number): (text: string) => number {
  return (text) => {
    const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= from && value <= to) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${from} to ${to}.`);
  };
}

/** Reads a length of time. */
export function duration(text: string): string {
  if (isDuration(text)) return text;
  throw new InvalidArgumentError('It must be a length of time, such as 250ms, 30s, 5m, 2h or 7d.');
}

/** Reads how many a second: `50/s`. */
export function rate(text: string): number {
  const [, count] = /^(\d{1,6})(?:\/s)?$/.exec(text) ?? [];
  const perSecond = Number(count);
  if (perSecond >= 1 && perSecond <= 100_000) return perSecond;
  throw new InvalidArgumentError('It must be how many a second, 1/s to 100000/s.');
}
