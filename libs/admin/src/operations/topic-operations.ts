import { BrowseOptions } from '../messages/browse-messages.js';
import type { MessagePlace } from '../messages/get-message.js';
import { FindOptions } from '../messages/find-messages.js';
import { PublishMessageOptions } from '../messages/publish-message.js';
import { RepublishMessageOptions } from '../messages/republish-message.js';
import { PageOptions } from '../page/page.js';
import { CreateTopicOptions } from '../topics/create-topic.js';
import { RemovalOptions } from '../topics/delete-topic.js';
import { ListTopicsOptions } from '../topics/list-topics.js';
import { PurgeTopicOptions } from '../topics/purge-topic.js';
import { RaisePartitionsOptions } from '../topics/raise-partitions.js';
import { action, type Inputs, type Operation, read, type Target } from './operation.js';

export const PAGE: Inputs = { limit: 'number', cursor: 'text' };

export const REMOVAL: Inputs = { force: 'boolean', within: 'text' };

const FILTER: Inputs = { ...PAGE, id: 'text', key: 'text', type: 'text', headers: 'json', text: 'text', where: 'json', mostEntries: 'number' };

const MESSAGE: Inputs = { payload: 'json', key: 'text', headers: 'json', type: 'text', idempotencyKey: 'text', delay: 'text' };

const topicOf = ({ topic }: Target): { topic: string } => ({ topic: topic! });

/** A number in a path; anything else is none, which the use case refuses. */
function numberIn(target: Target, name: string): number {
  const text: unknown = target[name];
  return typeof text === 'string' && /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
}

const placeOf = (target: Target): MessagePlace => ({ partition: numberIn(target, 'partition'), offset: numberIn(target, 'offset') });

/** Topics and their messages. */
export const TOPIC_OPERATIONS: readonly Operation[] = [
  read({
    name: 'topics.list', path: '/topics', role: 'viewer', inputs: { ...PAGE, prefix: 'text' }, options: ListTopicsOptions,
    summary: 'Lists topics with sums over their partitions and groups.',
    run: (admin, _target, options) => admin.topics.list(options),
  }),
  read({
    name: 'topics.info', path: '/topics/:topic', role: 'viewer',
    summary: 'Shows a topic with the log of each partition.',
    run: (admin, { topic }) => admin.topics.info(topic!),
  }),
  action({
    name: 'topics.create', path: '/topics/:topic/create', role: 'operator', inputs: { partitions: 'number' }, options: CreateTopicOptions,
    summary: 'Makes a topic where it is not there.',
    run: (admin, target, options) => admin.topics.create(topicOf(target), options),
  }),
  action({
    name: 'topics.raisePartitions', path: '/topics/:topic/partitions', role: 'admin', inputs: { partitions: 'number' },
    options: RaisePartitionsOptions,
    summary: 'Raises the number of partitions of a topic, which never goes back.',
    run: (admin, target, options) => admin.topics.raisePartitions(topicOf(target), options),
  }),
  action({
    name: 'topics.purge', path: '/topics/:topic/purge', role: 'admin', options: PurgeTopicOptions,
    inputs: { before: 'moment', unsettled: 'boolean' },
    summary: 'Removes messages of a topic that are there at the dry run.',
    run: (admin, target, options) => admin.topics.purge(topicOf(target), options),
  }),
  action({
    name: 'topics.delete', path: '/topics/:topic/delete', role: 'admin', inputs: REMOVAL, options: RemovalOptions,
    summary: 'Removes a topic with its messages, groups and dead letters.',
    run: (admin, target, options) => admin.topics.delete(topicOf(target), options),
  }),
  read({
    name: 'messages.browse', path: '/topics/:topic/messages', role: 'viewer', options: BrowseOptions,
    inputs: { ...FILTER, order: 'text', from: 'position', until: 'moment', partition: 'number' },
    summary: 'Reads messages of a topic, partition by partition, or the newest of all first.',
    run: (admin, target, options) => admin.messages.browse(topicOf(target), options),
  }),
  read({
    name: 'messages.find', path: '/topics/:topic/messages/find', role: 'viewer', options: FindOptions,
    inputs: { ...FILTER, since: 'moment' },
    summary: 'Looks for messages by their ids, keys, headers, texts or parts.',
    run: (admin, target, options) => admin.messages.find(topicOf(target), options),
  }),
  read({
    name: 'messages.get', path: '/topics/:topic/messages/:partition/:offset', role: 'viewer',
    summary: 'Shows one message by its place.',
    run: (admin, target) => admin.messages.get(topicOf(target), placeOf(target)),
  }),
  action({
    name: 'messages.publish', path: '/topics/:topic/publish', role: 'operator', sends: true, inputs: MESSAGE,
    options: PublishMessageOptions,
    summary: 'Publishes a message onto a topic that is known by its name alone.',
    run: (admin, target, options) => admin.messages.publish(topicOf(target), options),
  }),
  action({
    name: 'messages.republish', path: '/topics/:topic/messages/:partition/:offset/republish', role: 'operator', sends: true,
    inputs: MESSAGE,
    options: RepublishMessageOptions,
    summary: 'Publishes a message again as a new one, with another payload where one is given.',
    run: (admin, target, options) => admin.messages.republish(topicOf(target), { place: placeOf(target), options }),
  }),
  read({
    name: 'schedules.list', path: '/schedules', role: 'viewer', inputs: PAGE, options: PageOptions,
    summary: 'Lists the topics with messages that are not due yet, how many they are, and when the next is due.',
    run: (admin, _target, options) => admin.schedules.list(options),
  }),
  read({
    name: 'groups.list', path: '/topics/:topic/groups', role: 'viewer', inputs: PAGE, options: PageOptions,
    summary: 'Lists the groups of a topic.',
    run: (admin, target, options) => admin.groups.list(topicOf(target), options),
  }),
];
