import { expect, it } from '@jest/globals';
import { Line } from '../../src/ordered/line.js';

it('a line gives what stands in it in the order in which it came, also when it is never empty', () => {
  const line = new Line<number>();
  const taken: (number | undefined)[] = [];
  line.add(0);
  for (let next = 1; next < 500; next += 1) {
    line.add(next);
    taken.push(line.take());
  }
  expect(taken).toEqual(Array.from({ length: 499 }, (_, index) => index));
  expect([line.length, line.first, line.all]).toEqual([1, 499, [499]]);
});

it('a line that is empty gives nothing, and takes in more', () => {
  const line = new Line<number>();
  expect([line.take(), line.take(), line.length]).toEqual([undefined, undefined, 0]);
  line.add(7);
  expect([line.length, line.take(), line.take()]).toEqual([1, 7, undefined]);
});

it('a line keeps what it is told to', () => {
  const line = new Line<number>();
  for (const item of [1, 2, 3]) line.add(item);
  line.take();
  line.keep(line.all.filter((item) => item !== 2));
  expect(line.all).toEqual([3]);
});
