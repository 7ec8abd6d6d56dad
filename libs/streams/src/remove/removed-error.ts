import { MillraceError } from '@millrace/core';

/** The error of a running process whose group was removed. */
export function groupRemoved(topic: string, group: string): MillraceError {
  return new MillraceError(
    'REMOVED',
    `Group '${group}' of topic '${topic}' was removed. This process does not make it again: stop it, or start it anew, which declares the group.`,
  );
}

/** The error of a running process whose topic was removed. */
export function topicRemoved(topic: string): MillraceError {
  return new MillraceError(
    'REMOVED',
    `Topic '${topic}' was removed. This process does not make it again: stop it, or start it anew, which declares the topic.`,
  );
}
