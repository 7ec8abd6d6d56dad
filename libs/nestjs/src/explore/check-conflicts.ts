import { MillraceError } from '@millrace/core';
import { labelOf } from './handler-method.js';
import { listed } from './listed.js';
import type { CheckPlan } from './plan.js';
import { groupedBy } from './same-name.js';

/** Handlers of checks of which one would not be asked, or would be asked about messages that are not its own. */
export function checkConflicts(checks: readonly CheckPlan[]): MillraceError[] {
  const byTopic = groupedBy(checks, ({ topic }) => topic.name);
  return [...byTopic.values()].flatMap((same) => {
    const [{ topic }] = same as [CheckPlan];
    const where = `@TransactionCheck on ${listed(same.map(({ method }) => labelOf(method)))}`;
    if (same.length > 1) {
      const what = `${where}: all of them answer for topic '${topic.name}'`;
      return [new MillraceError('DUPLICATE_SUBSCRIPTION', `${what}, and each could answer something else. Remove all but one.`)];
    }
    return same.flatMap(({ type }) => (type === null ? [] : [ofType(where, topic.name, type)]));
  });
}

function ofType(where: string, topic: string, type: string): MillraceError {
  return new MillraceError(
    'CONTRACT_CONFLICT',
    `${where}: it names type '${type}' of topic '${topic}', but it would be asked about half messages of all types. Name the class of the ` +
      'topic, and look at ctx.type.',
  );
}
