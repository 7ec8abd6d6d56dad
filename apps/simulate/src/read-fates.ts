import type { Packet, PacketFate } from '@millrace/testing';
import { memberRequestIn } from './member-request.js';

/** A client that has lost its connection has another one after so long, at the earliest. */
const RECONNECTED_MS = 50;

/**
 * Keeps reads of a shared group from arriving when their sender has another connection already. Redis would give a living member
 * entries that it does not know, and that nobody puts back; docs/adr/0022 has more about that.
 */
export class ReadFates {
  /** When the last late request of each connection arrives, in virtual milliseconds. */
  readonly #lateUntil = new Map<string, number>();

  /** @returns the fate of the packet in place of the one that was drawn */
  of(packet: Packet, fate: PacketFate, nowMs: number): PacketFate {
    const { connection, direction } = packet;
    if (direction === 'connect') this.#lateUntil.delete(connection);
    if (direction !== 'request') return fate;
    const isRead = memberRequestIn(packet) === 'read';
    // Requests arrive in their order.
    if (isRead && (this.#lateUntil.get(connection) ?? 0) > nowMs + RECONNECTED_MS) return 'silent';
    if (typeof fate !== 'number' || fate <= RECONNECTED_MS) return fate;
    if (isRead) return RECONNECTED_MS;
    this.#lateUntil.set(connection, Math.max(this.#lateUntil.get(connection) ?? 0, nowMs + fate));
    return fate;
  }
}
