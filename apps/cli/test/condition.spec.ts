import { describe, expect, it } from '@jest/globals';
import { condition } from '../src/session/condition.js';

describe('a condition', () => {
  it.each([
    ['payload.total>100', 'payload.total', '>', 100],
    ['payload.total >= -1.5e3', 'payload.total', '>=', -1_500],
    ['payload.a!=null', 'payload.a', '!=', null],
    ['payload.ok=true', 'payload.ok', '=', true],
    ['key = c-7', 'key', '=', 'c-7'],
    ['payload.text="a=b > \\u0041"', 'payload.text', '=', 'a=b > A'],
    ['payload.text=a=b', 'payload.text', '=', 'a=b'],
    ['headers.region contains "eu"', 'headers.region', 'contains', 'eu'],
    ['payload.text contains a=b', 'payload.text', 'contains', 'a=b'],
    ['payload.lines.0.sku<x', 'payload.lines.0.sku', '<', 'x'],
    ['payload.text = "= 3"', 'payload.text', '=', '= 3'],
    ['payload.text="~/.profile"', 'payload.text', '=', '~/.profile'],
    ['payload.text contains == 3', 'payload.text', 'contains', '== 3'],
  ])('is read from %s', (text, field, op, value) => {
    expect(condition(text)).toEqual([{ field, op, value }]);
  });

  it('is added to those before it', () => {
    expect(condition('key=b', condition('key=a'))).toHaveLength(2);
  });

  it.each([
    ['', 'At character 1, the end: there is no ='],
    ['payload.total 100', 'At character 18, the end: there is no ='],
    ['total>1', 'At character 1, before total>1: a field is'],
    ['payload.total>', 'At character 15, the end: there is no value'],
    ['payload.a="x', 'At character 11, before "x: a text that begins with a quote'],
    ['process.exit(1)=1', 'At character 1, before process.exit(1)=1: a field is'],
  ])('points at the fault of %j', (text, message) => {
    expect(() => condition(text)).toThrow(message);
  });

  it.each(['== 3', '==3', '=~ a', '===3', '!== 3', '<> 3', '=> 3', '=< 3', '= = 3', '>> 3', '!=~ a', '~= 3', ':= 3', '=!3', '>~ 3'])('is refused with the operator of %s', (rest) => {
    for (const text of [`payload.quantity${rest}`, `payload.quantity ${rest}`]) {
      expect(() => condition(text)).toThrow(/^At character 1[78], before .*: the operators are = != < <= > >= and contains; a text that begins with .* stands in quotes/);
    }
  });
});
