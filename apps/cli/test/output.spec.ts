import { describe, expect, it } from '@jest/globals';
import { BYTES, COUNT, MILLISECONDS, SECONDS, shown, TEXT } from '../src/output/humanise.js';
import { jsonText } from '../src/output/json-text.js';
import { isColoured } from '../src/output/output.js';
import { printable } from '../src/output/printable.js';
import { recordText, tableText } from '../src/output/table.js';
import { clipped, textWidth } from '../src/output/text-width.js';
import { CliBed } from './cli-bed.js';
import { onTerminal } from './run-here.js';
import { HOSTILE, Mail, mails, Order, STEERING } from './topics.js';

const bed = new CliBed('output');
const COLUMNS = [{ title: 'name', form: TEXT, of: ({ name }: { name: string }) => name }, { title: 'count', form: COUNT, of: () => 1_000 }];
const BOLD = '\u001B[1mTOPIC';
const PLAIN = { isRaw: false, width: null, isColoured: false };

describe('text for a terminal', () => {
  it('has nothing that steers it, and keeps what is seen', () => {
    expect(printable(HOSTILE)).not.toMatch(STEERING);
    expect(printable(HOSTILE)).toBe('a\uFFFDred\uFFFD\uFFFDlink\uFFFDgnp.exe\uFFFD\uFFFD b\uFFFD end\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD');
    expect(printable('Zürich 東京 👍')).toBe('Zürich 東京 👍');
    expect(printable('half \uD800 a pair')).toBe('half \uFFFD a pair');
  });

  it.each([
    'AD', '34F', '61C', '115F', '1160', '17B4', '180B', '200B', '200D', '2060', '2065', '2800', '3164', 'FE00', 'FE0F', 'FEFF', 'FFA0', 'FFF0', 'FFFF',
    '13441', '13442', '16FE4', '1D159', '1D173', 'E0000', 'E0041', 'E007F', 'E0100', 'E0FFF',
  ])('shows a mark in the place of U+%s, which nobody sees', (point) => {
    const unseen = String.fromCodePoint(parseInt(point, 16));
    expect([printable(`a${unseen}b`), printable(unseen)]).toEqual(['a\uFFFDb', '\uFFFD']);
    expect(jsonText(unseen)).toMatch(/^"(?:\\u[0-9a-f]{4}){1,2}"$/);
    expect(JSON.parse(jsonText([unseen]))).toEqual([unseen]);
  });

  it('keeps an emoji whole that Unicode lists, and nothing unseen in any other', () => {
    for (const emoji of ['❤\uFE0F', '👍🏽', '1\uFE0F\u20E3', '👨\u200D👩\u200D👧', '👩🏽\u200D💻', '🏳\uFE0F\u200D🌈', '🇨🇭']) {
      expect([printable(emoji), jsonText(emoji)]).toEqual([emoji, `"${emoji}"`]);
    }
    const hidden = ['1\uFE0F', '👍\uFE0F', '❤\uFE0F\uFE0F', '👨\u200D', '👨\u200D👨\u200D👨', '☺\uFE0E', 'a\u200D👍'];
    expect(hidden.map(printable)).toEqual(['1\uFFFD', '👍\uFFFD', '❤\uFE0F\uFFFD', '👨\uFFFD', '👨\uFFFD👨\uFFFD👨', '☺\uFFFD', 'a\uFFFD👍']);
    expect(printable('🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}')).toBe(`🏴${'\uFFFD'.repeat(6)}`);
  });

  it('is made in linear time of any text', () => {
    for (const part of ['\u3164', '👨\u200D', '1\uFE0F', '\u001B[', '\u001B]', '\u001B]8;;', '\u009D', '\u001B ']) expect(printable(part.repeat(200_000))).not.toMatch(STEERING);
  });

  it('is the same value as JSON, and steers nothing there either', () => {
    const value = { [HOSTILE]: [HOSTILE, '\u{E0001}'] };
    expect(JSON.parse(jsonText(value, 2))).toEqual(value);
    expect(jsonText(value)).not.toMatch(STEERING);
  });
});

