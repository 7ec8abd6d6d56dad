import { MillraceError } from '@millrace/core';

/** A group was removed, and somebody who still runs came upon that. */
export function groupRemoved(topic: string, group: string): MillraceError {
  return new MillraceError(
    'REMOVED',
    `Group '${group}' of topic '${topic}' was removed. This process does not make it again: stop it, or start it anew, which declares the group.`,
  );
}

/** A topic was removed, and somebody who still runs came upon that. */
export function topicRemoved(topic: string): MillraceError {
  return new MillraceError(
    'REMOVED',
    `Topic '${topic}' was removed. This process does not make it again: stop it, or start it anew, which declares the topic.`,
  );
}
