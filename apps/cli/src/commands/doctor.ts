import type { Examination, Finding } from '@millrace/admin';
import { CliError } from '../failure/cli-error.js';
import type { JsonOf } from '../operator/operator.js';
import { TEXT } from '../output/humanise.js';
import type { Shape } from '../output/output.js';
import type { CommandSpec } from '../session/command-spec.js';

const FINDINGS: Shape<JsonOf<Finding>> = {
  id: placeOf,
  columns: [
    { title: 'check', form: TEXT, of: placeOf },
    { title: 'state', form: TEXT, of: ({ state }) => state },
    { title: 'found', form: TEXT, of: ({ found }) => found },
  ],
};

export const doctor: CommandSpec = {
  name: 'doctor',
  summary: 'Look for all that keeps a Redis from being fit for Millrace, and say what to do.',
  examples: ['millrace doctor', 'millrace doctor --json'],
  help: 'It ends with exit code 7 when something is a fault, and with 5 when there is no answer at all. It changes nothing.',
  run: async (session) => {
    const { output } = session;
    const { findings, ...rest }: JsonOf<Examination> = await session.ask<Examination>('doctor');
    output.list({ ...rest, items: findings }, FINDINGS);
    for (const finding of findings) if (finding.advice !== null) output.note(`${placeOf(finding)}: ${finding.advice}`);
    const faults = findings.filter(({ state }) => state === 'fault').map(placeOf);
    if (faults.length > 0) throw new CliError('CHECK_FAILED', `${rest.product} is not fit for Millrace: ${faults.join(', ')}. The sentences above say what to do.`);
  },
};

/** The check, and in a Cluster the node that it is about. */
function placeOf({ check, node }: JsonOf<Finding>): string {
  return node === null ? check : `${check} of ${node}`;
}
