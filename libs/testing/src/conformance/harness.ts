import type { Position, PublishPort, SubscribePort, TopicDefinition } from '@millrace/core';

/** The two ports as one process has them. */
export interface ConformanceInstance {
  readonly port: PublishPort & SubscribePort;
  /** Ends it as a process ends that is asked to. Called for every instance after its case, also after {@link vanish}. */
  stop(deadlineMs: number): Promise<void>;
  /** Cuts it off from the store as `kill -9` would: it says no goodbye. */
  vanish(): void;
}

/** An instance whose network loses the answers of the store. */
export interface LossyInstance extends ConformanceInstance {
  /** From now on requests arrive and answers are lost. Resolves when one was. */
  loseAnswers(): Promise<void>;
  /** Ends that. */
  mend(): Promise<void>;
}

/** All that the suite needs to know of an implementation. The optional parts belong to a feature, or have a default. */
export interface ConformanceHarness {
  /** A new instance on the same store as the others, with groups that notice a vanished member soon. */
  open(): Promise<ConformanceInstance>;
  /** Whether the group has nothing left to do: nothing to be given, nothing in hand, no retry that waits. */
  isDrained(topic: TopicDefinition, group: string): Promise<boolean>;
  /** For `producerIdempotence`. */
  openLossy?(): Promise<LossyInstance>;
  /** For `seek`: resolves when it is done; members may run. */
  seek?(topic: TopicDefinition, group: string, position: Position): Promise<void>;
  /** For `persistsAcrossRestart`: crashes the store, and starts it again on the same data. */
  restart?(): Promise<void>;
  /** Unix milliseconds of the clock by which delays are waited for. Default: that of this process. */
  nowMs?(): number;
  /** Lets time pass. Default: by a timer. */
  sleep?(ms: number): Promise<void>;
  /** How long a case waits for something that should happen, in milliseconds. Default 30,000. */
  readonly patienceMs?: number;
}
