import {
  asError, type AgedJobDraft, type JobPort, MillraceError, type Outgoing, type PublishPort, type TopicDefinition,
} from '@millrace/core';
import { jobDraftOf, outgoingOf, type StoredRow } from '../outbox/outbox-row.js';

/** The ports that a relay publishes through. */
export interface RelayPorts {
  readonly publish: Pick<Required<PublishPort>, 'publishMany'>;
  /** Undefined for a topic that this process does not know. */
  readonly topicOf: (name: string) => TopicDefinition | undefined;
  /** Absent: no job can be enqueued here. */
  readonly jobs?: Pick<JobPort, 'enqueueDrafts'> | undefined;
}

/** A row, and the error when it was not published. */
export interface Outcome {
  readonly row: StoredRow;
  readonly error: Error | null;
}

/** How long a publish is tried: the rows are locked meanwhile. */
const DEADLINE_MS = 5_000;

/** Publishes rows in their order for each topic and queue, those of different ones beside each other. It never rejects. */
export async function publishRows(rows: readonly StoredRow[], ports: RelayPorts): Promise<Outcome[]> {
  const groups = grouped(rows);
  const outcomes = await Promise.all([...groups.values()].map((group) => publishGroup(group, ports)));
  return outcomes.flat();
}

function groupOf({ kind, target }: StoredRow): string {
  return `${kind} ${target}`;
}

function grouped(rows: readonly StoredRow[]): Map<string, StoredRow[]> {
  const groups = new Map<string, StoredRow[]>();
  for (const row of rows) {
    const group = groups.get(groupOf(row));
    if (group) group.push(row);
    else groups.set(groupOf(row), [row]);
  }
  return groups;
}

async function publishGroup(rows: readonly StoredRow[], ports: RelayPorts): Promise<Outcome[]> {
  const [{ kind, target }] = rows as [StoredRow];
  try {
    return kind === 'job' ? await enqueue(target, rows, ports) : await publish(target, rows, ports);
  } catch (thrown) {
    // Ports are other people's code, and a topic may be unknown here: that fails its own rows.
    return rows.map((row) => ({ row, error: asError(thrown) }));
  }
}

async function publish(target: string, rows: readonly StoredRow[], { publish: port, topicOf }: RelayPorts): Promise<Outcome[]> {
  const topic = topicOf(target);
  if (!topic) throw unknownTarget('UNKNOWN_TOPIC', 'topic', target);
  return outcomesOf<Outgoing>(rows, (row) => outgoingOf(row, DEADLINE_MS), (many) => port.publishMany(topic, many));
}

async function enqueue(target: string, rows: readonly StoredRow[], { jobs }: RelayPorts): Promise<Outcome[]> {
  if (!jobs) throw unknownTarget('UNKNOWN_QUEUE', 'queue', target);
  return outcomesOf<AgedJobDraft>(rows, jobDraftOf, (many) => jobs.enqueueDrafts(target, many));
}

/** A row that cannot be read fails by itself. */
async function outcomesOf<Item>(
  rows: readonly StoredRow[],
  read: (row: StoredRow) => Item,
  send: (many: Item[]) => Promise<readonly unknown[]>,
): Promise<Outcome[]> {
  const failed: Outcome[] = [];
  const sent: StoredRow[] = [];
  const many: Item[] = [];
  for (const row of rows) {
    try {
      many.push(read(row));
      sent.push(row);
    } catch (thrown) {
      failed.push({ row, error: asError(thrown) });
    }
  }
  const results = many.length > 0 ? await send(many) : [];
  return [...failed, ...sent.map((row, index) => ({ row, error: results[index] instanceof Error ? results[index] : null }))];
}

function unknownTarget(code: 'UNKNOWN_TOPIC' | 'UNKNOWN_QUEUE', kind: string, name: string): MillraceError {
  const todo = `Let the application of the relay know it, by MillraceModule.forFeature, and redrive the row if it is dead by then`;
  return new MillraceError(code, `This relay knows no ${kind} '${name}', so the row was not published. ${todo}.`);
}
