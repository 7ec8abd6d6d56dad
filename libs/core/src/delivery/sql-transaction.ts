export interface SqlResult<Row> {
  readonly rows: Row[];
  /** Rows that the statement returned or changed. */
  readonly rowCount: number;
}

/** An open SQL transaction, in the words that `pg` and PGlite share: `$1`-style parameters. */
export interface SqlTransaction {
  query<Row = Record<string, unknown>>(text: string, parameters?: readonly unknown[]): Promise<SqlResult<Row>>;
}
