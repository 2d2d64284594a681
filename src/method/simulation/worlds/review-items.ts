/** @file What is reviewed: kinds of items with their aspects and verbs, and the words of item names. */

import { type Domain, many, one } from './world.ts';

export const domains: readonly Domain[] = [
  {
    noun: 'headset',
    article: 'a',
    verbs: ['bought', 'tried', 'ordered'],
    aspects: [one('sound'), one('design'), one('comfort'), one('battery'), one('price')],
  },
  {
    noun: 'novel',
    article: 'a',
    verbs: ['read', 'finished', 'borrowed'],
    aspects: [one('plot'), one('cover'), one('pacing'), many('characters'), one('price')],
  },
  {
    noun: 'bistro',
    article: 'a',
    verbs: ['visited', 'tried', 'booked'],
    aspects: [one('food'), one('decor'), one('seating'), one('service'), one('bill')],
  },
  {
    noun: 'tent',
    article: 'a',
    verbs: ['bought', 'borrowed', 'tested'],
    aspects: [one('fabric'), one('design'), one('setup'), many('pegs'), one('price')],
  },
  {
    noun: 'board game',
    article: 'a',
    verbs: ['played', 'bought', 'tried'],
    aspects: [many('rules'), one('artwork'), one('setup'), many('pieces'), one('price')],
  },
  {
    noun: 'hotel',
    article: 'a',
    verbs: ['booked', 'visited', 'tried'],
    aspects: [many('rooms'), one('decor'), many('beds'), one('service'), one('bill')],
  },
  {
    noun: 'bicycle',
    article: 'a',
    verbs: ['bought', 'tested', 'borrowed'],
    aspects: [one('frame'), one('design'), one('comfort'), many('brakes'), one('price')],
  },
  {
    noun: 'armchair',
    article: 'an',
    verbs: ['bought', 'ordered', 'tested'],
    aspects: [many('cushions'), one('design'), one('comfort'), one('delivery'), one('price')],
  },
  {
    noun: 'camera',
    article: 'a',
    verbs: ['bought', 'tested', 'ordered'],
    aspects: [many('pictures'), one('design'), many('menus'), one('battery'), one('price')],
  },
  {
    noun: 'museum',
    article: 'a',
    verbs: ['visited', 'explored', 'toured'],
    aspects: [many('exhibits'), one('building'), one('layout'), many('guides'), many('tickets')],
  },
  {
    noun: 'film',
    article: 'a',
    verbs: ['watched', 'saw', 'streamed'],
    aspects: [one('story'), one('scenery'), one('pacing'), one('cast'), many('tickets')],
  },
  {
    noun: 'guitar',
    article: 'a',
    verbs: ['bought', 'tried', 'borrowed'],
    aspects: [one('tone'), one('finish'), one('comfort'), many('strings'), one('price')],
  },
  {
    noun: 'jacket',
    article: 'a',
    verbs: ['bought', 'ordered', 'wore'],
    aspects: [one('fabric'), one('design'), one('fit'), many('pockets'), one('price')],
  },
  {
    noun: 'bakery',
    article: 'a',
    verbs: ['visited', 'tried', 'found'],
    aspects: [one('bread'), one('decor'), one('seating'), one('service'), one('bill')],
  },
  {
    noun: 'backpack',
    article: 'a',
    verbs: ['bought', 'tested', 'borrowed'],
    aspects: [many('zippers'), one('design'), one('comfort'), many('straps'), one('price')],
  },
  {
    noun: 'lamp',
    article: 'a',
    verbs: ['bought', 'ordered', 'tested'],
    aspects: [one('light'), one('design'), one('setup'), one('delivery'), one('price')],
  },
];

/** First and second words of item names. */
export const nameStarts: readonly string[] =
  `Amber Silver North Harbor Crystal Velvet Golden Copper Ivory Scarlet Misty Hidden Royal Lunar Solar Polar Rustic
  Gentle Lucky Noble Wild Quiet Crimson Emerald Stone Cedar Maple Willow Autumn Bright`.split(/\s+/);
export const nameEnds: readonly string[] =
  `Fox Lantern Ridge Falcon Anchor Meadow River Compass Orchid Sparrow Tower Garden Comet Badger Heron Summit Valley
  Otter Beacon Bridge Canyon Thistle Raven Pebble Orchard Glacier Forest Walrus Echo Voyage`.split(/\s+/);