describe('the columns that a text takes', () => {
  it.each([
    ['', 0], ['abc', 3], ['Zürich', 6], ['e\u0301', 1], ['東京', 4], ['ｱ', 1], ['Ａ', 2], ['한', 2], ['\u1112\u1161\u11AB', 2], ['𠀀', 2], ['\u3000', 2], ['\u{1B000}', 2],
    ['😀', 2], ['\u231A', 2], ['✅', 2], ['⭐', 2], ['☺', 1], ['\u{1F321}', 1], ['🀄', 2], ['❤\uFE0F', 2], ['👍🏽', 2], ['1\uFE0F\u20E3', 2], ['🇨🇭', 2], ['👨\u200D👩\u200D👧', 2],
    ['\uFFFD', 1], ['…', 1], ['é ✅ 東', 7],
  ])('are %j: %d', (text, columns) => {
    expect(textWidth(text)).toBe(columns);
  });

  it('are no more than there is room for, and an emoji is kept whole or left out', () => {
    const text = 'ab👨\u200D👩\u200D👧cd';
    expect([2, 3, 4, 5, 6].map((columns) => clipped(text, columns))).toEqual(['a…', 'ab…', 'ab…', 'ab👨\u200D👩\u200D👧…', text]);
  });
});

describe('a table', () => {
  it('has its columns in line for wide, combined and hidden characters', () => {
    const names = ['a', '東京', 'e\u0301', HOSTILE, '👍'];
    const lines = tableText(names.map((name) => ({ name })), COLUMNS, PLAIN).trimEnd().split('\n');
    expect(lines).toHaveLength(names.length + 1);
    expect(lines[1]).toMatch(/^a {27,}1,000$/);
    expect(lines[2]!.length).toBe(lines[1]!.length - 2);
  });

  it('fits a narrow terminal', () => {
    const lines = tableText([{ name: 'x'.repeat(200) }], COLUMNS, { ...PLAIN, width: 40 }).trimEnd().split('\n');
    expect(lines.map(({ length }) => length)).toEqual([40, 40]);
    expect(lines[1]).toContain('…');
  });

  it('has humanised units, and exact ones where they are asked for', () => {
    expect([shown(BYTES, 1_536, false), shown(BYTES, 1_536, true), shown(BYTES, 12, false)]).toEqual(['1.5 KiB', '1536', '12 B']);
    expect([shown(SECONDS, 12_345, false), shown(SECONDS, 12_345, true), shown(SECONDS, 2.25, false)]).toEqual(['3h 25m', '12345', '2.3s']);
    expect([shown(MILLISECONDS, 250, false), shown(MILLISECONDS, 61_000, false), shown(COUNT, null, false)]).toEqual(['250ms', '1m 1s', '-']);
  });

  it('has a bold head on a terminal alone, unless told otherwise', async () => {
    expect((await onTerminal(['topics', 'ls'], { env: bed.env })).stdout).toContain(BOLD);
    expect((await onTerminal(['topics', 'ls'], { env: { ...bed.env, NO_COLOR: '1' } })).stdout).toMatch(/^TOPIC/);
    expect((await bed.run(['topics', 'ls'])).stdout).toMatch(/^TOPIC/);
    expect((await bed.run(['topics', 'ls'], { FORCE_COLOR: '1' })).stdout).toContain(BOLD);
    expect([isColoured(true, { NO_COLOR: '1', FORCE_COLOR: '1' }), isColoured(true, { FORCE_COLOR: '0' }), isColoured(false, {})]).toEqual([false, false, false]);
  });

  it('shows nothing that steers the terminal, in any column of any command', async () => {
    await bed.publisher.publish(Mail, { number: 1, text: HOSTILE }, { key: HOSTILE });
    await bed.giveUp(Mail, 'billing', new Error(HOSTILE));
    await bed.publisher.publish(Order, { total: 1, customer: HOSTILE });
    await bed.command('XADD', `${bed.prefix}:{shop.mails:0}:log`, '*', HOSTILE, HOSTILE);
    await bed.command('XADD', `${bed.prefix}:audit`, '*', 'e', JSON.stringify({ id: HOSTILE, phase: 'begun', actor: HOSTILE, action: HOSTILE, target: { a: HOSTILE } }));
    const [letter] = (await bed.json(['dlq', 'show', 'shop.mails', 'billing']))['items'] as { id: string }[];
    const lines = [
      ['topics', 'ls'], ['groups', 'ls'], ['groups', 'info', 'shop.mails', 'billing'], ['messages', 'get', 'shop.mails', '0:0'],
      ['messages', 'find', 'shop.mails', '--text', 'number'], ['tail', 'shop.mails', '--from', 'start', '--for', '0ms'], ['dlq', 'errors', 'shop.mails', 'billing'],
      ['dlq', 'show', 'shop.mails', 'billing'], ['dlq', 'show', 'shop.mails', 'billing', letter!.id], ['dlq', 'export', 'shop.mails', 'billing'], ['audit', 'ls'],
    ];
    for (const line of lines) {
      for (const form of [[], ['--json'], ['--jsonl'], ['-q']]) {
        const { code, stdout } = await onTerminal([...line, ...form], { env: { ...bed.env, NO_COLOR: '1' }, columns: 500 });
        expect([line, form, code, STEERING.exec(stdout)]).toEqual([line, form, 0, null]);
      }
    }
  });
});

