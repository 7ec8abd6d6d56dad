/** How long the record of a vanished process is kept: longer than any process looks for it. */
export const PRESENCE_KEPT_MS = 86_400_000;

/** The parts of a member's name, `<host>-<process id>-<12 hex digits>.<number>`. */
export interface MemberName {
  /** The name of its process. */
  readonly process: string;
  /** Members of a process are numbered from 1 on. */
  readonly number: number;
  /** Null when the name has another form. */
  readonly host: string | null;
  readonly pid: number | null;
}

export function memberName(member: string): MemberName {
  const process = processOf(member);
  const [, host = null, pid = null] = /^(.+)-(\d{1,10})-[0-9a-f]{12}$/.exec(process) ?? [];
  return { process, number: numberOf(member), host, pid: pid === null ? null : Number(pid) };
}

export function processOf(member: string): string {
  return member.slice(0, Math.max(0, member.lastIndexOf('.')));
}

export function numberOf(member: string): number {
  return Number(member.slice(member.lastIndexOf('.') + 1));
}
