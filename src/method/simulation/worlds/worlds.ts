/** @file The worlds that users can be simulated in. */
import { journeys } from './journeys.ts';
import { reviews } from './reviews.ts';
import type { World } from './world.ts';

/** By name. The embedded model was trained on users of `reviews`; it has seen nothing of `journeys`. */
export const worlds = { reviews, journeys } as const satisfies Record<string, World>;

export type WorldName = keyof typeof worlds;
export const worldNames = Object.keys(worlds) as readonly WorldName[];
