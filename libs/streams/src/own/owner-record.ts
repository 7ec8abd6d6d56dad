/** Who owns a partition and under which epoch, in the texts that Redis has: empty where it has none. */
export interface OwnerRecord {
  readonly owner: string;
  readonly epoch: string;
}

/** Numbers from here on are damaged: no partition changes hands so often, and Lua would not write all of their digits. */
const NO_EPOCH = 1e14;

/** The epoch of a record; 0 where there is none, or its text is damaged: the next owner begins above those that it knows. */
export function epochIn({ epoch }: OwnerRecord): number {
  const number = /^\d+$/.test(epoch) ? Number(epoch) : 0;
  return number < NO_EPOCH ? number : 0;
}

/** Whether nobody can own the partition by this record. */
export function isFree(record: OwnerRecord): boolean {
  return record.owner === '' || epochIn(record) === 0;
}

/** Whether the member owns the partition under that epoch. */
export function isUnder(record: OwnerRecord, member: string, epoch: number): boolean {
  return record.owner === member && epochIn(record) === epoch;
}
