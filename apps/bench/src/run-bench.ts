import { SPECS } from './contenders/catalogue.js';
import { load, machine } from './machine.js';
import { Match } from './match/match.js';
import { MEASURES } from './measures/catalogue.js';
import type { BenchOptions } from './options.js';
import { contenderFigures } from './report/contender-figures.js';
import { ratioRows } from './report/ratio-rows.js';
import type { Report } from './report/report.js';
import type { Row } from './report/row.js';
import { Stage } from './stage.js';

/** Contenders first, side by side; then Millrace alone, as it grows. One that fails is told, and the others go on. */
export async function runBench(options: BenchOptions): Promise<Report> {
  const [stage, loadBefore] = [new Stage(options), load()];
  const specs = SPECS.filter(({ name }) => isAsked(options, name));
  const records = specs.length > 0 ? await new Match(stage).run(specs) : [];
  const { rows, missing } = await runMeasures(stage);
  const skipped = records.filter((record) => record.skipped !== null).map(({ spec, skipped: why }) => `${spec.name}: ${why}`);
  return {
    rows: [...ratioRows(records), ...rows],
    contenders: records.map(contenderFigures),
    machine: machine(loadBefore),
    missing: [...skipped, ...missing],
  };
}

async function runMeasures(stage: Stage): Promise<{ rows: Row[]; missing: string[] }> {
  const [rows, missing]: [Row[], string[]] = [[], []];
  for (const measure of MEASURES.filter(({ name }) => isAsked(stage.options, name))) {
    const { name } = measure;
    if (!stage.hasTime()) {
      missing.push(`${name}: the time was up`);
      continue;
    }
    stage.say(name);
    try {
      rows.push(...(await measure.run(stage)));
    } catch (error) {
      missing.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { rows, missing };
}

/** @returns the names that may be asked for when nothing has one that was; else null */
export function namesInstead(options: BenchOptions): string[] | null {
  const names = [...SPECS, ...MEASURES].map(({ name }) => name);
  return names.some((name) => isAsked(options, name)) ? null : names;
}

function isAsked({ only }: BenchOptions, name: string): boolean {
  return only.length === 0 || only.some((part) => name.includes(part));
}
