import { runInTurn, type Turn } from './agenda.js';
import { SPECS } from './contenders/catalogue.js';
import type { Spec } from './contenders/contender.js';
import { ReportBuilder } from './report-builder.js';
import { load, machine } from './machine.js';
import { Match } from './match/match.js';
import { COSTS, COUNTS } from './measures/catalogue.js';
import type { Measure } from './measures/measure.js';
import type { BenchOptions } from './options.js';
import type { Report } from './report/report.js';
import { Stage } from './stage.js';

const MATCH_SECONDS = 480;

export interface Outcome {
  readonly report: Report;
  /** Everything that was asked for and is not in the report, with the reason. */
  readonly missing: readonly string[];
}

/** Counts come first, since they take the least time; then the contenders, side by side; then Millrace as it grows. */
export async function runBench(options: BenchOptions): Promise<Outcome> {
  const [stage, loadBefore, builder] = [new Stage(options, options.minutes * 60_000), load(), new ReportBuilder()];
  const asked = (measures: readonly Measure[]): Turn[] =>
    measures.filter(({ name }) => isAsked(options, name)).map((measure) => turnOf(measure, builder));
  const specs = SPECS.filter(({ name }) => isAsked(options, name));
  const match = specs.length > 0 ? [matchOf(specs, builder)] : [];
  const failures = await runInTurn([...asked(COUNTS), ...match, ...asked(COSTS)], stage);
  return { report: builder.report(machine(loadBefore)), missing: [...builder.missing, ...failures] };
}

function turnOf(measure: Measure, builder: ReportBuilder): Turn {
  return {
    name: measure.name,
    seconds: measure.seconds,
    run: async (stage) => {
      for await (const row of measure.run(stage)) builder.add(row);
    },
  };
}

function matchOf(specs: readonly Spec[], builder: ReportBuilder): Turn {
  return {
    name: `${specs.length} contenders`,
    seconds: MATCH_SECONDS,
    run: async (stage) => {
      const { records, missing } = await new Match(stage).run(specs);
      builder.addMatch(records);
      builder.missing.push(...missing);
    },
  };
}

/** @returns the names that may be asked for when nothing has one that was; else null */
export function namesInstead(options: BenchOptions): string[] | null {
  const names = [...COUNTS, ...SPECS, ...COSTS].map(({ name }) => name);
  return names.some((name) => isAsked(options, name)) ? null : names;
}

function isAsked({ only }: BenchOptions, name: string): boolean {
  return only.length === 0 || only.some((part) => name.includes(part));
}
