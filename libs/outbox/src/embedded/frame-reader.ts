const STARTUP_HEADER = 4;
const HEADER = 5;
const LONGEST_FRAME = 64 * 1_024 * 1_024;

/** One message of the PostgreSQL protocol, header included. */
export type Frame = Buffer;

/**
 * Cuts the bytes of a client into frames. The first ones have no type byte: {@link typed} is set once the start-up is over.
 */
export class FrameReader {
  /** Whether frames begin with a type byte. */
  typed = false;
  #chunks: Buffer[] = [];
  #size = 0;

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
  }

  /**
   * @returns the next complete frame, or null when more must arrive first
   * @throws RangeError when the bytes are no frame: nothing can be read from this client any more
   */
  next(): Frame | null {
    const header = this.typed ? HEADER : STARTUP_HEADER;
    if (this.#size < header) return null;
    const length = this.#head(header).readInt32BE(header - 4) + header - 4;
    if (length < header || length > LONGEST_FRAME) throw new RangeError(`a message of ${length} bytes was announced`);
    return this.#size < length ? null : this.#take(length);
  }

  /** The first chunk, made at least `length` bytes long. */
  #head(length: number): Buffer {
    if (this.#chunks[0]!.length < length) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0]!;
  }

  #take(length: number): Frame {
    const head = this.#head(length);
    this.#chunks = [head.subarray(length), ...this.#chunks.slice(1)].filter((chunk) => chunk.length > 0);
    this.#size -= length;
    return head.subarray(0, length);
  }
}
