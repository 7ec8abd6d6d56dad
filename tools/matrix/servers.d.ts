export interface Server {
  readonly name: string;
  readonly version: string;
  readonly binary: string;
}

export declare function serversIn(
  folder: string | undefined,
  only?: readonly string[],
): { readonly servers: readonly Server[]; readonly problem: string | null };
