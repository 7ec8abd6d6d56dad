import { checkEach, MillraceError } from '@millrace/core';
import { clientRules, type ContractClass, contractOf, isContract, type RpcClientOptions } from '@millrace/rpc';

/** The contract of a service whose client has options: `{ contract: PaymentsApi, balance: 'two-choices' }`. */
export interface ConfiguredClient extends RpcClientOptions {
  readonly contract: ContractClass;
}

/** A client of a service that a module asks for. */
export interface FeatureClient {
  readonly contract: ContractClass;
  /** Undefined: none were given. */
  readonly options: RpcClientOptions | undefined;
}

export function isConfiguredClient(entry: unknown): entry is ConfiguredClient {
  return typeof entry === 'object' && entry !== null && Object.hasOwn(entry, 'contract');
}

/** The contract of an entry of `MillraceModule.forFeature`; anything else as it is. */
export function contractIn(entry: unknown): unknown {
  return isConfiguredClient(entry) ? entry.contract : entry;
}

/** The clients among the entries of one `MillraceModule.forFeature`. */
export function featureClients(entries: readonly unknown[]): FeatureClient[] {
  return entries.flatMap((entry): FeatureClient[] => {
    if (isContract(entry)) return [{ contract: entry, options: undefined }];
    if (!isConfiguredClient(entry) || !isContract(entry.contract)) return [];
    const { contract, ...options } = entry;
    return [{ contract, options: Object.keys(options).length === 0 ? undefined : options }];
  });
}

/** @throws MillraceError INVALID_OPTIONS with every problem of every client */
export function assertClients(clients: readonly FeatureClient[]): void {
  checkEach('Some clients of MillraceModule.forFeature are not configured well.', clients, (client) => {
    if (clients.find(({ contract }) => contract === client.contract) !== client) throw givenTwice(client.contract, 'one module');
    if (client.options !== undefined) clientRules(contractOf(client.contract), client.options, labelOf(client.contract));
  });
}

function labelOf(contract: ContractClass): string {
  return `MillraceModule.forFeature: the client of ${contract.name}`;
}

/** @param module the name of the module, as far as it is known */
export function givenTwice(contract: ContractClass, module: string): MillraceError {
  const what = `${labelOf(contract)} is given twice to ${module}, and a module has one client of a service`;
  return new MillraceError('INVALID_OPTIONS', `${what}: give it once, with all its options.`);
}
