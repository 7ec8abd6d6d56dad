import type { SqlResult, SqlTransaction } from '@millrace/core';
import { cutStatement, withQuestionMarks } from '../database/placeholders.js';
import type { SqlDialect, SqlSource } from '../database/sql-source.js';
import { assertGiven, refuseDialect } from './given-object.js';
import { connectionsOf, type SourceOptions } from './source-options.js';

/** The parts of a DataSource of TypeORM that are used. */
export interface TypeormLike<Manager> {
  readonly manager: Manager;
  readonly options: { readonly type: string };
  transaction<T>(work: (manager: Manager) => Promise<T>): Promise<T>;
}

interface TypeormManager {
  readonly queryRunner?: unknown;
}

interface Runner {
  query(text: string, parameters: unknown[], structured: true): Promise<{ records?: unknown[]; affected?: number }>;
}

const DIALECTS: ReadonlyMap<string, SqlDialect> = new Map([['postgres', 'postgres'], ['mysql', 'mysql'], ['mariadb', 'mysql']]);

/**
 * A DataSource of TypeORM of the type `postgres`, `mysql` or `mariadb`, initialised before the application starts. A handler's
 * transaction is an `EntityManager`. The size of the pool is that of `options`, else `poolSize` of the DataSource.
 *
 * @throws MillraceError INVALID_OPTIONS
 */
export function typeormSource<Manager extends TypeormManager>(
  dataSource: TypeormLike<Manager>,
  options?: SourceOptions,
): SqlSource<Manager> {
  assertGiven(dataSource, 'typeormSource', {
    expected: 'a DataSource of TypeORM',
    methods: ['transaction', 'createQueryRunner', 'getRepository'],
  });
  const { type, poolSize } = dataSource.options as { type: string; poolSize?: number };
  const dialect = DIALECTS.get(type) ?? refuseDialect('typeormSource', type);
  return {
    dialect,
    connections: connectionsOf(options, 'typeormSource') ?? poolSize,
    transaction: (work) => dataSource.transaction(work),
    within: ({ queryRunner }): SqlTransaction => ({
      query: <Row>(text: string, parameters: readonly unknown[] = []) => {
        if (dialect === 'postgres') return run<Row>(queryRunner as Runner, text, parameters);
        const cut = cutStatement(text, parameters, dialect);
        return run<Row>(queryRunner as Runner, withQuestionMarks(cut), cut.values);
      },
    }),
  };
}

async function run<Row>(runner: Runner, text: string, parameters: readonly unknown[]): Promise<SqlResult<Row>> {
  const { records = [], affected } = await runner.query(text, [...parameters], true);
  return { rows: records as Row[], rowCount: affected ?? records.length };
}
