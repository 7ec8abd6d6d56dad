import { describe, expect, test } from '@jest/globals';
import { Cleanup } from '../src/demo/cleanup.js';
import { OwnStream } from '../src/demo/own-stream.js';
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
    const tty = new Sink(true, 120);
    const terminal = new Terminal(tty);
    terminal.progress(0.5, ['half']);
    terminal.say('a line');
    terminal.progress(1, ['all']);
    terminal.endProgress();
    expect(tty.text).toBe(
      `${'█'.repeat(12)}${'░'.repeat(12)}  50%  half` +
        `\r\u001B[Ka line\n${'█'.repeat(12)}${'░'.repeat(12)}  50%  half` +
        `\r\u001B[K${'█'.repeat(24)} 100%  all\n`,
    );
  });

  test('never draws more than a line', () => {
    const tty = new Sink(true, 30);
    new Terminal(tty).progress(0, ['x'.repeat(100)]);
    expect(tty.text).toHaveLength(29);
  });

  test('draws the longest text that a narrow line has room for, beside a short bar', () => {
    const tty = new Sink(true, 60);
    new Terminal(tty).progress(0.5, ['x'.repeat(80), 'y'.repeat(44), 'z']);
    expect(tty.text).toBe(`████░░░░  50%  ${'y'.repeat(44)}`);
  });

  test('breaks what is said into lines that fit, and long words too', () => {
    const tty = new Sink(true, 60);
    new Terminal(tty).say(`${'some words '.repeat(10)}\n    at ${'/a/long/path'.repeat(10)}`);
    const lines = tty.text.split('\n');
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(60);
    expect(lines.join(' ')).toContain('some words some words');
    expect(lines.slice(2).join('')).toContain('/a/long/path'.repeat(10));
  });

  test('leaves lines as they are where there is none to fit', () => {
    const pipe = new Sink(false, 60);
    new Terminal(pipe).say('x '.repeat(100));
    expect(pipe.text).toBe(`${'x '.repeat(100)}\n`);
  });

  test('puts what others write to its stream on a line of its own', () => {
    const stream = new Sink(true, 120) as Sink & NodeJS.WriteStream;
    const terminal = new Terminal(new OwnStream(stream));
    terminal.progress(0.5, ['half']);
    stream.write('\u001B[31ma warning\u001B[39m\n');
    expect(stream.text.split('\r\u001B[K').slice(1)).toEqual([`a warning\n${'█'.repeat(12)}${'░'.repeat(12)}  50%  half`]);
  });

  test('writes plain lines where there is none, one for each tenth', () => {
    const pipe = new Sink(false);
    const terminal = new Terminal(pipe);
    for (let done = 0; done <= 100; done += 1) terminal.progress(done / 100, [`${done} done`, `${done}`]);
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
