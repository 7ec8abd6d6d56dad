import { stripVTControlCharacters } from 'node:util';
import type { TextSink } from './terminal.js';

/**
 * A stream of this process that one part of it owns. Where it is a terminal, the owner is given what others write there, such
 * as warnings of Node, so that it can put that between its own lines.
 */
export class OwnStream implements TextSink {
  readonly #stream: NodeJS.WriteStream;
  readonly #write: (text: string) => unknown;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    const write: (text: string) => unknown = stream.write.bind(stream);
    this.#write = write;
  }

  get isTTY(): boolean {
    return this.#stream.isTTY;
  }

  get columns(): number {
    return this.#stream.columns;
  }

  write(text: string): void {
    this.#write(text);
  }

  /** @param listener gets text without its last line break, and without colours */
  onOthers(listener: (text: string) => void): void {
    if (!this.#stream.isTTY) return;
    this.#stream.write = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
      const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
      listener(stripVTControlCharacters(text).replace(/\n$/, ''));
      const done = rest.find((argument) => typeof argument === 'function');
      if (done) process.nextTick(done);
      return true;
    };
  }
}
