import { createInterface } from 'node:readline';
import { printable } from '../output/printable.js';
import type { Surroundings } from '../surroundings/surroundings.js';

/** Asks on standard error and reads one line; null when the input ends before. */
export async function typedLine(question: string, { stdin, stderr, signal }: Surroundings): Promise<string | null> {
  stderr.write(printable(question));
  const lines = createInterface({ input: stdin, terminal: false });
  const stop = (): void => lines.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const line of lines) return line.trim();
    return null;
  } finally {
    signal.removeEventListener('abort', stop);
    lines.close();
  }
}
