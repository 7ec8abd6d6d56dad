export interface Guard {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly spec: string;
  readonly title: string;
}
export declare const GUARDS: readonly Guard[];
