import { uniqueName } from '@millrace/testing';
import { Ground } from '../ground.js';
import { relay } from './relay.js';

interface RunOptions {
  readonly messages: number;
  readonly faults: number;
  readonly workers: number;
  readonly seed: number;
}

const LEASE_MS = 1_000;

/** Runs it once, on a Redis of its own. */
export async function run({ messages, faults, workers, seed }: RunOptions): Promise<{ readonly document: object; readonly text: string }> {
  const ground = new Ground({});
  await ground.open();
  ground.prefix = uniqueName('relay');
  try {
    const figures = await relay(ground, { messages, kills: faults, workers, leaseMs: LEASE_MS, seed });
    const [lost, doubled] = [sum(figures.lost), sum(figures.doubled)];
    const document = { messages, seed, ...figures, holds: lost + doubled === 0 };
    const { killed, cut } = figures;
    return { document, text: `N=${messages} stages=4 killed=${killed} cut=${cut} lost=${lost} doubled=${doubled}\n` };
  } finally {
    await ground.clear();
    await ground.close();
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
