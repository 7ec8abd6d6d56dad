import type { Guard } from './guards.js';

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

export declare function caughtBy(report: Report, guard: Pick<Guard, 'spec' | 'title'>): string | null;
export declare function unfit(report: Report | null, guard: Pick<Guard, 'spec' | 'title'>): string | null;
export declare function patternOf(title: string): string;
