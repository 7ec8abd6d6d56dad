import { MillraceError, unknownName } from '@millrace/core';
import { labelOf } from './handler-method.js';
import type { BroadcastPlan } from './plan.js';

/** The filter of a handler, which its label names. */
export type FilterUse = Pick<BroadcastPlan, 'topic' | 'type' | 'filter'> & { readonly label: string };

export function filterUsesOf(plans: readonly BroadcastPlan[]): FilterUse[] {
  return plans.map(({ method, topic, type, filter }) => ({ label: labelOf(method), topic, type, filter }));
}

/** Filters by type that let nothing through, or that ask for a type that would be given up instead of handled. */
export function filterTypeConflicts(plans: readonly FilterUse[]): MillraceError[] {
  return plans.flatMap((plan) => {
    const asked = typesAsked(plan);
    const known = [...plan.topic.types.keys()];
    // Without types here the topic may have them elsewhere: its one class reads them all.
    const unknown = known.length === 0 ? [] : asked.filter((type) => !known.includes(type));
    if (unknown.length > 0) return unknown.map((type) => unknownType(plan, type, known));
    return plan.type === null || asked.length === 0 || asked.includes(plan.type) ? [] : [otherTypes(plan, asked)];
  });
}

/** Filters by type of topics that have no types here: nobody can say whether the names are right. */
export function uncheckedFilterTypes(plans: readonly FilterUse[]): string[] {
  return plans
    .filter((plan) => plan.topic.types.size === 0 && typesAsked(plan).length > 0)
    .map((plan) => {
      const types = typesAsked(plan).map((type) => `'${type}'`).join(', ');
      return `${whereOf(plan)} lets only messages of type ${types} through, but no class of this application with @MessageType is of the ` +
        'topic: the names cannot be checked, and what this application publishes has no type.';
    });
}

function typesAsked({ filter }: FilterUse): string[] {
  return [filter.type ?? []].flat();
}

function unknownType(plan: FilterUse, type: string, known: readonly string[]): MillraceError {
  const what = `${whereOf(plan)}: ${unknownName('type', type, known)}`;
  return new MillraceError('UNKNOWN_MESSAGE_TYPE', `${what} A message of a type without a class here is never handled: correct it, or import its class.`);
}

function otherTypes(plan: FilterUse, asked: readonly string[]): MillraceError {
  const what = `${whereOf(plan)}: it asks for type '${asked.join("', '")}', but the handler is for '${plan.type!}' alone`;
  return new MillraceError('CONTRACT_CONFLICT', `${what}, so nothing would ever be handled. Leave the type out of the filter, or subscribe to the topic's class.`);
}

function whereOf({ label, topic }: FilterUse): string {
  return `The filter of ${label} on topic '${topic.name}'`;
}
