export interface SqlResult<Row> {
  readonly rows: Row[];
  /** Rows that the statement returned or changed. */
  readonly rowCount: number;
}

/** An open SQL transaction, in the words that `pg` and PGlite share: `$1`-style parameters. */
export interface SqlTransaction {
  /** Present where the application's own library has opened it. */
  readonly own?: OwnTransaction;
  query<Row = Record<string, unknown>>(text: string, parameters?: readonly unknown[]): Promise<SqlResult<Row>>;
}

/** A transaction in the type of the library that has opened it. */
export interface OwnTransaction {
  /** The source that it came from. */
  readonly source: object;
  readonly transaction: unknown;
}

/** The source of a library's transactions, as handlers name it to get them in the type of that library. */
export interface TransactionSource<Transaction> {
  within(transaction: Transaction): SqlTransaction;
}
