import { Body, Param, Post } from '@nestjs/common';
import { type ClientProxy, MessagePattern, Payload } from '@nestjs/microservices';
import { from, lastValueFrom, type Observable, of, scan } from 'rxjs';

export function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((one, other) => one + other, 0);
}

/** Handlers that answer in each of the forms in which a handler may answer. */
export class Adder {
  @MessagePattern({ cmd: 'add' })
  add(@Payload() numbers: number[]): number {
    return sumOf(numbers);
  }

  @MessagePattern({ cmd: 'add-later' })
  async addLater(@Payload() numbers: number[]): Promise<number> {
    await new Promise((resolve) => setImmediate(resolve));
    return sumOf(numbers);
  }

  @MessagePattern({ cmd: 'add-observed' })
  addObserved(@Payload() numbers: number[]): Observable<number> {
    return of(sumOf(numbers));
  }

  @MessagePattern({ cmd: 'each' })
  each(@Payload() numbers: number[]): Observable<number> {
    return from(numbers);
  }
}

/** Routes that ask an {@link Adder} through a client. */
export abstract class AdderRoutes {
  abstract readonly client: ClientProxy;

  @Post('ask/:command')
  ask(@Param('command') cmd: string, @Body() numbers: number[]): Observable<number> {
    return this.client.send({ cmd }, numbers);
  }

  @Post('running-sum')
  runningSum(@Body() numbers: number[]): Observable<number> {
    return this.client.send<number>({ cmd: 'each' }, numbers).pipe(scan((sum, number) => sum + number));
  }

  @Post('ask-at-once')
  askAtOnce(@Body() lists: number[][]): Promise<number[]> {
    return Promise.all(lists.map((numbers) => lastValueFrom(this.client.send<number>({ cmd: 'add' }, numbers))));
  }

  @Post('tell')
  tell(@Body() told: object): Observable<unknown> {
    return this.client.emit('told', told);
  }
}

export const NUMBERS = [1, 2, 3, 4, 5];

/** Ten lists, each of ten numbers, and their sums. */
export const LISTS = Array.from({ length: 10 }, (_, list) => Array.from({ length: 10 }, (__, index) => list * 10 + index + 1));
export const SUMS = LISTS.map(sumOf);
