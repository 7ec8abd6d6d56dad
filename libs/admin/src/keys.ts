/** Stream: what operators have done, see `audit/audit-log.ts`. In a slot of its own. */
export function auditKey(prefix: string): string {
  return `${prefix}:{admin}:audit`;
}
