import { spawn } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { runningProcesses, waitFor } from '@millrace/testing';
import { CliBed, COMPILED_MAIN, rowsOf } from './cli-bed.js';
import { onTerminal } from './run-here.js';
import { HOSTILE, Mail, mails, Order, STEERING } from './topics.js';

const bed = new CliBed('top');

const [ENTER, LEAVE] = ['\u001B[?1049h', '\u001B[?1049l'];

async function behind(): Promise<void> {
  await bed.publisher.publishMany(Mail, mails(3));
  await bed.giveUp(Mail, 'billing', new Error(HOSTILE));
  await (await bed.subscribe(Order, 'stock', () => Promise.resolve())).stop(500);
  await bed.publisher.publishMany(Mail, mails(2));
}

/** `millrace top` on a real terminal of 100 by 10. */
class OnTerminal {
  text = '';
  readonly #child;
  readonly ended: Promise<number | null>;

  constructor() {
    const line = `stty cols 100 rows 10; exec ${process.execPath} ${COMPILED_MAIN} top`;
    this.#child = spawn('script', ['-qefc', line, '/dev/null'], { env: { ...bed.env, NO_COLOR: '1', TERM: 'xterm' } });
    this.#child.stdout.on('data', (chunk: Buffer) => (this.text += chunk.toString()));
    this.ended = new Promise((resolve) => this.#child.once('close', resolve));
  }

  shows(text: string): Promise<unknown> {
    return waitFor(() => this.text.includes(text), { what: `the terminal to show ${text}`, timeoutMs: 30_000 });
  }

  press(key: string): void {
    this.#child.stdin.write(key);
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    const own = (await runningProcesses()).find(({ parent }) => parent === this.#child.pid);
    process.kill(own!.pid, signal);
  }
}

describe('millrace top', () => {
  it('prints one table where there is no terminal, and with --once', async () => {
    await behind();
    const { code, stdout } = await bed.run(['top']);
    expect(code).toBe(0);
    expect(rowsOf(stdout)).toMatchObject([{ GROUP: 'billing', 'LAG': '2', 'IN/S': '0', 'DEAD LETTERS': '3' }, { GROUP: 'stock', LAG: '0' }]);
    expect(await bed.json(['top', '--once'])).toMatchObject({ items: [{ group: 'billing', outPerSecond: 0 }, { group: 'stock' }] });
    const once = await onTerminal(['top', '--once'], { env: { ...bed.env, NO_COLOR: '1' } });
    expect([once.code, STEERING.test(once.stdout)]).toEqual([0, false]);
  });

  it('is drawn again on a terminal, sorts by keys, and ends with q', async () => {
    await behind();
    const top = new OnTerminal();
    await top.shows('2 topics, 2 groups, lag 2, dead letters 3, sorted by lag');
    await bed.publisher.publishMany(Mail, mails(4));
    await top.shows('lag 6');
    top.press('n');
    await top.shows('sorted by name');
    expect(top.text).toContain(ENTER);
    expect(top.text).not.toContain(LEAVE);
    top.press('q');
    expect(await top.ended).toBe(0);
    expect(top.text.split(LEAVE)).toHaveLength(2);
  });

  it.each([['Ctrl-C', null, 130], ['SIGTERM', 'SIGTERM', 143], ['SIGINT', 'SIGINT', 130]] as const)('gives the terminal back after %s', async (_what, signal, code) => {
    await behind();
    const top = new OnTerminal();
    await top.shows('sorted by lag');
    if (signal === null) top.press('\u0003');
    else await top.kill(signal);
    expect(await top.ended).toBe(code);
    expect(top.text).toContain(LEAVE);
  });
});
