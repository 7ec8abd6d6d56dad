export { Balancer, type BalancerOptions } from './balance/balancer.js';
export type { InstancesPort } from './balance/candidates.js';
export type { CircuitPlace, CircuitState } from './balance/circuit.js';
export {
  type BalanceStrategy, CircuitOptions, type FailureMode, RouteOptions, RpcClientOptions, RpcFailureOptions,
} from './balance/client-options.js';
export { clientRules } from './balance/client-rules.js';
export { CallerCounters } from './call/caller-counters.js';
export type { ItemSink } from './call/incoming-stream.js';
export type { OutgoingCall } from './call/outgoing-call.js';
export { CallHandle } from './client/call-handle.js';
export { localClient } from './client/local-client.js';
export { type InstanceAnswer, type MethodName, RemoteMethod, type RemoteMethodOf } from './client/remote-method.js';
export { BroadcastCallOptions, ResultOptions, StartOptions } from './client/remote-options.js';
export { type ClientParts, rpcClient } from './client/rpc-client.js';
export { ClientStream, type ClientStreamParts } from './client/stream-client.js';
export { CallContext } from './contract/call-context.js';
export { CallOptions } from './contract/call-options.js';
export type { CallPort } from './contract/call-port.js';
export type { RpcContractOptions, RpcMethodOptions } from './contract/contract-options.js';
export { type Implementation, missingMethod } from './contract/implementation.js';
export { type ImplementedMethod, methodPipeline } from './contract/method-pipeline.js';
export {
  type ContractClass, type ContractDefinition, contractOf, isContract, type MethodDefinition, RpcContract, type RpcMethods,
} from './contract/rpc-contract.js';
export * from './create-rpc.js';
export * from './errors.js';
export type { ResultWait, StartedCall } from './handle/handles.js';
export * from './keys.js';
export { type Latency, LATENCY_BOUNDS_MS } from './monitor/latency.js';
export type { MethodFigures } from './monitor/method-counts.js';
export type { ContractConflict, ServiceQuery } from './registry/instance-set.js';
export type { Instance, InstanceDefinition, InstanceUpdate, MethodSummary } from './registry/instance.js';
export type { Registration } from './registry/registrations.js';
export type { InstancesListener, RegistryCounters, RegistryView } from './registry/registry-view.js';
export * from './registry/registry.js';
export { AnsweredFailure } from './serve/answered-failure.js';
export type { ServingState } from './serve/request-slots.js';
export { ServerCounters } from './serve/server-counters.js';
export * from './serve/service-definition.js';