describe('the properties of one thing', () => {
  const fieldsOf = (isWhole: boolean): Parameters<typeof recordText<string>>[1] => [{ title: 'key', form: TEXT, of: () => 'c-7' }, { title: 'stack', form: TEXT, of: (text) => text, isWhole }];

  it('have a text of several lines below its name, indented, so that none of it looks like another one', () => {
    const text = 'Error: a\u001B[31mb\r\n    at c\n\nkey  forged\u2028d\n';
    expect(recordText(text, fieldsOf(true), PLAIN)).toBe('key    c-7\nstack\n  Error: a\uFFFDb\n      at c\n\n  key  forged d\n');
    expect(recordText('one line\n', fieldsOf(true), PLAIN)).toBe('key    c-7\nstack  one line \n');
  });

  it('are on one line, cut to the terminal, where they are not shown whole', () => {
    expect(recordText('a\nb'.repeat(20), fieldsOf(false), { ...PLAIN, width: 20 })).toBe('key    c-7\nstack  a ba ba ba b…\n');
  });
});

describe('output', () => {
  it('ends quietly when nobody reads on', async () => {
    await bed.publisher.publishMany(Mail, mails(20_000));
    const { code, stdout, stderr } = await bed.shell('$MILLRACE tail shop.mails --from start --for 0ms --jsonl | head -n 1; echo "${PIPESTATUS[0]}"');
    const [first = '', status] = stdout.trim().split('\n');
    expect([code, (JSON.parse(first) as { payload: Mail }).payload.number, status, stderr]).toEqual([0, 0, '0', '']);
  });

  it('is whole, however long it is and however slowly it is read', async () => {
    await bed.publisher.publishMany(Mail, mails(10_000));
    const { stdout } = await bed.shell('$MILLRACE messages find shop.mails --text number -n 10000 --json | (sleep 1; cat) | wc -c');
    const whole = await bed.run(['messages', 'find', 'shop.mails', '--text', 'number', '-n', '10000', '--since', '2020-01-01', '--json']);
    expect((JSON.parse(whole.stdout) as { items: unknown[] }).items).toHaveLength(10_000);
    expect(Number(stdout)).toBe(whole.stdout.length);
  });
});
