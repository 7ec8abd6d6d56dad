import { BrowseDeadLettersOptions } from '../dead-letters/browse-dead-letters.js';
import { ErrorsOptions } from '../dead-letters/group-by-error.js';
import { LetterSelectionOptions } from '../dead-letters/letter-selection.js';
import { RedriveDeadLettersOptions } from '../dead-letters/redrive-dead-letters.js';
import { PauseGroupOptions } from '../groups/pause-group.js';
import { SeekGroupOptions } from '../groups/seek-group.js';
import { MutationOptions } from '../mutate/mutation-options.js';
import { PageOptions } from '../page/page.js';
import { RemovalOptions } from '../topics/delete-topic.js';
import type { GroupTarget } from '../topics/known-topic.js';
import { action, type Inputs, type Operation, read, type Target } from './operation.js';
import { PAGE, REMOVAL } from './topic-operations.js';

const SELECTION: Inputs = { ids: 'json', fingerprint: 'text', all: 'boolean', limit: 'number' };

const groupOf = ({ topic, group }: Target): GroupTarget => ({ topic: topic!, group: group! });

/** Groups and their dead letters. */
export const GROUP_OPERATIONS: readonly Operation[] = [
  read({
    name: 'groups.info', path: '/groups/:topic/:group', role: 'viewer',
    summary: 'Shows a group with its state in each partition and its members.',
    run: (admin, target) => admin.groups.info(groupOf(target)),
  }),
  read({
    name: 'groups.pending', path: '/groups/:topic/:group/pending', role: 'viewer', inputs: PAGE, options: PageOptions,
    summary: 'Lists the messages that members of a group hold.',
    run: (admin, target, options) => admin.groups.pending(groupOf(target), options),
  }),
  action({
    name: 'groups.pause', path: '/groups/:topic/:group/pause', role: 'operator', inputs: { within: 'text' }, options: PauseGroupOptions,
    summary: 'Pauses a group until it is resumed.',
    run: (admin, target, options) => admin.groups.pause(groupOf(target), options),
  }),
  action({
    name: 'groups.resume', path: '/groups/:topic/:group/resume', role: 'operator', options: MutationOptions,
    summary: 'Resumes a group, and lets members go on that its breaker holds.',
    run: (admin, target, options) => admin.groups.resume(groupOf(target), options),
  }),
  action({
    name: 'groups.seek', path: '/groups/:topic/:group/seek', role: 'operator', options: SeekGroupOptions,
    inputs: { to: 'position', shift: 'number', partition: 'number', force: 'boolean', within: 'text' },
    summary: 'Sets a group to another position.',
    run: (admin, target, options) => admin.groups.seek(groupOf(target), options),
  }),
  action({
    name: 'groups.remove', path: '/groups/:topic/:group/remove', role: 'admin', inputs: REMOVAL, options: RemovalOptions,
    summary: 'Removes a group with its waiting messages and its dead letters.',
    run: (admin, target, options) => admin.groups.remove(groupOf(target), options),
  }),
  read({
    name: 'deadLetters.list', path: '/dlq', role: 'viewer', inputs: PAGE, options: PageOptions,
    summary: 'Lists the groups that have dead letters.',
    run: (admin, _target, options) => admin.deadLetters.list(options),
  }),
  read({
    name: 'deadLetters.browse', path: '/dlq/:topic/:group', role: 'viewer', options: BrowseDeadLettersOptions,
    inputs: { ...PAGE, fingerprint: 'text', most: 'number' },
    summary: 'Reads the dead letters of a group.',
    run: (admin, target, options) => admin.deadLetters.browse(groupOf(target), options),
  }),
  read({
    name: 'deadLetters.errors', path: '/dlq/:topic/:group/errors', role: 'viewer', inputs: { cursor: 'text', most: 'number' },
    options: ErrorsOptions,
    summary: 'Counts the dead letters of a group by the way in which they were given up.',
    run: (admin, target, options) => admin.deadLetters.errors(groupOf(target), options),
  }),
  read({
    name: 'deadLetters.show', path: '/dlq/:topic/:group/letters/:id', role: 'viewer',
    summary: 'Shows one dead letter.',
    run: (admin, target) => admin.deadLetters.show(groupOf(target), target['id']!),
  }),
  action({
    name: 'deadLetters.redrive', path: '/dlq/:topic/:group/redrive', role: 'operator', options: RedriveDeadLettersOptions,
    inputs: { ...SELECTION, rate: 'number' },
    summary: 'Puts dead letters back to the group that gave them up.',
    run: (admin, target, options) => admin.deadLetters.redrive(groupOf(target), options),
  }),
  action({
    name: 'deadLetters.discard', path: '/dlq/:topic/:group/discard', role: 'admin', inputs: SELECTION, options: LetterSelectionOptions,
    summary: 'Removes dead letters for good.',
    run: (admin, target, options) => admin.deadLetters.discard(groupOf(target), options),
  }),
];
