import { expect, it } from '@jest/globals';
import { Lane } from '../../src/ordered/lane.js';
import { PartitionLanes } from '../../src/ordered/partition-lanes.js';
import { here, keyed } from './keyed-deliveries.js';

const offsets = (lane: Lane): number[] => lane.all.map(({ offset }) => offset);

function laneOf(count: number): Lane {
  const lane = new Lane(new PartitionLanes(here), 'a');
  for (let offset = 0; offset < count; offset += 1) lane.add(keyed('a', offset));
  return lane;
}

it('a lane gives its messages in the order in which they came, also while more come', () => {
  const lane = laneOf(2);
  const taken = [lane.take().offset];
  lane.add(keyed('a', 2));
  taken.push(lane.take().offset, lane.take().offset);
  lane.add(keyed('a', 3));
  expect([...taken, lane.take().offset, lane.length, lane.first]).toEqual([0, 1, 2, 3, 0, undefined]);
});

it('a lane has the message that was taken, then those that wait', () => {
  const lane = laneOf(3);
  lane.take();
  lane.take();
  expect([offsets(lane), lane.length, lane.busy?.offset, lane.first?.offset]).toEqual([[1, 2], 1, 1, 2]);
});

it('a message that comes again stands before all that wait, however many were taken before it', () => {
  const lane = laneOf(4);
  lane.take();
  const taken = lane.take();
  const next = taken.with({ attempt: 2 });
  lane.again(next);
  expect([offsets(lane), lane.busy, lane.length, lane.take() === next]).toEqual([[1, 2, 3], null, 3, true]);
});

it('a lane that is cleared keeps the message that was taken alone', () => {
  const lane = laneOf(3);
  lane.take();
  expect(lane.clear().map(({ offset }) => offset)).toEqual([1, 2]);
  expect([offsets(lane), lane.length, lane.clear()]).toEqual([[0], 0, []]);
  lane.add(keyed('a', 7));
  expect(offsets(lane)).toEqual([0, 7]);
});
