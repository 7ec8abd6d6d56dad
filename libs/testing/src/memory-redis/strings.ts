import { type Commands, type Context, grows, reads } from './command.js';
import type { Value } from './keyspace.js';
import { parseInteger } from './numbers.js';
import { OK, RedisError, type Reply, syntaxError } from './reply.js';

/** Bytes that grow: a text or a bitmap. */
export class Text implements Value {
  readonly type = 'string';
  length = 0;
  #bytes = new Uint8Array(8);

  static of(text: string): Text {
    const value = new Text();
    value.write(0, text);
    return value;
  }

  at(index: number): number {
    return index < this.length ? this.#bytes[index]! : 0;
  }

  set(index: number, byte: number): void {
    this.grow(index + 1);
    this.#bytes[index] = byte;
  }

  write(from: number, text: string): void {
    this.grow(from + text.length);
    for (let i = 0; i < text.length; i += 1) this.#bytes[from + i] = text.charCodeAt(i);
  }

  grow(length: number): void {
    if (length > this.#bytes.length) {
      const wider = new Uint8Array(Math.max(length, this.#bytes.length * 2));
      wider.set(this.#bytes);
      this.#bytes = wider;
    }
    this.length = Math.max(this.length, length);
  }

  text(): string {
    return Buffer.from(this.#bytes.buffer, 0, this.length).toString('latin1');
  }
}

const EXPIRY: Readonly<Record<string, number>> = { PX: 1, EX: 1_000 };
const TOO_LONG = 'ERR string exceeds maximum allowed size (proto-max-bulk-len)';
const MOST_BYTES = 512 * 1_024 * 1_024;

function set(context: Context, [key, value, ...options]: string[]): Reply {
  let [end, condition] = [0, ''];
  for (let i = 0; i < options.length; i += 1) {
    const option = options[i]!.toUpperCase();
    const unit = EXPIRY[option];
    if (option === 'NX' || option === 'XX') condition += option;
    else if (unit !== undefined && end === 0 && i + 1 < options.length) end = context.nowMs() + lifeOf(options[(i += 1)]!) * unit;
    else throw syntaxError();
  }
  if (condition.length > 2) throw syntaxError();
  if (condition !== '' && (context.keys.find(key!) !== undefined) !== (condition === 'XX')) return null;
  context.keys.put(key!, Text.of(value!));
  if (end > 0) context.keys.endAt(key!, end);
  return OK;
}

function lifeOf(text: string): number {
  const life = parseInteger(text);
  if (life <= 0) throw new RedisError("ERR invalid expire time in 'set' command");
  return life;
}

function setRange(context: Context, [key, offsetText, text]: string[]): Reply {
  const offset = parseInteger(offsetText!);
  if (offset < 0) throw new RedisError('ERR offset is out of range');
  const known = context.keys.get(key!, Text);
  if (text === '') return known?.length ?? 0;
  if (offset + text!.length > MOST_BYTES) throw new RedisError(TOO_LONG);
  const value = known ?? context.keys.make(key!, Text);
  value.write(offset, text!);
  return value.length;
}

export const stringCommands: Commands = {
  SET: grows(-3, set),
  SETRANGE: grows(4, setRange),
  GET: reads(2, (context, [key]) => context.keys.get(key!, Text)?.text() ?? null),
  STRLEN: reads(2, (context, [key]) => context.keys.get(key!, Text)?.length ?? 0),
};
