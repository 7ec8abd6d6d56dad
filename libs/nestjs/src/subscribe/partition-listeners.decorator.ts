import { type AssignedPartition, IsName, type RevokedPartition, type TopicRef } from '@millrace/core';
import { declareHandler, type HandlerDecorator } from '../declare/handler-declaration.js';

/** Options of `@OnAssigned` and `@OnRevoked`: their second argument. */
export class PartitionListenerOptions {
  /** The group whose partitions they are; the application must subscribe to the topic for it, with `ordering`. Required. */
  @IsName('group')
  group!: string;
}

/**
 * Makes a method hear that a partition of an ordered group belongs to this process, with an {@link AssignedPartition}. The group
 * handles nothing of the partition before the method has ended. When it throws it is called again, with pauses of up to 2
 * seconds, and the subscription says so in its `problem`. Each assignment is followed by one call of `@OnRevoked`; no two of
 * these calls for one partition overlap. Like a lifecycle hook it is called on the instance itself, with no guard, pipe,
 * interceptor or filter around it.
 *
 * Mistakes are reported when the application starts: NOT_A_TOPIC, INVALID_OPTIONS, UNKNOWN_GROUP, DUPLICATE_SUBSCRIPTION.
 */
export function OnAssigned(
  topic: TopicRef,
  options: PartitionListenerOptions,
): HandlerDecorator<AssignedPartition, unknown> {
  const declaration = { kind: 'on-assigned', contract: topic, options } as const;
  return (target, name, descriptor) => declareHandler(declaration, { target, name, descriptor });
}

/**
 * Makes a method hear that a partition of an ordered group is to go to another process, or has gone, with a
 * {@link RevokedPartition}. Unless it is `lost`, all that was begun there is settled, and the next owner begins when the method
 * has ended, or when the time to shut down is up. A lost partition may be at work elsewhere already: what the
 * process knows of it is of no use any more. An error is logged, and the method is not called again.
 *
 * Mistakes are reported when the application starts: those of `@OnAssigned`.
 */
export function OnRevoked(
  topic: TopicRef,
  options: PartitionListenerOptions,
): HandlerDecorator<RevokedPartition, unknown> {
  const declaration = { kind: 'on-revoked', contract: topic, options } as const;
  return (target, name, descriptor) => declareHandler(declaration, { target, name, descriptor });
}
