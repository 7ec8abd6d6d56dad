import type { Guard } from './guards.js';

export declare function mutated(text: string, guard: Pick<Guard, 'name' | 'file' | 'find' | 'replace'>): string;
