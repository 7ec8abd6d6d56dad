import { describe, expect, it } from '@jest/globals';
import type { OutgoingMessage } from '@millrace/core';
import { decodeEnvelope, encodeEnvelope, redrivenEnvelope } from '../src/log/envelope.js';

const plain: OutgoingMessage = {
  id: 'i', key: null, idempotencyKey: null, headers: {}, expiresAt: null, type: null, schema: 1, payloadJson: '{"value":1}',
};

describe('an envelope', () => {
  it('has six parts when the message has no traits', () => {
    expect(encodeEnvelope(plain)).toBe('[1,"i",null,null,null,{"value":1}]');
    expect(decodeEnvelope(encodeEnvelope(plain))).toMatchObject({ expiresAt: null, type: null, schema: 1 });
  });

  it.each([
    [{ expiresAt: 7 }, '{"x":7}'],
    [{ expiresAt: 0 }, '{"x":0}'],
    [{ type: 'placed' }, '{"t":"placed"}'],
    [{ type: 'placed', schema: 2 }, '{"t":"placed","s":2}'],
    [{ expiresAt: 7, type: 'a\n"b', schema: 3 }, '{"x":7,"t":"a\\n\\"b","s":3}'],
  ])('has %p in a seventh part, and reads it back', (traits, text) => {
    const stored = encodeEnvelope({ ...plain, ...traits });
    expect(stored).toBe(`[1,"i",null,null,null,{"value":1},${text}]`);
    expect(decodeEnvelope(stored)).toMatchObject(traits);
  });

  it('may have unknown traits in its seventh part', () => {
    expect(decodeEnvelope('[1,"i",null,null,null,7,{"x":5,"later":[]}]')).toMatchObject({ expiresAt: 5, type: null, payload: 7 });
  });

  it.each([
    ['has no seventh part', '', { times: 1 }, ',{"d":[1]}'],
    ['expires', ',{"x":7}', { times: 1 }, ',{"x":7,"d":[1]}'],
    ['was redriven before', ',{"d":[2]}', { times: 3 }, ',{"d":[3]}'],
    ['has a trait that this code does not know', ',{"later":{"a":[1]}}', { times: 1 }, ',{"later":{"a":[1]},"d":[1]}'],
  ])('that %s counts how often it was redriven, and is the same otherwise, to the letter', (_, seventh, redrive, then) => {
    const six = '[1,"i",null,null,null,{"value":12345678901234567890.0}';
    const redriven = redrivenEnvelope(`${six}${seventh}]`, null);
    expect(redriven).toBe(`${six}${then}]`);
    expect(decodeEnvelope(redriven)).toMatchObject({ redrive });
  });

  it('names the replay that it was redriven from, and drops that when it is redriven again', () => {
    const once = redrivenEnvelope(encodeEnvelope(plain), { group: 'g', replay: 5 });
    expect(decodeEnvelope(once).redrive).toEqual({ times: 1, group: 'g', replay: 5 });
    expect(decodeEnvelope(redrivenEnvelope(once, null)).redrive).toEqual({ times: 2 });
  });

  it.each(['["foreign","field"]', '[2,"i",null,null,null,7,8,9]', '[1,', ''])('is left alone when %p is none that this code reads', (text) => {
    expect(redrivenEnvelope(text, null)).toBe(text);
  });

  it.each(['{"d":1}', '{"d":[]}', '{"d":[0]}', '{"d":["1"]}', 'null', '[]', '7', '"x"', '{"x":"7"}', '{"x":1.5}', '{"x":-1}', '{"x":null}', '{"t":7}', '{"t":null}', '{"s":0}', '{"s":"1"}', '{},7'])(
    'is malformed with %s behind its six parts',
    (behind) => {
      expect(() => decodeEnvelope(`[1,"i",null,null,null,7,${behind}]`)).toThrow(expect.objectContaining({ code: 'MALFORMED_ENVELOPE' }));
    },
  );
});
