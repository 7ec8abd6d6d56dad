import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { runInTurn, type Turn } from '../src/agenda.js';
import { parseBenchOptions } from '../src/options.js';
import { runRounds } from '../src/rounds.js';
import { Stage } from '../src/stage.js';

const AN_HOUR = 3_600_000;

function stageOf(milliseconds: number): Stage {
  return new Stage(parseBenchOptions([]), milliseconds);
}

/** Takes all of its time: it ends when it is cut short. */
async function forever({ signal }: Stage): Promise<void> {
  await once(signal, 'abort');
  signal.throwIfAborted();
}

describe('the turns of a run', () => {
  it('get a share of the time by what they need, and what those before them have left', async () => {
    const given: number[] = [];
    const turn = (seconds: number): Turn => ({
      name: 'quick',
      seconds,
      run: (stage) => {
        given.push(Math.round((stage.leftMs / AN_HOUR) * 10) / 10);
        return Promise.resolve();
      },
    });
    expect(await runInTurn([turn(3), turn(2), turn(5)], stageOf(AN_HOUR))).toEqual([]);
    expect(given).toEqual([0.3, 0.3, 1]);
  });

  it('are cut short when their time is up, and those after them have theirs', async () => {
    const begun: string[] = [];
    const turn = (name: string, run: Turn['run']): Turn => ({ name, seconds: 1, run: (stage) => (begun.push(name), run(stage)) });
    const turns = [turn('slow', forever), turn('slow too', forever), turn('quick', () => Promise.resolve())];
    const failures = await runInTurn(turns, stageOf(300));
    expect(begun).toEqual(['slow', 'slow too', 'quick']);
    expect(failures).toEqual([expect.stringMatching(/^slow: it did not end/), expect.stringMatching(/^slow too: it did not end/)]);
  });

  it('are told with the reason when they fail', async () => {
    const failing = { name: 'idle', seconds: 1, run: () => Promise.reject(new Error('no server')) };
    expect(await runInTurn([failing], stageOf(AN_HOUR))).toEqual(['idle: no server']);
  });
});

describe('rounds', () => {
  it('are all run while there is time', async () => {
    const numbers: number[] = [];
    const done = await runRounds(stageOf(AN_HOUR), 3, (number) => Promise.resolve(void numbers.push(number)));
    expect({ done, numbers }).toEqual({ done: 3, numbers: [1, 2, 3] });
  });

  it('end when the time is up, but there is always one', async () => {
    expect(await runRounds(stageOf(0), 3, () => Promise.resolve())).toBe(1);
  });

  it('do not begin when one as long as the longest so far would not end in time', async () => {
    const stage = stageOf(1_000);
    // More than half of the time: a second one would be cut short.
    const done = await runRounds(stage, 3, async () => {
      while (stage.leftMs > 400) await stage.pause(10);
    });
    expect(done).toBe(1);
  });
});
