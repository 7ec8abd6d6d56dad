import { setTimeout as wait } from 'node:timers/promises';
import { Option } from 'commander';
import { COUNT, SECONDS, TEXT } from '../output/humanise.js';
import type { Shape } from '../output/output.js';
import { tableText } from '../output/table.js';
import type { CommandSpec } from '../session/command-spec.js';
import { limitOption } from '../session/common-options.js';
import type { Session } from '../session/session.js';
import { type GroupRow, Sampler } from '../top/sampler.js';
import { Screen } from '../top/screen.js';

const ROWS: Shape<GroupRow> = {
  id: ({ topic, group }) => `${topic} ${group}`,
  columns: [
    { title: 'topic', form: TEXT, of: ({ topic }) => topic },
    { title: 'group', form: TEXT, of: ({ group }) => group },
    { title: 'status', form: TEXT, of: ({ status }) => status },
    { title: 'members', form: COUNT, of: ({ members }) => members },
    { title: 'lag', form: COUNT, of: ({ lag }) => lag },
    { title: 'lag time', form: SECONDS, of: ({ lagSeconds }) => lagSeconds },
    { title: 'in/s', form: COUNT, of: ({ inPerSecond }) => inPerSecond },
    { title: 'out/s', form: COUNT, of: ({ outPerSecond }) => outPerSecond },
    { title: 'pending', form: COUNT, of: ({ pending }) => pending },
    { title: 'dead letters', form: COUNT, of: ({ deadLetters }) => deadLetters },
  ],
};

const EVERY_MS = 1_000;

/** By their keys: the name, and the figure of which the largest comes first. */
const SORTS: Readonly<Record<string, readonly [name: string, figure: (row: GroupRow) => number]>> = {
  l: ['lag', ({ lag }) => lag ?? -1],
  i: ['in', ({ inPerSecond }) => inPerSecond ?? -1],
  o: ['out', ({ outPerSecond }) => outPerSecond ?? -1],
  d: ['dead letters', ({ deadLetters }) => deadLetters ?? -1],
  n: ['name', () => 0],
};

export const top: CommandSpec = {
  name: 'top',
  summary: 'Show all groups with their lag and their rates, again each second.',
  options: [new Option('--once', 'print one table, as it does where there is no terminal'), limitOption(1_000, 'groups')],
  help: 'Keys: l i o d n sort by lag, rate in, rate out, dead letters and name; q ends it. A rate is that of the second before.',
  examples: ['millrace top', 'millrace top --once --json'],
  run: async (session) => {
    const { once, limit } = session.options<{ once?: boolean; limit: number }>();
    const { output, surroundings } = session;
    const sampler = new Sampler(session, limit);
    const first = await sampler.next();
    const isLive = !once && output.isForPeople && surroundings.stdout.isTTY && surroundings.stdin.isTTY;
    if (isLive) return live(session, sampler, first);
    await wait(EVERY_MS, undefined, { signal: session.signal });
    output.list({ items: sorted(await sampler.next(), 'l') }, ROWS);
  },
};

async function live(session: Session, sampler: Sampler, first: readonly GroupRow[]): Promise<void> {
  let [rows, sort] = [first, 'l'];
  const draw = (): void => screen.draw(frame(session, rows, sort));
  const screen: Screen = new Screen(session.surroundings, (key) => {
    if (!Object.hasOwn(SORTS, key)) return;
    sort = key;
    draw();
  });
  const follow = async (): Promise<void> => {
    while (screen.isOpen) {
      draw();
      await wait(EVERY_MS, undefined, { signal: session.signal });
      rows = await sampler.next();
    }
  };
  try {
    await Promise.race([follow(), screen.left]);
  } finally {
    screen.close();
  }
}

function sorted(rows: readonly GroupRow[], key: string): readonly GroupRow[] {
  const [, figure] = SORTS[key]!;
  return [...rows].sort((a, b) => figure(b) - figure(a) || (ROWS.id(a) < ROWS.id(b) ? -1 : 1));
}

/** It is made anew each time, so it fits the terminal as it is then. */
function frame({ output }: Session, rows: readonly GroupRow[], sort: string): string {
  const sum = (figure: (row: GroupRow) => number | null): string => rows.reduce((all, row) => all + (figure(row) ?? 0), 0).toLocaleString('en-US');
  const sums = `${new Set(rows.map(({ topic }) => topic)).size} topics, ${rows.length} groups, lag ${sum(({ lag }) => lag)}, dead letters ${sum(({ deadLetters }) => deadLetters)}`;
  return `${sums}, sorted by ${SORTS[sort]![0]} (l i o d n sort, q ends)\n${tableText(sorted(rows, sort), ROWS.columns, output.style)}`;
}
