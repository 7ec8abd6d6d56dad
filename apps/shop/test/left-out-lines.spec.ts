import { expect, test } from '@jest/globals';
import { LeftOutLines } from '../src/demo/left-out-lines.js';
import { Terminal } from '../src/demo/terminal.js';

function told(count: number): string[] {
  const lines: string[] = [];
  const leftOut = new LeftOutLines(new Terminal({ write: (text) => void lines.push(text) }));
  for (let line = 2; line < count + 2; line += 1) leftOut.add({ file: 'x.csv', line, problem: 'InvoiceNo is empty' });
  leftOut.conclude();
  return lines;
}

test('a few malformed lines are told one by one', () => {
  expect(told(0)).toEqual([]);
  expect(told(2)).toEqual(['x.csv:2: left out: InvoiceNo is empty\n', 'x.csv:3: left out: InvoiceNo is empty\n']);
});

test('the first ten of half a million malformed lines are told, and how many more there are', () => {
  const lines = told(500_000);
  expect(lines).toHaveLength(11);
  expect(lines.at(-1)).toBe('and 499990 more malformed lines were left out\n');
});
