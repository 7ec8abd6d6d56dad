/**
 * The kinds of answers: `r` a result, its JSON text behind it; `n` no result; `e` an error, as JSON. An entry of an inbox has
 * one or more answers, each a field, which is the kind and the correlation of its request, and a value.
 */
export type AnswerKind = 'r' | 'n' | 'e';

export interface AnswerFrame {
  readonly kind: AnswerKind;
  readonly correlation: number;
}

/** The decimal digits of a safe integer. */
const FIELD = /^[rne](?:0|[1-9]\d{0,15})$/;

export function answerField(kind: AnswerKind, correlation: number): string {
  return kind + String(correlation);
}

/** Whether the field of an answer, or of the end of a streamed one, says that the request has failed. */
export function isFailure(field: string): boolean {
  return field.startsWith('e') || field.startsWith('f');
}

/** @returns null for a field that is no answer; never throws */
export function parseAnswerField(field: unknown): AnswerFrame | null {
  if (typeof field !== 'string' || !FIELD.test(field)) return null;
  return { kind: field[0] as AnswerKind, correlation: Number(field.slice(1)) };
}
