/** Inside, a text is bytes, one character each, as in Redis and in Lua: their numbers, lengths and orders are those of bytes. */
const ASCII = /^[\0-\x7f]*$/;

export function toBytes(text: string): string {
  return ASCII.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

export function toText(bytes: string): string {
  return ASCII.test(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString('utf8');
}
