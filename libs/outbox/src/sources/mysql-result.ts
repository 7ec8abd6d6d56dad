import type { SqlResult } from '@millrace/core';

/** The result of a statement as `mysql2` gives it: rows, or what is known of a change. */
export function mysqlResult<Row>(answer: unknown): SqlResult<Row> {
  if (Array.isArray(answer)) return { rows: answer as Row[], rowCount: answer.length };
  const { affectedRows } = (answer ?? {}) as { affectedRows?: unknown };
  return { rows: [], rowCount: typeof affectedRows === 'number' ? affectedRows : 0 };
}
