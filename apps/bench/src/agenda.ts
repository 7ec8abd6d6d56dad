import type { Stage } from './stage.js';

/** One part of a run. */
export interface Turn {
  readonly name: string;
  /** About how long it takes at default sizes on two busy cores; its share of the time follows from it. */
  readonly seconds: number;
  run(stage: Stage): Promise<void>;
}

/**
 * Gives each turn its share of the time that is left, so that none takes the time of those after it. A turn that is quicker
 * than its share leaves the rest to them. One that fails, or is cut short, is reported, and the others go on.
 *
 * @returns why turns were left out, one text for each
 */
export async function runInTurn(turns: readonly Turn[], stage: Stage): Promise<string[]> {
  const failures: string[] = [];
  for (const [index, turn] of turns.entries()) {
    const why = await taken(turn, stage.part(shareOf(turn, turns.slice(index))));
    if (why === null) continue;
    stage.say(`LEFT OUT ${why}`);
    failures.push(why);
  }
  return failures;
}

function shareOf({ seconds }: Turn, waiting: readonly Turn[]): number {
  return seconds / waiting.reduce((sum, turn) => sum + turn.seconds, 0);
}

/** @returns null, or why it did not come to its end */
async function taken(turn: Turn, stage: Stage): Promise<string | null> {
  const given = Math.round(stage.leftMs / 1_000);
  stage.say(`${turn.name}, for ${given} s at the most`);
  try {
    await turn.run(stage);
    return null;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return `${turn.name}: ${stage.signal.aborted ? `it did not end in its ${given} s` : why}`;
  }
}
