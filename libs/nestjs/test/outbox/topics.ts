import { defineTopic, type TopicDefinition } from '@millrace/core';

export interface Step {
  readonly key: string;
  readonly step: number;
  readonly filling?: string;
}

export const Steps = defineTopic<Step>('outbox.steps', { partitions: 4, key: ({ key }) => key });
export const Loose = defineTopic<Step>('outbox.loose');

export const topics = new Map<string, TopicDefinition>([Steps, Loose].map((topic) => [topic.name, topic]));
