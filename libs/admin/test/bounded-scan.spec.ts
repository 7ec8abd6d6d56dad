import { describe, expect, it } from '@jest/globals';
import { AdminBed } from './admin-bed.js';
import { Mail, mails } from './topics.js';

const bed = new AdminBed('bounded');

const MESSAGES = 200_000;
const AT_ONCE = 20_000;
/** Entries that one call of Redis may read, and those that one script may. */
const MOST_READ = 4;
const MOST_SCRIPT = 100;

describe('a scan of 200,000 messages', () => {
  it('asks Redis for a few entries at a time, and says after each page that there may be more', async () => {
    const { publisher } = bed.application;
    for (let from = 0; from < MESSAGES; from += AT_ONCE) await publisher.publishMany(Mail, mails(AT_ONCE));
    let [cursor, scanned]: [string | undefined, number] = [undefined, 0];
    const commands = await bed.commandsOf(async () => {
      do {
        const page = await bed.admin.messages.browse({ topic: 'shop.mails' }, { text: 'nowhere', cursor });
        expect(page.items).toEqual([]);
        // Each entry has 16 messages at the most.
        expect(page.scanned).toBeLessThanOrEqual(2_000 * 16);
        expect(page.complete).toBe(page.nextCursor === null);
        scanned += page.scanned;
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined);
    });
    expect(scanned).toBe(MESSAGES);
    const reads = commands.filter(([name, key]) => (name === 'xrange' || name === 'xrevrange') && key === bed.key('shop.mails', 'log'));
    expect(reads.length).toBeGreaterThan(100);
    expect(Math.max(...reads.map((args) => Number(args[args.indexOf('COUNT') + 1])))).toBeLessThanOrEqual(MOST_READ);
    const scripts = commands.filter(([name, , keys, key]) => name === 'evalsha' && keys === '1' && key === bed.key('shop.mails', 'log'));
    expect(scripts.length).toBeGreaterThan(10);
    expect(Math.max(...scripts.map((args) => Number(args[6])))).toBeLessThanOrEqual(MOST_SCRIPT);
    // No other command reads the log, or walks through keys.
    const names = new Set(commands.map(([name]) => name));
    expect([...names].filter((name) => ['keys', 'scan', 'xread', 'hgetall', 'smembers'].includes(name!))).toEqual([]);
  });

  it('ends a call behind large entries, so that none is long', async () => {
    const { publisher } = bed.application;
    const text = 'x'.repeat(200_000);
    await publisher.publish(Mail, { number: 1 });
    const log = bed.key('shop.mails', 'log');
    for (let number = 0; number < 12; number += 1) await bed.command('XADD', log, '*', 'large', text);
    const commands = await bed.commandsOf(() => bed.admin.messages.browse({ topic: 'shop.mails' }));
    const scripts = commands.filter(([name, , keys, key]) => name === 'evalsha' && keys === '1' && key === log);
    // Two large ones are more than a call hands out, which reads four of them at the most.
    expect(scripts.length).toBeGreaterThanOrEqual(4);
  });
});

/** The commands of each run of a script whose first key is this one. */
function runsOn(key: string, commands: readonly string[][]): string[][][] {
  const runs: string[][][] = [];
  let run: string[][] | null = null;
  for (const command of commands) {
    if (/^eval(sha)?$/.test(command[0]!)) {
      run = command[3] === key ? [] : null;
      if (run !== null) runs.push(run);
    } else run?.push(command);
  }
  return runs;
}

describe('a purge', () => {
  const MESSAGES_PURGED = 2_000;
  /** Entries of one run of the script, each counted once more for each group that loses it, and its commands. */
  const MOST_WALKED = 200;
  const MOST_COMMANDS = 2 * MOST_WALKED;

  /** Groups that read nothing lose each message. */
  async function groupsThatSleep(count: number): Promise<void> {
    for (let number = 0; number < count; number += 1) {
      await (await bed.subscribe({ topic: Mail, group: `g-${number}` }, async () => undefined)).stop(1_000);
    }
  }

  it.each([0, 1, 4])('removes a few entries at a time, with %i groups that lose them', async (count) => {
    await groupsThatSleep(count);
    for (let from = 0; from < MESSAGES_PURGED; from += 100) {
      await Promise.all(mails(100).map(({ payload }) => bed.application.publisher.publish(Mail, payload)));
    }
    const log = bed.key('shop.mails', 'log');
    const entries = Number(await bed.command('XLEN', log));
    const commands = await bed.commandsOf(() => bed.application.streams.topics.purge(Mail, { unsettled: true }));
    expect(await bed.command('XLEN', log)).toBe(0);
    const runs = runsOn(log, commands);
    // Entries that are read at once are removed together.
    const most = MOST_WALKED + MOST_READ * (1 + count);
    expect(runs.length).toBeGreaterThanOrEqual((entries * (1 + count)) / most);
    expect(Math.max(...runs.map((run) => run.length))).toBeLessThanOrEqual(MOST_COMMANDS);
    const reads = runs.flat().filter(([name, key]) => name === 'xrange' && key === log);
    expect(Math.max(...reads.map((args) => Number(args[args.indexOf('COUNT') + 1])))).toBeLessThanOrEqual(MOST_READ);
  });

  it('ends a run of its script behind large entries', async () => {
    await bed.application.publisher.publish(Mail, { number: 1 });
    const log = bed.key('shop.mails', 'log');
    for (let number = 0; number < 12; number += 1) await bed.command('XADD', log, '*', 'large', 'x'.repeat(100_000));
    const commands = await bed.commandsOf(() => bed.application.streams.topics.purge(Mail));
    expect(await bed.command('XLEN', log)).toBe(0);
    expect(runsOn(log, commands).length).toBeGreaterThanOrEqual(4);
  });
});
