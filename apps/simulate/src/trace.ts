import type { Packet, PacketFate } from '@millrace/testing';

/** FNV-1a of 32 bits. */
const [OFFSET, PRIME] = [0x811c9dc5, 0x01000193];

/** Hashes of texts that come again and again: names of connections, directions and commands. */
const hashes = new Map<string, number>();

/** All that happened, as one number, and as lines when they are asked for: equal runs have equal traces. */
export class Trace {
  readonly #keeps: boolean;
  readonly lines: string[] = [];
  /** Events so far. */
  count = 0;
  #hash = OFFSET;

  /** @param keeps whether it keeps the lines, to be shown */
  constructor(keeps: boolean) {
    this.#keeps = keeps;
  }

  add(atMs: number, what: string): void {
    this.count += 1;
    this.#mixNumber(atMs);
    this.#hash = hashOf(what, this.#hash);
    if (this.#keeps) this.lines.push(`${atMs} ${what}`);
  }

  /** Packets are most of all events. An argument counts by its length: an id is not the same in the second run of a process. */
  addPacket(atMs: number, packet: Packet, fate: PacketFate): void {
    this.count += 1;
    this.#mixNumber(atMs);
    this.#mix(knownHashOf(packet.connection) ^ knownHashOf(packet.direction) ^ knownHashOf(packet.command));
    if (packet.direction === 'request') for (const arg of packet.args) this.#mix(typeof arg === 'number' ? arg : arg.length);
    if (typeof fate === 'number') this.#mixNumber(fate);
    else this.#mix(knownHashOf(fate));
    if (this.#keeps) this.lines.push(`${atMs} ${packet.direction} ${packet.connection} ${fate} ${textOf(packet)}`);
  }

  /** 8 hexadecimal digits. */
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }

  /** A time or a delay, to a thousandth of a millisecond. */
  #mixNumber(ms: number): void {
    this.#mix(Math.round(ms * 1_000));
  }

  #mix(number: number): void {
    this.#hash = Math.imul(this.#hash ^ number, PRIME);
  }
}

function hashOf(text: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), PRIME);
  return hash;
}

function knownHashOf(text: string): number {
  const known = hashes.get(text);
  if (known !== undefined) return known;
  const hash = hashOf(text, OFFSET);
  hashes.set(text, hash);
  return hash;
}

/** Scripts that go by their text would fill the screen. */
const MOST_SHOWN = 160;

function textOf({ direction, command, args }: Packet): string {
  if (direction !== 'request' || command === 'EVAL') return command;
  return `${command} ${args.join(' ')}`.slice(-MOST_SHOWN);
}
