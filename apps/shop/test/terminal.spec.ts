import { describe, expect, test } from '@jest/globals';
import { Cleanup } from '../src/demo/cleanup.js';
import { StallWatch } from '../src/demo/stall-watch.js';
import { Terminal, type TextSink } from '../src/demo/terminal.js';

class Sink implements TextSink {
  text = '';

  constructor(
    readonly isTTY: boolean,
    readonly columns?: number,
  ) {}

  write(text: string): void {
    this.text += text;
  }
}

describe('the terminal', () => {
  test('draws a bar that moves, and keeps it below what is said', () => {
    const tty = new Sink(true, 80);
    const terminal = new Terminal(tty);
    terminal.progress(0.5, 'half');
    terminal.say('a line');
    terminal.progress(1, 'all');
    terminal.endProgress();
    expect(tty.text).toBe(
      `${'█'.repeat(12)}${'░'.repeat(12)}  50%  half` +
        `\r\u001B[Ka line\n${'█'.repeat(12)}${'░'.repeat(12)}  50%  half` +
        `\r\u001B[K${'█'.repeat(24)} 100%  all\n`,
    );
  });

  test('never draws more than a line', () => {
    const tty = new Sink(true, 30);
    new Terminal(tty).progress(0, 'x'.repeat(100));
    expect(tty.text).toHaveLength(29);
  });

  test('writes plain lines where there is none, one for each tenth', () => {
    const pipe = new Sink(false);
    const terminal = new Terminal(pipe);
    for (let done = 0; done <= 100; done += 1) terminal.progress(done / 100, `${done} done`);
    terminal.endProgress();
    expect(pipe.text.split('\n').filter(Boolean)).toHaveLength(11);
    expect(['\r', '\u001B', '█'].filter((mark) => pipe.text.includes(mark))).toEqual([]);
  });

  test('shows control characters, and does not obey them', () => {
    const pipe = new Sink(false);
    new Terminal(pipe).say('orders\u001B[2J\r\u0007\u009B.csv');
    expect(pipe.text).toBe('orders\uFFFD[2J\uFFFD\uFFFD\uFFFD.csv\n');
  });
});

describe('the stall watch', () => {
  test('tells when nothing has moved for longer than its limit', () => {
    const watch = new StallWatch(1_000);
    expect(watch.isStuck({ lag: 5 }, 0)).toBe(false);
    expect(watch.isStuck({ lag: 5 }, 1_000)).toBe(false);
    expect(watch.isStuck({ lag: 4 }, 1_500)).toBe(false);
    expect(watch.isStuck({ lag: 4 }, 2_500)).toBe(false);
    expect(watch.isStuck({ lag: 4 }, 2_501)).toBe(true);
  });
});

describe('cleaning up', () => {
  test('undoes the last first, and goes on after a failure, which it tells', async () => {
    const log: string[] = [];
    const cleanup = new Cleanup((what, error) => log.push(`could not ${what}: ${error.message}`));
    cleanup.add('a', async () => void log.push('a'));
    cleanup.add('b', () => Promise.reject(new Error('no')));
    cleanup.add('c', async () => void log.push('c'));
    await cleanup.run();
    await cleanup.run();
    expect(log).toEqual(['c', 'could not b: no', 'a']);
  });
});
