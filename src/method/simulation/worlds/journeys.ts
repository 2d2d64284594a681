/** @file The world of journeys: the people of reviews write of trips. The embedded model knows their ways, but none of the items and of the words for them. */
import { domains, nameEnds, nameStarts } from './journey-items.ts';
import { reviews } from './reviews.ts';
import type { World } from './world.ts';

export const journeys: World = {
  ...reviews,
  name: 'journeys',
  domains,
  nameStarts,
  nameEnds,
};
