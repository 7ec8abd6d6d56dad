import { describe, expect, it } from '@jest/globals';
import type { OutgoingMessage } from '@millrace/core';
import { decodeEnvelope, encodeEnvelope } from '../src/log/envelope.js';

const plain: OutgoingMessage = {
  id: 'i', key: null, idempotencyKey: null, headers: {}, expiresAt: null, type: null, schema: 1, payloadJson: '{"value":1}',
};

describe('an envelope', () => {
  it('has six parts when there is no more to say', () => {
    expect(encodeEnvelope(plain)).toBe('[1,"i",null,null,null,{"value":1}]');
    expect(decodeEnvelope(encodeEnvelope(plain))).toMatchObject({ expiresAt: null, type: null, schema: 1 });
  });

  it.each([
    [{ expiresAt: 7 }, '{"x":7}'],
    [{ expiresAt: 0 }, '{"x":0}'],
    [{ type: 'placed' }, '{"t":"placed"}'],
    [{ type: 'placed', schema: 2 }, '{"t":"placed","s":2}'],
    [{ expiresAt: 7, type: 'a\n"b', schema: 3 }, '{"x":7,"t":"a\\n\\"b","s":3}'],
  ])('says %p in a seventh, and gives it back', (traits, text) => {
    const stored = encodeEnvelope({ ...plain, ...traits });
    expect(stored).toBe(`[1,"i",null,null,null,{"value":1},${text}]`);
    expect(decodeEnvelope(stored)).toMatchObject(traits);
  });

  it('may say in its seventh part what this code does not know', () => {
    expect(decodeEnvelope('[1,"i",null,null,null,7,{"x":5,"later":[]}]')).toMatchObject({ expiresAt: 5, type: null, payload: 7 });
  });

  it.each(['null', '[]', '7', '"x"', '{"x":"7"}', '{"x":1.5}', '{"x":-1}', '{"x":null}', '{"t":7}', '{"t":null}', '{"s":0}', '{"s":"1"}', '{},7'])(
    'is malformed with %s behind its six parts',
    (behind) => {
      expect(() => decodeEnvelope(`[1,"i",null,null,null,7,${behind}]`)).toThrow(expect.objectContaining({ code: 'MALFORMED_ENVELOPE' }));
    },
  );
});
