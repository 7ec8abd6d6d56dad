interface Assertion {
  readonly fullName: string;
  readonly status: string;
  readonly failureMessages: readonly string[];
}

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly Assertion[];
  }[];
}

interface Result {
  readonly name: string;
  readonly version: string;
  readonly seconds: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly titles: readonly string[];
}

export declare function resultOf(server: Pick<Result, 'name' | 'version'>, report: Report | null, ms: number): Result;
export declare function isGood(result: Pick<Result, 'passed' | 'failed'>): boolean;
export declare function table(results: readonly Result[]): string;
export declare function failures(result: Pick<Result, 'name' | 'titles'>): string;
